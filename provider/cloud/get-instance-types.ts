import { z } from "zod";
import { DescribeInstanceTypes } from "../../qingcloud/actions.ts";
import { gpuShapes } from "../../qingcloud/gpu-shapes.ts";
import { defineFunction } from "../function.ts";
import { zoneInput } from "./naming.ts";

export const getInstanceTypes = defineFunction({
  token: "qingcloud:cloud:getInstanceTypes",
  description: "The instance types that a zone offers now.",
  arguments: z.strictObject({ zone: zoneInput }),
  result: z.object({
    instanceTypes: z
      .array(
        z.object({
          id: z.string().describe("E.g. `g2ntp100.4xlarge.r4`."),
          cpu: z.number().describe("Number of virtual CPUs."),
          memoryGiB: z.number().describe("GiB."),
          gpus: z
            .number()
            .int()
            .optional()
            .describe("Number of GPUs where the documentation names the type; the API does not tell."),
        }),
      )
      .describe("In the API's order."),
  }),

  async call(context, { zone }) {
    const instanceTypes: { id: string; cpu: number; memoryGiB: number; gpus?: number }[] = [];
    for (let offset = 0; ; offset += 100) {
      const request = { limit: 100, offset };
      const answer = await context.session.call(DescribeInstanceTypes, zone, request, context);
      for (const found of answer.instance_type_set.filter(({ status }) => status === "available")) {
        const documented = gpuShapes.find(({ instanceType }) => instanceType === found.instance_type_id);
        instanceTypes.push({
          id: found.instance_type_id,
          cpu: found.vcpus_current,
          memoryGiB: found.memory_current / 1024,
          ...(documented === undefined ? {} : { gpus: documented.gpus }),
        });
      }
      if (offset + 100 >= answer.total_count) return { instanceTypes };
    }
  },
});
