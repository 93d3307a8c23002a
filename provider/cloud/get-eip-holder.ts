import { z } from "zod";
import { DescribeEips } from "../../qingcloud/actions.ts";
import { defineFunction } from "../function.ts";
import { zoneInput } from "./naming.ts";

export const getEipHolder = defineFunction({
  token: "qingcloud:cloud:getEipHolder",
  description: "What an EIP is on: a VPC router or an instance; nothing where it is free.",
  arguments: z.strictObject({ zone: zoneInput, id: z.string().min(1).describe("The EIP.") }),
  result: z.object({
    holderId: z.string().optional().describe("Id of the router or instance; absent = the EIP is free."),
    holderName: z.string().optional().describe("Its name in the console."),
  }),
  async call(context, { zone, id }) {
    const { eip_set } = await context.session.call(DescribeEips, zone, { eips: [id] }, context);
    const { resource_id, resource_name } = eip_set[0]?.resource ?? {};
    return resource_id ? { holderId: resource_id, holderName: resource_name ?? "" } : {};
  },
});
