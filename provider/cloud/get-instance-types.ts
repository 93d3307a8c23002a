import { z } from "zod";
import { DescribeInstanceTypes } from "../../qingcloud/actions.ts";
import { gpuShapes } from "../../qingcloud/gpu-shapes.ts";
import { defineFunction } from "../function.ts";
import { listAll } from "./listing.ts";
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
    const found = await listAll(context, DescribeInstanceTypes, zone, {}, "instance_type_set");
    return {
      instanceTypes: found
        .filter(({ status }) => status === "available")
        .map(({ instance_type_id: id, vcpus_current: cpu, memory_current: memory }) => {
          const documented = gpuShapes.find(({ instanceType }) => instanceType === id);
          return {
            id,
            cpu,
            memoryGiB: memory / 1024,
            ...(documented === undefined ? {} : { gpus: documented.gpus }),
          };
        }),
    };
  },
});
