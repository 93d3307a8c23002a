import { expect, test } from "vitest";
import { authenticate } from "../../local-cloud/api/authentication.ts";
import { canonicalQuery, type SignatureMethod, sign } from "../../qingcloud/signature.ts";

const example =
  "access_key_id=QYACCESSKEYIDEXAMPLE&action=RunInstances&count=1&image_id=centos64x86a&instance_name=demo&instance_type=small_b&login_mode=passwd&login_passwd=QingCloud20130712&signature_method=HmacSHA256&signature_version=1&time_stamp=2013-08-27T14%3A30%3A10Z&version=1&vxnets.1=vxnet-0&zone=pek1";
const tunnel =
  "access_key_id=QYACCESSKEYIDEXAMPLE&action=AddRouterStatics&router=rtr-abcd1234&signature_method=HmacSHA256&signature_version=1&statics.1.router_static_name=tunnel%20%28a%29%2A%21~%27&statics.1.static_type=7&statics.1.val1=203.0.113.9%7Caes%7Cp%40ss%20w0rd%2B%2F%3D%7C203.0.113.9&statics.1.val2=192.168.1.0%2F24&statics.1.val3=192.168.2.0%2F24%7C192.168.3.0%2F24&statics.1.val4=main&time_stamp=2024-01-02T03%3A04%3A05Z&version=1&zone=pek3";
const secret = "SECRETACCESSKEY";

interface Vector {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly secret: string;
  readonly canonical: string;
  readonly digest?: SignatureMethod;
  readonly signature: string;
}

/** Of the official Go SDK's tests, the documentation, and measured with the Python SDK. */
const vectors: readonly Vector[] = [
  {
    method: "GET",
    path: "/iaas/",
    secret,
    canonical: example,
    signature: "32bseYy39DOlatuewpeuW5vpmW51sD1A/JdGynqSpP8=",
  },
  {
    method: "GET",
    path: "/iaas/",
    secret,
    canonical: example.replace("zone=pek1", "zone=pek3a"),
    signature: "byjccvWIvAftaq+oublemagH3bYAlDWxxLFAzAsyslw=",
  },
  {
    method: "GET",
    path: "/iaas",
    secret: "ENV_SECRET_ACCESS_KEY",
    canonical:
      "access_key_id=ENV_ACCESS_KEY_ID&action=DescribeInstance&instance.0=i-xxxxxxxx&signature_method=HmacSHA256&signature_version=1&time_stamp=0001-01-01T00%3A00%3A00Z&verbose=1",
    signature: "ZHa2iQ8PeyP1ktMF9C+DjOQBl537ti9RnYZ1Qqr6KRg=",
  },
  {
    method: "GET",
    path: "/iaas/",
    secret,
    canonical: tunnel,
    signature: "Y4UFeQ6cQJ9UWrQ+qkvaKRye4YyhX1d9Dobf/oss00Q=",
  },
  {
    method: "GET",
    path: "/iaas",
    secret,
    canonical: tunnel,
    signature: "V/YmI5Fb34aM/bziSkHS4/RCB2sA9gDMvyJueZQwaI8=",
  },
  {
    method: "POST",
    path: "/iaas/",
    secret,
    canonical: tunnel,
    signature: "7eEsxr9MK/xOVJfPM4BDsKaq1/2JzfkzlxrJ/fwb7z8=",
  },
  {
    method: "GET",
    path: "/iaas/",
    secret,
    canonical: tunnel.replace("HmacSHA256", "HmacSHA1"),
    digest: "HmacSHA1",
    signature: "wLvAqNwq0+czT20R4zCvxir3Yuc=",
  },
  {
    method: "GET",
    path: "/iaas/",
    secret,
    canonical:
      "access_key_id=QYACCESSKEYIDEXAMPLE&action=CreateTag&signature_method=HmacSHA256&signature_version=1&tag_name=%E8%AE%AD%E7%BB%83%20%E9%9B%86%E7%BE%A4&time_stamp=2024-01-02T03%3A04%3A05Z&version=1&zone=pek3",
    signature: "OcTbCyaMzheG/TiYgWVZj1S0YUb05wMrX4azYvI9Doc=",
  },
];

test.each(vectors.map((vector, index) => [index + 1, vector] as const))(
  "vector %i: signed and accepted",
  (_, vector) => {
    const parameters = Object.fromEntries(new URLSearchParams(vector.canonical));
    expect(canonicalQuery(parameters)).toBe(vector.canonical);
    expect(sign(vector.method, vector.path, parameters, vector.secret, vector.digest)).toBe(vector.signature);
    const request = {
      method: vector.method,
      path: vector.path,
      parameters: { ...parameters, signature: vector.signature },
    };
    const credentials = { accessKeyId: parameters.access_key_id ?? "", secretAccessKey: vector.secret };
    const now = Date.parse(parameters.time_stamp ?? "");
    expect(() => authenticate(request, credentials, now)).not.toThrow();
    const otherPath = vector.path === "/iaas" ? "/iaas/" : "/iaas";
    expect(() => authenticate({ ...request, path: otherPath }, credentials, now)).toThrow(
      `AuthFailure, the signature of access key [${credentials.accessKeyId}] does not match the request [${vector.method} ${otherPath}]`,
    );
  },
);
