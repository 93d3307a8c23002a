import { z } from "zod";
import { defineResource } from "../resource.ts";
import { lifeOfStatic, staticInputs, staticOutputs } from "./statics.ts";

/** 1, 6 and 7 are PortForward, GreTunnel and IpsecTunnel. */
const types = [2, 3, 4, 5, 8] as const;
const type = z.union(
  types.map((number) => z.literal(number)),
  { error: "must be 2, 3, 4, 5 or 8; 1, 6 and 7 are PortForward, GreTunnel and IpsecTunnel" },
);
const optional = z.string().optional();
const names = ["val1", "val2", "val3", "val4", "val5", "val6"] as const;

/** Whether the values are no secrets for sure; a type that is wrong, or not known yet, may be any. */
function isOpen(kind: unknown, val1: unknown): boolean {
  return kind === 2 ? val1 === "openvpn" : types.some((type) => type === kind);
}

const inputs = z.strictObject({
  ...staticInputs,
  type: type.describe("2 VPN, 3 DHCP option, 4 L2 GRE, 5 filter (not in a VPC), 8 private DNS."),
  vxnetId: optional.describe("The vxnet that the static is of, for types that are of one."),
  val1: z
    .string()
    .min(1)
    .describe(
      "2: openvpn, pptp or l2tp. 3: instance id. 4: `gre|remote address|key`. 5: source address. 8: host name.",
    ),
  val2: optional.describe(
    "2: port of openvpn, `user:password` of the others (then secret). 3: `option=value;…`. 5: source port. 8: `address;…`.",
  ),
  val3: optional.describe(
    "2: protocol of openvpn, most connections of pptp, pre-shared key of l2tp (then secret). 5: destination address.",
  ),
  val4: optional.describe("2: network of the clients. 5: destination port."),
  val5: optional.describe("2: authentication of openvpn (1 certificate, 2 password, 3 both). 5: priority."),
  val6: optional.describe("5: accept or drop."),
});

export const routerStatic = defineResource({
  type: "qingcloud:cloud:RouterStatic",
  description:
    "A configuration item of a VPC router by the API's own values, for the types that have no resource of their own.",
  inputs,
  outputs: z.object(staticOutputs),
  replaceOn: ["zone", "vpcId", "type", "vxnetId"],
  secretsAmong: ({ type: kind, val1 }) => (isOpen(kind, val1) ? [] : ["val2", "val3"]),
  // The API takes no value away.
  replaces: (state, news) =>
    names.filter((name) => state.inputs[name] !== undefined && news[name] === undefined),

  ...lifeOfStatic<z.output<typeof inputs>>({
    what: "router static",
    types,
    typeOf: (given) => given.type,
    vxnetOf: (given) => given.vxnetId,
    toValues: ({ val1, val2, val3, val4, val5, val6 }) => ({ val1, val2, val3, val4, val5, val6 }),
    fromValues(found, known) {
      // What the program leaves out the cloud may fill in.
      const own = names.filter((name) => known === undefined || known[name] !== undefined);
      const values = own.flatMap((name) => {
        const value = found[name];
        return value ? [[name, value] as const] : [];
      });
      const { val1 = "", ...rest } = Object.fromEntries(values);
      const vxnetId =
        typeof found.vxnet_id === "string" && found.vxnet_id !== "" ? found.vxnet_id : undefined;
      const isOfVxnet = vxnetId !== undefined && (known === undefined || known.vxnetId !== undefined);
      return { type: type.parse(found.static_type), ...(isOfVxnet ? { vxnetId } : {}), val1, ...rest };
    },
  }),
});
