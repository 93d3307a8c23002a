import { z } from "zod";
import { GetQuotaLeft } from "../../qingcloud/actions.ts";
import { defineFunction } from "../function.ts";
import { zoneInput } from "./naming.ts";

export const getQuotaLeft = defineFunction({
  token: "qingcloud:cloud:getQuotaLeft",
  description: "How much of each resource the account may still make in a zone.",
  arguments: z.strictObject({
    zone: zoneInput,
    resourceTypes: z
      .array(z.string())
      .optional()
      .describe("The API's names, e.g. eip, eip_bandwidth, router, instance, cpu, memory; default all."),
  }),
  result: z.object({
    quotas: z
      .array(
        z.object({
          resourceType: z.string().describe("The API's name."),
          left: z.number().int().describe("How many; memory in MB, bandwidth in Mbit/s."),
        }),
      )
      .describe("In the API's order."),
  }),

  async call(context, { zone, resourceTypes }) {
    const request = resourceTypes === undefined ? {} : { resource_types: resourceTypes };
    const { quota_left_set: found } = await context.session.call(GetQuotaLeft, zone, request, context);
    return { quotas: found.map(({ resource_type, left }) => ({ resourceType: resource_type, left })) };
  },
});
