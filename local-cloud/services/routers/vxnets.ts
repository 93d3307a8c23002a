/** How vxnets join a router and leave it. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Join, Router, Vxnet } from "../../store/resources.ts";
import { needRoom } from "../account/quotas.ts";
import {
  formatAddress,
  isInside,
  type NetworkRange,
  overlap,
  parseAddress,
  parseNetwork,
} from "../addresses.ts";
import {
  distinct,
  type Effects,
  type Handler,
  type Handlers,
  need,
  needIdle,
  timestamp,
  type ZoneState,
} from "../context.ts";
import { badValue, denied } from "../errors.ts";
import { page } from "../listing.ts";
import { freeAddress } from "../vxnets/addresses.ts";
import { targetNetworks } from "./statics/values.ts";

const joinRouter: Handler<typeof actions.JoinRouter> = (request, context) => {
  const router = need(context, "router", request.router);
  const vxnet = need(context, "vxnet", request.vxnet);
  needIdle(router, "joined by a vxnet");
  if (vxnet.vxnetType !== 1) {
    throw denied(`vxnet [${vxnet.id}] is not managed, can not be joined to router [${router.id}]`);
  }
  const other = vxnet.join?.routerId ?? vxnet.busyWithRouter;
  if (other !== undefined) {
    throw denied(`vxnet [${vxnet.id}] is in router [${other}], can not be joined to router [${router.id}]`);
  }
  const joined = context.store.list("vxnet", context.zone).filter(({ join }) => join?.routerId === router.id);
  needRoom("router_vxnets", joined.length + 1, `router [${router.id}]`);
  const range = checkNetwork(context, router, request.ip_network);
  const address = (offset: number): string => formatAddress(range.first + offset);
  const join: Join = {
    routerId: router.id,
    network: request.ip_network,
    managerIp: request.manager_ip ?? address(1),
    dynIpStart: request.dyn_ip_start ?? address(2),
    dynIpEnd: request.dyn_ip_end ?? address(254),
    features: request.features,
    createTime: context.now,
  };
  checkJoin(join, range);
  context.store.put({ ...router, transition: "updating" });
  context.store.put({ ...vxnet, busyWithRouter: router.id });
  const job_id = context.startJob({ action: "JoinRouter", vxnet: vxnet.id, join }, [router.id, vxnet.id]);
  return { job_id, router_id: router.id, vxnet_id: vxnet.id };
};

function checkNetwork(state: ZoneState, router: Router, text: string): NetworkRange {
  const range = parseNetwork(text);
  const vpc = parseNetwork(router.vpcNetwork);
  if (range?.prefix !== 24 || vpc === undefined || !isInside(vpc, range.first)) {
    throw badValue(
      "ip_network",
      text,
      `a /24 inside [${router.vpcNetwork}], the network of router [${router.id}]`,
    );
  }
  for (const { id, join } of state.store.list("vxnet", state.zone)) {
    const other = join?.routerId === router.id ? parseNetwork(join.network) : undefined;
    if (other !== undefined && overlap(range, other)) {
      throw badValue(
        "ip_network",
        text,
        `a network that does not overlap [${join?.network}] of vxnet [${id}]`,
      );
    }
  }
  for (const item of state.store.list("router_static", state.zone)) {
    const target =
      item.routerId === router.id
        ? targetNetworks(item).find((each) => overlap(each.range, range))
        : undefined;
    if (target !== undefined) {
      throw badValue(
        "ip_network",
        text,
        `a network that does not overlap [${target.text}], which router static [${item.id}] reaches by a tunnel`,
      );
    }
  }
  return range;
}

function checkJoin(join: Join, range: NetworkRange): void {
  const hosts = { ...range, first: range.first + 1, last: range.last - 1 };
  const given = { manager_ip: join.managerIp, dyn_ip_start: join.dynIpStart, dyn_ip_end: join.dynIpEnd };
  for (const [name, text] of Object.entries(given)) {
    const value = parseAddress(text);
    if (value === undefined || !isInside(hosts, value)) {
      throw badValue(
        name,
        text,
        `an address from ${formatAddress(hosts.first)} to ${formatAddress(hosts.last)}`,
      );
    }
  }
  if ((parseAddress(join.dynIpEnd) ?? 0) < (parseAddress(join.dynIpStart) ?? 0)) {
    throw badValue(
      "dyn_ip_end",
      join.dynIpEnd,
      `an address from ${join.dynIpStart} to ${formatAddress(hosts.last)}`,
    );
  }
}

/** 1 turns DHCP on, 2 DNS, 3 both, 0 DHCP off. */
function changeFeatures(before: number, wanted: number | undefined): number {
  if (wanted === undefined) return before;
  return wanted === 0 ? before & ~1 : before | wanted;
}

