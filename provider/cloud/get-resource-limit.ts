import { z } from "zod";
import { GetResourceLimit } from "../../qingcloud/actions.ts";
import { defineFunction } from "../function.ts";
import { zoneInput } from "./naming.ts";

const count = z.number().int().optional();

export const getResourceLimit = defineFunction({
  token: "qingcloud:cloud:getResourceLimit",
  description:
    "What one account, router or instance may have at most. The API documents none of these; what it does not answer is absent.",
  arguments: z.strictObject({ zone: zoneInput }),
  result: z.object({
    gpuZones: z.array(z.string()).optional().describe("Zones with GPU hosts."),
    maxGpus: count.describe("GPUs of an instance."),
    maxEipBandwidth: count.describe("Mbit/s of an EIP."),
    maxRouterStatics: count.describe("Statics of a router."),
    maxRouterVxnets: count.describe("Vxnets of a router."),
    maxSecurityGroupRules: count.describe("Rules of a security group."),
    maxVolumesPerInstance: count.describe("Volumes at an instance."),
    validCpus: z
      .array(z.number().int())
      .optional()
      .describe("Numbers of virtual CPUs that an instance can have."),
    validMemoryMiB: z.array(z.number().int()).optional().describe("MiB that an instance can have."),
  }),

  async call(context, { zone }) {
    const { resource_limits: limits } = await context.session.call(GetResourceLimit, zone, {}, context);
    return {
      gpuZones: limits.gpu_zones ?? undefined,
      maxGpus: limits.max_gpu_count ?? undefined,
      maxEipBandwidth: limits.max_eip_bandwidth ?? undefined,
      maxRouterStatics: limits.max_router_statics ?? undefined,
      maxRouterVxnets: limits.max_router_vxnets ?? undefined,
      maxSecurityGroupRules: limits.max_security_group_rules ?? undefined,
      maxVolumesPerInstance: limits.max_volume_per_inst ?? undefined,
      validCpus: limits.valid_cpu_cores ?? undefined,
      validMemoryMiB: limits.valid_memory_size ?? undefined,
    };
  },
});
