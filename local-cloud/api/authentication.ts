/** Who sent a request, and when: access key, signature, time stamp. */
import {
  isSameSignature,
  isSignatureMethod,
  type Parameters,
  type SignatureMethod,
  sign,
} from "../../qingcloud/signature.ts";
import { badValue, expired, malformed, missing, unauthenticated } from "../services/errors.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface SignedRequest {
  readonly method: "GET" | "POST";
  /** As requested: `/iaas` and `/iaas/` sign differently. */
  readonly path: string;
  /** Form-decoded, with `signature`. */
  readonly parameters: Parameters;
}

/** Seconds that a time stamp may be off. */
const validity = 60;

/** Throws the API's error unless the request is signed by these credentials and fresh. */
export function authenticate(request: SignedRequest, credentials: Credentials, now: number): void {
  const { signature, ...signed } = request.parameters;
  for (const name of ["access_key_id", "signature_method", "signature_version", "time_stamp"]) {
    if (!signed[name]) throw missing(name);
  }
  if (!signature) throw missing("signature");
  if (signed.signature_version !== "1") throw badValue("signature_version", signed.signature_version, "1");
  const method = signed.signature_method;
  if (!isSignatureMethod(method)) throw badValue("signature_method", method, "HmacSHA256, HmacSHA1");
  if (signed.access_key_id !== credentials.accessKeyId) {
    throw unauthenticated(`access key [${signed.access_key_id}] does not exist`);
  }
  checkSignature(request, signed, signature, credentials.secretAccessKey, method);
  checkTime(signed, now);
}

function checkSignature(
  request: SignedRequest,
  signed: Parameters,
  signature: string,
  secret: string,
  method: SignatureMethod,
): void {
  const expected = sign(request.method, request.path, signed, secret, method);
  if (!isSameSignature(expected, signature)) {
    throw unauthenticated(
      `the signature of access key [${signed.access_key_id}] does not match the request [${request.method} ${request.path}]`,
    );
  }
}

/** `expires`, which the official CLI sends, takes the place of the 60 s after the time stamp. */
function checkTime(signed: Parameters, now: number): void {
  const sent = readTime("time_stamp", signed.time_stamp ?? "");
  const deadline = signed.expires ? readTime("expires", signed.expires) : sent + validity * 1000;
  if (now > deadline) {
    const which = signed.expires ? `expires [${signed.expires}]` : `time stamp [${signed.time_stamp}]`;
    const rule = signed.expires ? "has passed" : `is more than ${validity} s old`;
    throw expired(`${which} ${rule}, the server's time is [${new Date(now).toISOString()}]`);
  }
  if (sent > now + validity * 1000) {
    throw expired(
      `time stamp [${signed.time_stamp}] is more than ${validity} s ahead, the server's time is [${new Date(now).toISOString()}]`,
    );
  }
}

function readTime(name: string, text: string): number {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text);
  const time = isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw malformed(name, text, "a UTC time such as 2013-08-27T14:30:10Z");
  return time;
}
