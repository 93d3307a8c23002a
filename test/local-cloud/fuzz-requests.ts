/** Requests of the API to fuzz it with, generated from the descriptions of its actions. */
import fc, { type Arbitrary } from "fast-check";
import { z } from "zod";
import type { Action } from "../../qingcloud/action.ts";
import { actionsByName } from "../../qingcloud/actions.ts";

/** A text, or an id that the cloud has answered: the index-th of the newest of those with this prefix. */
export type Value = string | { readonly prefix: string; readonly index: number; readonly suffix: string };

export interface Plan {
  readonly action: string;
  readonly zone: string;
  readonly method: "GET" | "POST";
  readonly parameters: readonly (readonly [string, Value])[];
}

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

const network = fc.nat(7).map((part) => `192.168.${part}.0/24`);
const address = fc.tuple(fc.nat(3), fc.nat(9)).map(([part, host]) => `192.168.${part}.${host + 1}`);
const tunnel = fc
  .nat(9)
  .map((part) => `198.51.100.${part + 1}|aes|${secretMarker}-key|198.51.100.${part + 1}`);
const gre = fc.nat(9).map((part) => `198.51.100.${part + 1}|${part + 1}|10.254.${part}.2|10.254.${part}.3`);
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const oneOf = (...values: string[]): Arbitrary<string> => fc.constantFrom(...values);

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

const nastyTexts = fc.oneof(
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
const anyId = fc.record({ prefix: fc.constantFrom(...prefixes), index: fc.nat(30), suffix: fc.constant("") });

function idOf(prefix: string): Arbitrary<Value> {
  const suffix =
    prefix === "vxnet"
      ? fc.oneof(
          fc.constant(""),
          fc.constant(""),
          address.map((ip) => `|${ip}`),
        )
      : fc.constant("");
  return fc.record({ prefix: fc.constant(prefix), index: fc.nat(12), suffix });
}

function textOf(name: string): Arbitrary<Value> {
  const prefix = prefixOf[name] ?? prefixOf[name.replace(/s$/, "")];
  if (prefix !== undefined) return idOf(prefix);
  if (/^resource(s|_id)?$/.test(name)) return anyId;
  return texts[name] ?? oneOf("a", "name", "another name", "net");
}

/** A value that the type takes. */
function tidy(name: string, type: z.ZodType): Arbitrary<Value> {
  if (type instanceof z.ZodEnum) return fc.constantFrom(...type.options.map(String));
  if (type instanceof z.ZodLiteral) return fc.constantFrom(...[...type.values].map(String));
  if (type instanceof z.ZodUnion)
    return fc.oneof(...type.options.map((option) => tidy(name, option as z.ZodType)));
  if (type instanceof z.ZodNumber) return numberOf(name, type);
  return textOf(name);
}

function numberOf(name: string, type: z.ZodNumber): Arbitrary<string> {
  if (name === "cpu") return oneOf("1", "2");
  if (name === "memory") return oneOf("1024", "2048");
  if (name === "size") return oneOf("10", "20", "30");
  if (name === "os_disk_size") return oneOf("20", "30");
  if (name === "gpu" || name === "gpu_class") return oneOf("0", "0", "1");
  if (name === "static_type") return oneOf("1", "1", "6", "7", "7", "8", "2");
  const minimum = Math.max(type.minValue ?? 0, 0);
  const maximum = Math.min(type.maxValue ?? 3, minimum + (name === "bandwidth" ? 60 : 3));
  return fc.integer({ min: minimum, max: maximum }).map(String);
}

function unwrap(type: z.ZodType): z.ZodType {
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault || type instanceof z.ZodNullable) {
    return unwrap(type.unwrap() as z.ZodType);
  }
  return type;
}

type Entries = readonly (readonly [string, Value])[];
type Style = "tidy" | "wild";

function scalarOf(name: string, type: z.ZodType, style: Style): Arbitrary<Value> {
  if (style === "tidy") return tidy(name, type);
  return fc.oneof(
    { weight: 3, arbitrary: tidy(name, type) },
    { weight: 2, arbitrary: nastyTexts },
    { weight: 1, arbitrary: anyId },
  );
}

/** How the items of a list are numbered: from 1, and in ways that are not meant. */
const numbering: Readonly<Record<string, (name: string, index: number) => string>> = {
  "from 1": (name, index) => `${name}.${index + 1}`,
  "from 0": (name, index) => `${name}.${index}`,
  sparse: (name, index) => `${name}.${index * 37 + 5}`,
  padded: (name, index) => `${name}.0${index + 1}`,
  deep: (name, index) => `${name}.1.${index + 1}`,
  huge: (name, index) => `${name}.${99_990 + index}`,
  negative: (name, index) => `${name}.-${index}`,
  none: (name) => name,
};

