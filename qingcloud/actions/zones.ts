import { z } from "zod";
import { action, ids, int, page, pageOf, text } from "../action.ts";

export const zoneStatus = z.enum(["active", "faulty", "defunct"]);

export const DescribeZones = action(
  "DescribeZones",
  { zones: ids.optional(), status: z.array(zoneStatus).optional() },
  pageOf("zone_set", z.looseObject({ zone_id: text, status: zoneStatus })),
);

export const jobStatus = z.enum(["pending", "working", "failed", "successful", "done with failure"]);

export const DescribeJobs = action(
  "DescribeJobs",
  {
    ...page,
    jobs: ids.optional(),
    status: z.array(jobStatus).optional(),
    owner: text.optional(),
    job_action: text.optional(),
    verbose: int.default(0),
  },
  pageOf(
    "job_set",
    z.looseObject({
      job_id: text,
      job_action: text,
      status: jobStatus,
      /** Space-separated. */
      resource_ids: text,
      create_time: text,
      status_time: text,
      error_codes: text.optional(),
    }),
  ),
);

/** A resource without an active lease cannot be deleted; the lease appears some seconds after creation. */
export const GetLeaseInfo = action(
  "GetLeaseInfo",
  { resource: text, user: text.optional() },
  {
    resource_id: text.optional(),
    lease_info: z.looseObject({
      resource_id: text.optional(),
      status: text.optional(),
      /** The price is a number or a number's text. */
      contract: z
        .looseObject({ price: z.union([text, z.number()]).optional(), duration: text.optional() })
        .optional(),
    }),
  },
);

/** What one account, router or instance may have at most. Undocumented: names from the official Go SDK. */
export const GetResourceLimit = action(
  "GetResourceLimit",
  {
    /** Whose sizes `min_volume_size` and `max_volume_size` are, in GB. */
    volume_type: int.default(0),
  },
  {
    resource_limits: z.looseObject({
      gpu_zones: ids.nullish(),
      max_gpu_count: int.nullish(),
      max_eip_bandwidth: int.nullish(),
      max_eip_count: int.nullish(),
      max_instance_count: int.nullish(),
      max_router_count: int.nullish(),
      max_router_entries: int.nullish(),
      max_router_statics: int.nullish(),
      max_router_vxnets: int.nullish(),
      max_security_group_rules: int.nullish(),
      max_volume_count: int.nullish(),
      max_volume_per_inst: int.nullish(),
      min_volume_size: int.nullish(),
      max_volume_size: int.nullish(),
      volume_step: int.nullish(),
      valid_volume_types: z.array(int).nullish(),
      max_vxnet_count: int.nullish(),
      valid_instance_classes: z.array(int).nullish(),
      valid_cpu_cores: z.array(int).nullish(),
      /** MB. */
      valid_memory_size: z.array(int).nullish(),
    }),
  },
);

/** The documentation's sample is no JSON: an array of one object here. */
export const DescribeQuotas = action(
  "DescribeQuotas",
  {},
  { user_id: text, quota_set: z.array(z.record(text, int)) },
);

export const GetQuotaLeft = action(
  "GetQuotaLeft",
  { resource_types: ids.optional() },
  { quota_left_set: z.array(z.looseObject({ resource_type: text, left: int })) },
);
