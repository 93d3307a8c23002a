/** GetResourceLimit: what this cloud enforces, from where it is enforced. The real values are not documented. */

import { bandwidth } from "../../qingcloud/actions/eips.ts";
import { instanceClass } from "../../qingcloud/actions/instances.ts";
import type * as actions from "../../qingcloud/actions.ts";
import { limits } from "./account/limits.ts";
import type { Handler, Handlers } from "./context.ts";
import { cpus, memories } from "./instances/shapes.ts";
import { readVolumeType, sizeStep, volumeTypes } from "./volumes/types.ts";
import { zoneOf, zones } from "./zones/zones.ts";

const getResourceLimit: Handler<typeof actions.GetResourceLimit> = (request, context) => {
  const { quotas } = context;
  const volumeType = readVolumeType(request.volume_type);
  return {
    resource_limits: {
      gpu_zones: zones.filter(({ gpus }) => gpus > 0).map(({ id }) => id),
      max_gpu_count: zoneOf(context.zone).gpus,
      max_eip_bandwidth: bandwidth.maxValue,
      max_eip_count: quotas.eip,
      max_instance_count: quotas.instance,
      max_router_count: quotas.router,
      max_router_entries: limits.router_static_entries,
      max_router_statics: limits.router_statics,
      max_router_vxnets: limits.router_vxnets,
      max_security_group_rules: limits.security_group_rules,
      max_vxnet_count: quotas.vxnet,
      max_volume_count: quotas.volume,
      max_volume_per_inst: limits.instance_volumes,
      min_volume_size: volumeType.minimum,
      max_volume_size: volumeType.maximum,
      volume_step: sizeStep,
      valid_volume_types: volumeTypes.map(({ type }) => type),
      valid_instance_classes: [...instanceClass.values],
      valid_cpu_cores: [...cpus],
      valid_memory_size: [...memories],
    },
  };
};

export const resourceLimitHandlers = { GetResourceLimit: getResourceLimit } satisfies Partial<Handlers>;