function fieldOf(name: string, declared: z.ZodType, style: Style): Arbitrary<Entries> {
  const type = unwrap(declared);
  const isOptional = declared instanceof z.ZodOptional || declared instanceof z.ZodDefault;
  const some =
    type instanceof z.ZodArray
      ? listOf(name, type, style)
      : scalarOf(name, type, style).map((value) => [[name, value]] as Entries);
  const presence = style === "tidy" ? (isOptional ? 3 : 10) : isOptional ? 4 : 8;
  return fc.oneof(
    { weight: presence, arbitrary: some },
    {
      weight: style === "tidy" && !isOptional ? 0 : 10 - Math.min(presence, 9),
      arbitrary: fc.constant<Entries>([]),
    },
  );
}

function listOf(name: string, type: z.ZodArray, style: Style): Arbitrary<Entries> {
  const element = unwrap(type.element as z.ZodType);
  const item: Arbitrary<Entries> =
    element instanceof z.ZodObject
      ? fc
          .tuple(
            ...Object.entries(element.shape).map(([field, inner]) =>
              fieldOf(field, inner as z.ZodType, style),
            ),
          )
          .map((fields) => fields.flat())
      : scalarOf(name, element, style).map((value) => [["", value]] as Entries);
  const styles = style === "tidy" ? ["from 1"] : ["from 1", "from 1", ...Object.keys(numbering)];
  return fc
    .tuple(
      fc.array(item, { minLength: style === "tidy" ? 1 : 0, maxLength: style === "tidy" ? 2 : 4 }),
      fc.constantFrom(...styles),
    )
    .map(([items, how]) =>
      items.flatMap((fields, index) =>
        fields.map(([field, value]) => {
          const key = numbering[how]?.(name, index) ?? name;
          return [field === "" ? key : `${key}.${field}`, value] as const;
        }),
      ),
    );
}

/** Parameters that are not meant: of other actions, of no action, of JavaScript. */
const strays: Arbitrary<Entries> = fc.array(
  fc.tuple(
    oneOf(
      "__proto__",
      "constructor",
      "toString",
      "",
      "0",
      "eips.1",
      "zone.1",
      "rules.1.__proto__",
      "limit",
      "offset",
      "verbose",
      "x y&=%",
    ),
    nastyTexts,
  ),
  { maxLength: 2 },
);

/** The marker stands only where the action takes secrets. */
function asSecret(action: Action, name: string, value: Value): Value {
  const isSecret = action.secrets.includes(name.split(".")[0] ?? name);
  return typeof value === "string" && !isSecret ? value.replaceAll(secretMarker, "public") : value;
}

function planOf(action: Action, style: Style): Arbitrary<Plan> {
  const fields = Object.entries(action.request.shape).map(([name, type]) =>
    fieldOf(name, type as z.ZodType, style),
  );
  const zone =
    style === "tidy"
      ? oneOf("gpu1a", "gpu1a", "gpu1a", "gpu2a")
      : oneOf("gpu1a", "gpu1a", "gpu1a", "gpu2a", "pek3", "");
  return fc
    .record({
      zone,
      method: fc.constantFrom<"GET" | "POST">(
        ...(action.method === "POST" ? (["POST"] as const) : (["GET", "GET", "POST"] as const)),
      ),
      fields: fc.tuple(...fields),
      extra:
        style === "tidy"
          ? fc.constant<Entries>([])
          : fc.oneof({ weight: 3, arbitrary: fc.constant<Entries>([]) }, { weight: 1, arbitrary: strays }),
    })
    .map(({ fields: entries, extra, ...rest }) => ({
      action: action.name,
      ...rest,
      parameters: [...entries.flat(), ...extra].map(
        ([name, value]) => [name, asSecret(action, name, value)] as const,
      ),
    }));
}

/** How much more often than others: what makes things, so that there is something to work on. */
function weightOf(action: Action, style: Style): number {
  if (style === "wild") return 2;
  if (/^(JoinRouter|RunInstances|UpdateRouters|AddRouterStatics|AssociateEip)$/.test(action.name)) return 8;
  return action.isCreate || /^(Join|Attach|Modify)/.test(action.name) ? 5 : 3;
}

/** One request of any action; in half of them every value is one that its parameter could take. */
export const plans: Arbitrary<Plan> = fc.oneof(
  ...[...actionsByName.values()].flatMap((action) =>
    (["tidy", "wild"] as const).map((style) => ({
      weight: weightOf(action, style),
      arbitrary: planOf(action, style),
    })),
  ),
);
