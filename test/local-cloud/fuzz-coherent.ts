/** Requests whose values must fit each other to succeed: by chance they seldom would. */
import fc, { type Arbitrary } from "fast-check";
import { address, gre, idOf, network, oneOf, tunnel, type Value } from "./fuzz-values.ts";

export interface Coherent {
  readonly action: string;
  readonly parameters: readonly (readonly [string, Value])[];
}

function request(action: string, values: Readonly<Record<string, Arbitrary<Value>>>): Arbitrary<Coherent> {
  return fc.record(values).map((given) => ({ action, parameters: Object.entries(given) }));
}

const only = (value: string): Arbitrary<string> => fc.constant(value);
const port = fc.integer({ min: 1, max: 40 }).map(String);
const at = (days: number): string =>
  `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)}T00:00:00Z`;
const period = {
  start_time: oneOf(at(-1), at(-14), at(-40)),
  end_time: oneOf(at(0), at(1)),
  step: oneOf("5m", "2h", "1d"),
};
const aStatic = (values: Readonly<Record<string, Arbitrary<Value>>>): Arbitrary<Coherent> =>
  request("AddRouterStatics", {
    router: idOf("rtr"),
    ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`statics.1.${name}`, value])),
  });

/** A vxnet of a request that may name an address in it. */
const place = fc
  .tuple(
    idOf("vxnet"),
    fc.oneof(
      only(""),
      address.map((ip) => `|${ip}`),
    ),
  )
  .map(([id, suffix]) => (typeof id === "string" ? id : { ...id, suffix }));

const tagPair = (type: string, prefix: string): Readonly<Record<string, Arbitrary<Value>>> => ({
  "resource_tag_pairs.1.tag_id": idOf("tag"),
  "resource_tag_pairs.1.resource_type": only(type),
  "resource_tag_pairs.1.resource_id": idOf(prefix),
});

export const coherent: Arbitrary<Coherent> = fc.oneof(
  request("AttachTags", tagPair("eip", "eip")),
  request("AttachTags", tagPair("instance", "i")),
  request("DetachTags", tagPair("eip", "eip")),
  aStatic({ static_type: only("1"), val1: port, val2: address, val3: port }),
  aStatic({ static_type: only("6"), val1: gre, val2: network }),
  aStatic({ static_type: only("7"), val1: tunnel, val2: network, val3: network }),
  aStatic({ static_type: only("3"), val1: idOf("i"), val2: oneOf("domain-name-servers=8.8.8.8") }),
  aStatic({ static_type: only("2"), val1: only("openvpn"), val4: only("10.255.1.0/24") }),
  request("AddRouterStaticEntries", { router_static: idOf("rtrs"), "entries.1.val1": network }),
  request("AddRouterStaticEntries", { router_static: idOf("rtrs"), "entries.1.val2": network }),
  request("ModifyRouterStaticEntryAttributes", { router_static_entry: idOf("rse"), val1: network }),
  request("ModifyRouterStaticAttributes", { router_static: idOf("rtrs"), disabled: oneOf("0", "1") }),
  request("ModifyRouterStaticAttributes", { router_static: idOf("rtrs"), val2: network, val3: network }),
  request("CopyRouterStatics", {
    source_router: idOf("rtr"),
    dest_router: idOf("rtr"),
    dest_zone: oneOf("gpu1a", "gpu2a"),
  }),
  request("UpdateRouters", { "routers.1": idOf("rtr") }),
  request("ModifyRouterAttributes", { router: idOf("rtr"), eip: fc.oneof(idOf("eip"), only("")) }),
  request("JoinRouter", { router: idOf("rtr"), vxnet: idOf("vxnet"), ip_network: network }),
  request("JoinVxnet", { vxnet: place, "instances.1": idOf("i") }),
  request("RunInstances", {
    image_id: only("img-bare"),
    instance_type: only("c1m1"),
    login_mode: only("keypair"),
    login_keypair: idOf("kp"),
    "vxnets.1": place,
  }),
  request("ApplySecurityGroup", { security_group: idOf("sg"), "instances.1": idOf("i") }),
  request("StopInstances", { "instances.1": idOf("i") }),
  request("ResizeInstances", { "instances.1": idOf("i"), instance_type: oneOf("c1m2", "c2m4") }),
  request("GetMonitor", { resource: idOf("eip"), "meters.1": oneOf("traffic", "flow"), ...period }),
  request("GetMonitor", {
    resource: idOf("rtr"),
    "meters.1": fc.oneof(only("vxnet-0"), idOf("vxnet")),
    ...period,
  }),
  request("GetMonitor", { resource: idOf("i"), "meters.1": oneOf("cpu", "memory", "disk-os"), ...period }),
);
