/** Values to fuzz the API's parameters with: what they could take, and what nobody should send. */
import fc, { type Arbitrary } from "fast-check";

/** A text, or an id that the cloud has answered: the index-th of the newest of those with this prefix. */
export type Value = string | { readonly prefix: string; readonly index: number; readonly suffix: string };

/** Starts every secret that is sent: no error message and no log may hold it. */
export const secretMarker = "s3cr3t";

const prefixes = ["eip", "i", "j", "kp", "rse", "rtr", "rtrs", "sg", "sgr", "tag", "uda", "vol", "vxnet"];
/** Whose ids a parameter takes, by its name without a plural's s. */
const prefixOf: Readonly<Record<string, string>> = {
  eip: "eip",
  instance: "i",
  instance_id: "i",
  job: "j",
  keypair: "kp",
  login_keypair: "kp",
  router: "rtr",
  router_static: "rtrs",
  router_static_entrie: "rse",
  router_static_entry: "rse",
  security_group: "sg",
  security_group_rule: "sgr",
  tag: "tag",
  tag_id: "tag",
  volume: "vol",
  vxnet: "vxnet",
};

export const network = fc.nat(7).map((part) => `192.168.${part}.0/24`);
export const address = fc.tuple(fc.nat(3), fc.nat(9)).map(([part, host]) => `192.168.${part}.${host + 1}`);
export const tunnel = fc
  .nat(9)
  .map((part) => `198.51.100.${part + 1}|aes|${secretMarker}-key|198.51.100.${part + 1}`);
export const gre = fc
  .nat(9)
  .map((part) => `198.51.100.${part + 1}|${part + 1}|10.254.${part}.2|10.254.${part}.3`);
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
export const oneOf = (...values: string[]): Arbitrary<string> => fc.constantFrom(...values);

/** What text a parameter takes, by its name. */
const texts: Readonly<Record<string, Arbitrary<string>>> = {
  image_id: oneOf("img-bare", "img-deeplearning"),
  images: oneOf("img-bare", "img-deeplearning"),
  instance_type: oneOf("c1m1", "c1m2", "c2m4"),
  instance_types: oneOf("c1m1", "c2m4"),
  vpc_network: oneOf("192.168.0.0/16", "192.168.0.0/16", "172.16.0.0/16"),
  ip_network: network,
  manager_ip: address,
  dyn_ip_start: address,
  dyn_ip_end: address,
  login_passwd: oneOf("Passw0rd", `${secretMarker}Passw0rd`),
  public_key: oneOf(publicKey),
  userdata_value: oneOf(Buffer.from("#!/bin/sh\n").toString("base64")),
  attachment_content: oneOf("H4sIAAAAAAAAAwMAAAAAAAAAAAA=", Buffer.from("nothing").toString("base64")),
  meters: oneOf("cpu", "memory", "traffic", "flow", "vxnet-0", "disk-os"),
  start_time: oneOf("2026-01-01T00:00:00Z", "2011-07-11T11:07:00.520Z", "2099-01-01T00:00:00Z"),
  end_time: oneOf("2026-01-02T00:00:00Z", "2011-07-11T11:07:00.520Z", "2099-01-02T00:00:00Z"),
  color: oneOf("#abc", "#9f9bb7"),
  status: oneOf("available", "associated", "active", "running", "stopped", "in-use", "ceased", "successful"),
  resource_type: oneOf("eip", "router", "vxnet", "instance", "keypair", "security_group", "volume"),
  resource_types: oneOf("eip", "router", "instance", "volume", "gpu"),
  platform: oneOf("linux", "windows", "mac"),
  val1: fc.oneof(oneOf("2222", "22", "openvpn", "pptp", "8", "node1"), tunnel, gre, network),
  val2: fc.oneof(oneOf("22", "1194", "443", `someone:${secretMarker}`), network, address),
  val3: fc.oneof(oneOf("22", "udp", "100", "10.0.0.0/8"), network),
  val4: oneOf("tcp", "udp", "main", "aggrmode", "10.255.1.0/24"),
  security_group_rule_name: oneOf("rule", ""),
};

export const nastyTexts = fc.oneof(
  {
    weight: 4,
    arbitrary: oneOf("", " ", "\0", "\n\r", "'", '"', "%", "%zz", "&a=b", "..", "../../etc/passwd"),
  },
  { weight: 3, arbitrary: oneOf("null", "undefined", "NaN", "true", "[]", "{}", "__proto__", "constructor") },
  {
    weight: 3,
    arbitrary: oneOf("0", "-1", "1e3", "0x10", "١٢", "+1", "1.5", "007", "9".repeat(15), "9".repeat(40)),
  },
  {
    weight: 3,
    arbitrary: oneOf("eip-", "i-zzzzzzzz", "vxnet-0", "vxnet-0|", "|", ";", "256.1.1.1", "1.2.3.4/33"),
  },
  { weight: 2, arbitrary: oneOf("中文", "🦀", "e\u0301", "\u202e", "ﷺ", "x".repeat(300), "|".repeat(200)) },
  { weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 30 }) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 30 }) },
);
export const anyId = fc.record({
  prefix: fc.constantFrom(...prefixes),
  index: fc.nat(30),
  suffix: fc.constant(""),
});

/** An id of this kind; the newest ones more often. */
export function idOf(prefix: string): Arbitrary<Value> {
  const index = fc.constantFrom(0, 0, 0, 0, 1, 1, 2, 3, 5, 8);
  return fc.record({ prefix: fc.constant(prefix), index, suffix: fc.constant("") });
}

export function textOf(name: string): Arbitrary<Value> {
  const prefix = prefixOf[name] ?? prefixOf[name.replace(/s$/, "")];
  if (prefix !== undefined) return idOf(prefix);
  if (/^resource(s|_id)?$/.test(name)) return anyId;
  return texts[name] ?? oneOf("a", "name", "another name", "net");
}
