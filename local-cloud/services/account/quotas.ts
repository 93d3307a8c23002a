/** How much of each resource a zone gives to the account. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Instance } from "../../store/resources.ts";
import { type Context, type Handler, type Handlers, isGone, type ZoneState } from "../context.ts";
import { badValue, quotaExceeded } from "../errors.ts";
import { accountId } from "./account.ts";
import { defaultQuotas, isQuota, limits, type Quota } from "./limits.ts";

function used(state: ZoneState, quota: Quota): number {
  const { store, zone } = state;
  const instances = (count: (instance: Instance) => number): number =>
    store.list("instance", zone).reduce((sum, item) => sum + (isGone(item) ? 0 : count(item)), 0);
  switch (quota) {
    case "instance":
      return instances(() => 1);
    case "cpu":
      return instances(({ cpu }) => cpu);
    case "memory":
      return instances(({ memory }) => memory);
    case "eip_bandwidth":
      return store.list("eip", zone).reduce((sum, eip) => sum + (isGone(eip) ? 0 : eip.bandwidth), 0);
    case "volume_size":
      return store.list("volume", zone).reduce((sum, item) => sum + (isGone(item) ? 0 : item.size), 0);
    case "vxnet":
      return store.list("vxnet", zone).filter(({ vxnetType }) => vxnetType !== 2).length;
    case "security_group":
      return store.list("security_group", zone).filter(({ isDefault }) => !isDefault).length;
    default:
      return store.list(quota, zone).filter((resource) => !isGone(resource)).length;
  }
}

/** Refuses what is more than is left. */
export function needQuota(context: Context, quota: Quota, wanted: number): void {
  const left = leftOf(context, quota);
  if (wanted > left) {
    throw quotaExceeded(
      `${wanted} of [${quota}] wanted in zone [${context.zone}], ${left} of ${context.quotas[quota]} left`,
    );
  }
}

/** Nothing is left where a lowered quota is below what there is already. */
function leftOf(context: Context, quota: Quota): number {
  return Math.max(0, context.quotas[quota] - used(context, quota));
}

/** Refuses what one resource can not hold. @param where e.g. `router [rtr-…]` */
export function needRoom(limit: keyof typeof limits, wanted: number, where: string): void {
  if (wanted > limits[limit]) {
    throw quotaExceeded(`${wanted} of [${limit}] wanted in ${where}, ${limits[limit]} allowed`);
  }
}

const getQuotaLeft: Handler<typeof actions.GetQuotaLeft> = (request, context) => ({
  quota_left_set: (request.resource_types ?? Object.keys(defaultQuotas)).map((name, index) => {
    if (!isQuota(name)) {
      throw badValue(`resource_types.${index + 1}`, name, Object.keys(defaultQuotas).join(", "));
    }
    return { resource_type: name, left: leftOf(context, name) };
  }),
});

const describeQuotas: Handler<typeof actions.DescribeQuotas> = (_, { quotas }) => ({
  user_id: accountId,
  quota_set: [{ ...quotas }],
});

export const quotaHandlers = {
  DescribeQuotas: describeQuotas,
  GetQuotaLeft: getQuotaLeft,
} satisfies Partial<Handlers>;
