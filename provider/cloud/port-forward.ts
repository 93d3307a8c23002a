import { z } from "zod";
import { defineResource } from "../resource.ts";
import { lifeOfStatic, staticInputs, staticOutputs } from "./statics.ts";

const staticType = 1;
const port = z.number().int().min(1).max(65535);
const protocol = z.enum(["tcp", "udp"]);

const inputs = z.strictObject({
  ...staticInputs,
  protocol: protocol.default("tcp").describe("tcp or udp."),
  sourcePort: port.describe("Port of the EIP, 1 to 65535."),
  targetAddress: z.ipv4().describe("Address inside the VPC."),
  targetPort: port.describe("Port at that address, 1 to 65535."),
});

export const portForward = defineResource({
  type: "qingcloud:cloud:PortForward",
  description: "A port of a VPC router's EIP that leads to an address inside (router static type 1).",
  inputs,
  outputs: z.object(staticOutputs),
  replaceOn: ["zone", "vpcId"],

  ...lifeOfStatic<z.output<typeof inputs>>({
    what: "port forward",
    types: [staticType],
    typeOf: () => staticType,
    toValues: (given) => ({
      val1: String(given.sourcePort),
      val2: given.targetAddress,
      val3: String(given.targetPort),
      val4: given.protocol,
    }),
    fromValues: (found) => ({
      protocol: protocol.parse(found.val4 || "tcp"),
      sourcePort: Number(found.val1),
      targetAddress: found.val2 ?? "",
      targetPort: Number(found.val3),
    }),
  }),
});
