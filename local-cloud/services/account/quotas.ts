/** How much of each resource a zone gives to the account. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Instance } from "../../store/resources.ts";
import { type Context, type Handler, type Handlers, isGone, type ZoneState } from "../context.ts";
import { badValue, quotaExceeded } from "../errors.ts";
import { accountId } from "./account.ts";

/** Memory is in MB, bandwidth in Mbit/s, volume_size in GB. There is no documented key for GPUs. */
export const defaultQuotas = {
  instance: 100,
  cpu: 1024,
  memory: 4_194_304,
  eip: 100,
  eip_bandwidth: 20_000,
  router: 50,
  vxnet: 100,
  keypair: 200,
  security_group: 100,
  volume: 100,
  volume_size: 50_000,
  tag: 100,
} as const;

/** What one resource can hold. Documented are 800 tunnels of each type in a router, the rest is ours. */
export const limits = {
  /** Of each type, in one router. */
  router_statics: 800,
  router_static_entries: 253,
  router_vxnets: 253,
  security_group_rules: 100,
  instance_volumes: 10,
} as const;

type Quota = keyof typeof defaultQuotas;
export type Quotas = Readonly<Record<Quota, number>>;

/**
 * Quotas other than the usual ones.
 * @param setting e.g. `instance=2000,cpu=4096`
 */
export function readQuotas(setting: string): Partial<Quotas> {
  const pairs = setting.split(",").map((text) => {
    const [, name = "", amount] = /^([a-z_]+)=(\d{1,9})$/.exec(text.trim()) ?? [];
    if (!isQuota(name)) {
      const names = Object.keys(defaultQuotas).join(", ");
      throw new Error(
        `--quota ${setting}: must be NAME=NUMBER[,NAME=NUMBER…], e.g. instance=2000; "${text}" is not, names are ${names}`,
      );
    }
    return [name, Number(amount)] as const;
  });
  return Object.fromEntries(pairs);
}

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

function isQuota(name: string): name is Quota {
  return Object.hasOwn(defaultQuotas, name);
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