/** Changes what DHCP and DNS do in a joined vxnet. */
export function changeJoin(
  state: ZoneState,
  router: Router,
  request: {
    readonly vxnet: string;
    readonly features?: number | undefined;
    readonly dyn_ip_start?: string | undefined;
    readonly dyn_ip_end?: string | undefined;
  },
): void {
  const vxnet = need(state, "vxnet", request.vxnet);
  const before = needJoin(vxnet, router.id);
  const join: Join = {
    ...before,
    features: changeFeatures(before.features, request.features),
    dynIpStart: request.dyn_ip_start ?? before.dynIpStart,
    dynIpEnd: request.dyn_ip_end ?? before.dynIpEnd,
  };
  const range = parseNetwork(join.network);
  if (range !== undefined) checkJoin(join, range);
  state.store.put({ ...vxnet, join });
}

function needJoin(vxnet: Vxnet, routerId: string): Join {
  if (vxnet.join?.routerId !== routerId) {
    throw denied(`vxnet [${vxnet.id}] is not in router [${routerId}], can not be changed or left`);
  }
  return vxnet.join;
}

const leaveRouter: Handler<typeof actions.LeaveRouter> = (request, context) => {
  const router = need(context, "router", request.router);
  needIdle(router, "left by a vxnet");
  const vxnets = distinct(request.vxnets).map((id) => need(context, "vxnet", id));
  for (const vxnet of vxnets) {
    needJoin(vxnet, router.id);
    context.store.put({ ...vxnet, busyWithRouter: router.id });
  }
  context.store.put({ ...router, transition: "updating" });
  const ids = vxnets.map(({ id }) => id);
  const job_id = context.startJob({ action: "LeaveRouter", router: router.id, vxnets: ids }, [
    router.id,
    ...ids,
  ]);
  return { job_id, router_id: router.id, vxnets: ids };
};

const describeRouterVxnets: Handler<typeof actions.DescribeRouterVxnets> = (request, context) => {
  const matches = context.store
    .list("vxnet", context.zone)
    .flatMap(({ id, name, join }) => (join === undefined ? [] : [{ id, name, join }]))
    .filter(({ join }) => request.router === "*" || join.routerId === request.router)
    .filter(({ id }) => request.vxnet === undefined || request.vxnet === id);
  const { items, total_count } = page(matches, request);
  return {
    router_vxnet_set: items.map(({ id, name, join }) => ({
      router_id: join.routerId,
      vxnet_id: id,
      vxnet_name: name,
      manager_ip: join.managerIp,
      ip_network: join.network,
      dyn_ip_start: join.dynIpStart,
      dyn_ip_end: join.dynIpEnd,
      features: join.features,
      create_time: timestamp(join.createTime),
    })),
    total_count,
  };
};

export const routerVxnetHandlers = {
  JoinRouter: joinRouter,
  LeaveRouter: leaveRouter,
  DescribeRouterVxnets: describeRouterVxnets,
} satisfies Partial<Handlers>;

function endChange(
  state: ZoneState,
  routerId: string,
  vxnetIds: readonly string[],
  join?: Join | "keep",
): void {
  const router = state.store.get("router", state.zone, routerId);
  if (router !== undefined) state.store.put({ ...router, transition: "" });
  for (const id of vxnetIds) {
    const vxnet = state.store.get("vxnet", state.zone, id);
    if (vxnet === undefined) continue;
    const { busyWithRouter: _, join: before, ...rest } = vxnet;
    const after = join === "keep" ? before : join;
    state.store.put({ ...rest, ...(after === undefined ? {} : { join: after }) });
  }
}

/** Gives every interface in the vxnet an address by DHCP, or none while the vxnet is in no router. */
function readdress(state: ZoneState, vxnetIds: readonly string[]): void {
  for (const vxnetId of vxnetIds) {
    const vxnet = state.store.get("vxnet", state.zone, vxnetId);
    for (const instance of state.store.list("instance", state.zone)) {
      if (vxnet === undefined || !instance.nics.some((nic) => nic.vxnetId === vxnetId)) continue;
      const address = freeAddress(state, vxnet, new Set());
      const nics = instance.nics.map((nic) => (nic.vxnetId === vxnetId ? { ...nic, address } : nic));
      state.store.put({ ...instance, nics });
    }
  }
}

export const routerVxnetEffects: Effects<"JoinRouter" | "LeaveRouter"> = {
  JoinRouter: {
    complete(work, state) {
      endChange(state, work.join.routerId, [work.vxnet], work.join);
      readdress(state, [work.vxnet]);
    },
    fail: (work, state) => endChange(state, work.join.routerId, [work.vxnet]),
  },
  LeaveRouter: {
    complete(work, state) {
      endChange(state, work.router, work.vxnets);
      readdress(state, work.vxnets);
    },
    fail: (work, state) => endChange(state, work.router, work.vxnets, "keep"),
  },
};
