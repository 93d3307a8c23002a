/** Elastic IPs. On a router they come by ModifyRouterAttributes and UpdateRouters, on an instance by AssociateEip. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Eip } from "../../store/resources.ts";
import { needQuota } from "../account/quotas.ts";
import {
  type Context,
  distinct,
  type Effects,
  type Handler,
  type Handlers,
  isGone,
  need,
  needIdle,
  needLease,
  newId,
  renamed,
  startOn,
  timestamp,
  type ZoneState,
} from "../context.ts";
import { insufficientResources, quotaExceeded } from "../errors.ts";
import { filter, page } from "../listing.ts";
import { tagsOf } from "../tags/tags.ts";
import { eipPool, zoneOf } from "../zones/zones.ts";
import { needUnused, resourceOf } from "./association.ts";

const allocateEips: Handler<typeof actions.AllocateEips> = (request, context) => {
  const { store, zone, now } = context;
  needQuota(context, "eip", request.count);
  needQuota(context, "eip_bandwidth", request.count * request.bandwidth);
  const taken = new Set(
    store
      .list("eip", zone)
      .filter((eip) => !isGone(eip))
      .map(({ address }) => address),
  );
  const free = eipPool(zoneOf(zone)).filter((address) => !taken.has(address));
  if (free.length < request.count) {
    throw insufficientResources(`zone [${zone}] has ${free.length} addresses left, ${request.count} wanted`);
  }
  const eips = free.slice(0, request.count).map(
    (address): Eip => ({
      kind: "eip",
      id: newId("eip"),
      zone,
      name: request.eip_name ?? "",
      description: "",
      tagIds: [],
      createTime: now,
      statusTime: now,
      status: "available",
      transition: "",
      address,
      bandwidth: request.bandwidth,
      billingMode: request.billing_mode,
      associateMode: request.associate_mode,
      needIcp: request.need_icp,
    }),
  );
  for (const eip of eips) store.put(eip);
  return { eips: eips.map(({ id }) => id) };
};

const describeEips: Handler<typeof actions.DescribeEips> = (request, context) => {
  const matches = filter(context.store.list("eip", context.zone), request, request.eips).filter(
    (eip) =>
      request.instance_id === undefined || resourceOf(context, eip).resource_id === request.instance_id,
  );
  const { items, total_count } = page(matches, request);
  return {
    eip_set: items.map((eip) => ({
      eip_id: eip.id,
      eip_name: eip.name,
      eip_addr: eip.address,
      description: eip.description,
      bandwidth: eip.bandwidth,
      billing_mode: eip.billingMode,
      associate_mode: eip.associateMode,
      need_icp: eip.needIcp,
      icp_codes: "",
      status: eip.status,
      transition_status: eip.transition,
      sub_code: 0,
      create_time: timestamp(eip.createTime),
      status_time: timestamp(eip.statusTime),
      resource: resourceOf(context, eip),
      eip_group: { eip_group_id: "eipg-00000000", eip_group_name: "BGP multi-line" },
      tags: tagsOf(context, eip),
    })),
    total_count,
  };
};

const releaseEips: Handler<typeof actions.ReleaseEips> = (request, context) => {
  const eips = distinct(request.eips).map((id) => need(context, "eip", id));
  for (const eip of eips) {
    needIdle(eip, "released");
    needUnused(context, eip, "released");
    needLease(eip, context, "released");
  }
  return startOn(context, { action: "ReleaseEips", eips: eips.map(({ id }) => id) }, eips, {
    transition: "releasing",
  });
};

const timesADay = { lowered: 100, rebilled: 2 } as const;
const words = { lowered: ["bandwidth", "lowered"], rebilled: ["billing mode", "changed"] } as const;

/** Counts a change of which there is a limit for a day. */
function count(context: Context, eip: Eip, change: keyof typeof timesADay): void {
  const day = Math.floor(context.now / (24 * 3_600_000));
  const times = (eip[change]?.day === day ? eip[change].times : 0) + 1;
  const limit = timesADay[change];
  const [what, done] = words[change];
  if (times > limit) {
    throw quotaExceeded(
      `the ${what} of eip [${eip.id}] was ${done} ${limit} times today, more is not allowed`,
    );
  }
  context.store.put({ ...eip, [change]: { day, times } });
}

const changeEipsBandwidth: Handler<typeof actions.ChangeEipsBandwidth> = (request, context) => {
  const eips = distinct(request.eips).map((id) => need(context, "eip", id));
  for (const eip of eips) needIdle(eip, "changed");
  needQuota(
    context,
    "eip_bandwidth",
    eips.reduce((sum, eip) => sum + request.bandwidth - eip.bandwidth, 0),
  );
  for (const eip of eips) if (request.bandwidth < eip.bandwidth) count(context, eip, "lowered");
  const ids = eips.map(({ id }) => id);
  return startOn(context, { action: "ChangeEipsBandwidth", eips: ids, bandwidth: request.bandwidth }, eips);
};

const changeEipsBillingMode: Handler<typeof actions.ChangeEipsBillingMode> = (request, context) => {
  const eips = distinct(request.eips).map((id) => need(context, "eip", id));
  for (const eip of eips) {
    needIdle(eip, "changed");
    if (eip.billingMode !== request.billing_mode) count(context, eip, "rebilled");
  }
  const ids = eips.map(({ id }) => id);
  return startOn(
    context,
    { action: "ChangeEipsBillingMode", eips: ids, billingMode: request.billing_mode },
    eips,
  );
};

const modifyEipAttributes: Handler<typeof actions.ModifyEipAttributes> = (request, context) => {
  const eip = need(context, "eip", request.eip);
  context.store.put(renamed(eip, request.eip_name, request.description));
  return { eip_id: eip.id };
};

function change(state: ZoneState, ids: readonly string[], changes: Partial<Eip>): void {
  for (const id of ids) {
    const eip = state.store.get("eip", state.zone, id);
    if (eip !== undefined) state.store.put({ ...eip, ...changes });
  }
}

export const eipHandlers = {
  AllocateEips: allocateEips,
  DescribeEips: describeEips,
  ReleaseEips: releaseEips,
  ChangeEipsBandwidth: changeEipsBandwidth,
  ChangeEipsBillingMode: changeEipsBillingMode,
  ModifyEipAttributes: modifyEipAttributes,
} satisfies Partial<Handlers>;

export const eipEffects: Effects<"ReleaseEips" | "ChangeEipsBandwidth" | "ChangeEipsBillingMode"> = {
  ReleaseEips: {
    complete: (work, state) =>
      change(state, work.eips, { status: "released", transition: "", statusTime: state.now }),
    fail: (work, state) => change(state, work.eips, { transition: "" }),
  },
  ChangeEipsBandwidth: {
    complete: (work, state) => change(state, work.eips, { bandwidth: work.bandwidth }),
    fail: () => undefined,
  },
  ChangeEipsBillingMode: {
    complete: (work, state) => change(state, work.eips, { billingMode: work.billingMode }),
    fail: () => undefined,
  },
};
