import { z } from "zod";
import { defineResource } from "../resource.ts";
import { type Found, lifeOfStatic, networks, packed, split, staticInputs, staticOutputs } from "./statics.ts";
import { distinctNetworks } from "./tunnels.ts";

export const ipsecType = 7;
const mode = z.enum(["main", "aggrmode"]);

const inputs = z.strictObject({
  ...staticInputs,
  remoteAddress: packed
    .min(1)
    .describe(
      "The peer's public address; in the same zone also the id of its router; 0.0.0.0 accepts any peer.",
    ),
  remoteId: packed.optional().describe("The peer's IKE identity; default `remoteAddress`; %any accepts any."),
  algorithm: packed.default("aes").describe("Cipher of IKE and ESP."),
  presharedKey: packed.min(8).describe("The same at both sides, at least 8 characters."),
  localNetworks: networks.describe("Networks behind this router, in CIDR form."),
  targetNetworks: networks.describe(
    "Networks behind the peer, in CIDR form; must not overlap the local ones.",
  ),
  mode: mode.default("main").describe("IKEv1 exchange: main or aggrmode."),
});

export const ipsecTunnel = defineResource({
  type: "qingcloud:cloud:IpsecTunnel",
  description:
    "One side of an IPSec tunnel between two VPC routers (router static type 7); the other side is another IpsecTunnel with addresses and networks exchanged. The routers' security groups must let in UDP 500 and 4500, ESP and AH from the peer.",
  inputs,
  outputs: z.object(staticOutputs),
  replaceOn: ["zone", "vpcId"],
  secrets: ["presharedKey"],
  rules: [distinctNetworks],

  ...lifeOfStatic<z.output<typeof inputs>>({
    what: "IPSec tunnel",
    types: [ipsecType],
    targetsOf: (given) => given.targetNetworks,
    typeOf: () => ipsecType,
    toValues: (given) => ({
      val1: [
        given.remoteAddress,
        given.algorithm,
        given.presharedKey,
        given.remoteId ?? given.remoteAddress,
      ].join("|"),
      val2: given.localNetworks.join("|"),
      val3: given.targetNetworks.join("|"),
      val4: given.mode,
    }),
    fromValues: readIpsec,
  }),
});

/** The tunnel that a static of the type is. */
export function readIpsec(
  found: Pick<Found, "val1" | "val2" | "val3" | "val4">,
  known?: { readonly remoteId?: string | undefined },
) {
  const { remoteAddress, algorithm, presharedKey, remoteId } = unpack(found.val1 ?? "");
  const isDefaultId = remoteId === "" || (remoteId === remoteAddress && known?.remoteId === undefined);
  return {
    remoteAddress,
    ...(isDefaultId ? {} : { remoteId }),
    algorithm: algorithm || "aes",
    presharedKey,
    localNetworks: split(found.val2),
    targetNetworks: split(found.val3),
    mode: mode.parse(found.val4 || "main"),
  };
}

/** `remote|algorithm|key|id`; the documentation's own example leaves the algorithm's place out. */
function unpack(val1: string) {
  const parts = val1.split("|");
  const [remoteAddress = "", algorithm = "", presharedKey = "", remoteId = ""] =
    parts.length === 3 ? [parts[0], "", parts[1], parts[2]] : parts;
  return { remoteAddress, algorithm, presharedKey, remoteId };
}
