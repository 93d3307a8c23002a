import { z } from "zod";
import { defineResource } from "../resource.ts";
import { type Found, lifeOfStatic, networks, packed, split, staticInputs, staticOutputs } from "./statics.ts";

export const greType = 6;
const largestKey = 2 ** 32 - 1;

const inputs = z.strictObject({
  ...staticInputs,
  remoteAddress: packed
    .min(1)
    .describe("The peer's public address; in the same zone also the id of its router."),
  key: z
    .number()
    .int()
    .min(1)
    .max(largestKey)
    .optional()
    .describe("The same at both sides, 1 to 4294967295; default none."),
  localAddress: z.ipv4().describe("This side's point-to-point address, e.g. 10.254.1.2."),
  peerAddress: z
    .ipv4()
    .describe("The other side's, in the same subnet; each tunnel needs a subnet of its own."),
  targetNetworks: networks.describe("Networks behind the peer, in CIDR form."),
});

export const greTunnel = defineResource({
  type: "qingcloud:cloud:GreTunnel",
  description:
    "One side of an L3 GRE tunnel between two VPC routers (router static type 6); the other side is another GreTunnel with the addresses exchanged. It is not encrypted. The routers' security groups must let in the protocol gre from the peer.",
  inputs,
  outputs: z.object(staticOutputs),
  replaceOn: ["zone", "vpcId"],
  rules: [
    {
      reads: ["localAddress", "peerAddress"],
      problems: ({ localAddress, peerAddress }) =>
        localAddress === peerAddress
          ? [
              {
                property: "peerAddress",
                reason: `peerAddress: must be another address than localAddress (given: "${peerAddress}")`,
              },
            ]
          : [],
    },
  ],

  ...lifeOfStatic<z.output<typeof inputs>>({
    what: "GRE tunnel",
    types: [greType],
    targetsOf: (given) => given.targetNetworks,
    exclusive: {
      isSame: (given, found) => subnetOf(readGre(found).localAddress) === subnetOf(given.localAddress),
      aside(given, all) {
        const taken = new Set(all.map((found) => subnetOf(readGre(found).localAddress)));
        const free = [...Array(256).keys()]
          .map((each) => `10.254.${each}`)
          .findLast((each) => !taken.has(each));
        return { ...given, localAddress: `${free}.1`, peerAddress: `${free}.2` };
      },
    },
    typeOf: () => greType,
    toValues: (given) => ({
      val1: [given.remoteAddress, given.key ?? "", given.localAddress, given.peerAddress].join("|"),
      val2: given.targetNetworks.join("|"),
    }),
    fromValues: readGre,
  }),
});

/** The first three octets: the API takes a /24 for a tunnel's own addresses. */
function subnetOf(address: string): string {
  return address.replace(/\.\d+$/, "");
}

/** The tunnel that a static of the type is. */
export function readGre(found: Pick<Found, "val1" | "val2">) {
  const [remoteAddress = "", key = "", localAddress = "", peerAddress = ""] = (found.val1 ?? "").split("|");
  return {
    remoteAddress,
    ...(key === "" ? {} : { key: Number(key) }),
    localAddress,
    peerAddress,
    targetNetworks: split(found.val2),
  };
}
