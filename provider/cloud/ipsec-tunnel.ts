import { z } from "zod";
import { defineResource } from "../resource.ts";
import { namedAsRead } from "./naming.ts";
import {
  createStatic,
  deleteStatic,
  readStatic,
  staticInputs,
  staticOutputs,
  updateStatic,
  type Values,
} from "./router-static.ts";

const staticType = 7;
const networks = z.array(z.cidrv4()).min(1);
/** `|` separates the values that the API packs into one. */
const packed = z.string().regex(/^[^|]*$/, { error: "must not contain `|`" });
const mode = z.enum(["main", "aggrmode"]);

export const ipsecTunnel = defineResource({
  type: "qingcloud:cloud:IpsecTunnel",
  description:
    "One side of an IPSec tunnel between two VPC routers (router static type 7); the other side is another IpsecTunnel with addresses and networks exchanged. The routers' security groups must let in UDP 500 and 4500 and ESP from the peer.",
  inputs: z.strictObject({
    ...staticInputs,
    remoteAddress: packed.min(1).describe("The peer's public address; 0.0.0.0 accepts any peer."),
    remoteId: packed
      .optional()
      .describe("The peer's IKE identity; default `remoteAddress`; %any accepts any."),
    algorithm: packed.default("aes").describe("Cipher of IKE and ESP."),
    presharedKey: packed.min(8).describe("The same at both sides."),
    localNetworks: networks.describe("Networks behind this router, in CIDR form."),
    targetNetworks: networks.describe(
      "Networks behind the peer, in CIDR form; must not overlap the local ones.",
    ),
    mode: mode.default("main").describe("IKEv1 exchange: main or aggrmode."),
  }),
  outputs: z.object(staticOutputs),
  replaceOn: ["zone", "vpcId"],
  secrets: ["presharedKey"],
  deleteBeforeReplace: true,

  check: ({ localNetworks, targetNetworks }) =>
    targetNetworks
      .filter((network) => localNetworks.includes(network))
      .map((network) => ({
        property: "targetNetworks",
        reason: `${network} is at both sides of the tunnel`,
      })),

  create: (context, inputs) => createStatic(context, "IPSec tunnel", inputs, staticType, toValues(inputs)),

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const found = await readStatic(context, zone, known?.inputs.vpcId, id);
    if (found === undefined) return undefined;
    const name = found.router_static_name ?? "";
    const [remoteAddress = "", algorithm = "", presharedKey = "", remoteId = ""] = (found.val1 ?? "").split(
      "|",
    );
    const isDefaultId =
      remoteId === remoteAddress && known !== undefined && known.inputs.remoteId === undefined;
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, name),
        vpcId: found.router_id,
        remoteAddress,
        ...(isDefaultId ? {} : { remoteId }),
        algorithm,
        presharedKey,
        localNetworks: split(found.val2),
        targetNetworks: split(found.val3),
        mode: mode.parse(found.val4 || "main"),
      },
      outputs: { name },
    };
  },

  update: (context, id, { news }) => updateStatic(context, id, news, toValues(news)),
  delete: (context, id, { inputs }) => deleteStatic(context, id, inputs),
});

function toValues(inputs: {
  remoteAddress: string;
  remoteId?: string | undefined;
  algorithm: string;
  presharedKey: string;
  localNetworks: readonly string[];
  targetNetworks: readonly string[];
  mode: string;
}): Values {
  const { remoteAddress, algorithm, presharedKey } = inputs;
  return {
    val1: [remoteAddress, algorithm, presharedKey, inputs.remoteId ?? remoteAddress].join("|"),
    val2: inputs.localNetworks.join("|"),
    val3: inputs.targetNetworks.join("|"),
    val4: inputs.mode,
  };
}

function split(value: string | null | undefined): string[] {
  return (value ?? "").split("|").filter((network) => network !== "");
}
