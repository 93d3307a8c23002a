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

const staticType = 1;
const port = z.number().int().min(1).max(65535);
const protocol = z.enum(["tcp", "udp"]);

export const portForward = defineResource({
  type: "qingcloud:cloud:PortForward",
  description: "A port of a VPC router's EIP that leads to an address inside (router static type 1).",
  inputs: z.strictObject({
    ...staticInputs,
    protocol: protocol.default("tcp").describe("tcp or udp."),
    sourcePort: port.describe("Port of the EIP."),
    targetAddress: z.ipv4().describe("Address inside the VPC."),
    targetPort: port.describe("Port at that address."),
  }),
  outputs: z.object(staticOutputs),
  replaceOn: ["zone", "vpcId"],
  deleteBeforeReplace: true,

  create: (context, inputs) => createStatic(context, "port forward", inputs, staticType, toValues(inputs)),

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const found = await readStatic(context, zone, known?.inputs.vpcId, id);
    if (found === undefined) return undefined;
    const name = found.router_static_name ?? "";
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, name),
        vpcId: found.router_id,
        protocol: protocol.parse(found.val4 || "tcp"),
        sourcePort: Number(found.val1),
        targetAddress: found.val2 ?? "",
        targetPort: Number(found.val3),
      },
      outputs: { name },
    };
  },

  update: (context, id, { news }) => updateStatic(context, id, news, toValues(news)),
  delete: (context, id, { inputs }) => deleteStatic(context, id, inputs),
});

function toValues(inputs: {
  protocol: string;
  sourcePort: number;
  targetAddress: string;
  targetPort: number;
}): Values {
  return {
    val1: String(inputs.sourcePort),
    val2: inputs.targetAddress,
    val3: String(inputs.targetPort),
    val4: inputs.protocol,
  };
}
