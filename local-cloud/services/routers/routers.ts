/** VPC routers. An EIP and statics are inert until UpdateRouters, a security group until ApplySecurityGroup. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Router } from "../../store/resources.ts";
import { accountId } from "../account/account.ts";
import { needQuota } from "../account/quotas.ts";
import {
  type Context,
  distinct,
  type Handler,
  type Handlers,
  need,
  needIdle,
  needLease,
  newId,
  renamed,
  startOn,
  timestamp,
  type ZoneState,
} from "../context.ts";
import { holderOf, needUnused } from "../eips/association.ts";
import { badValue, denied, inUse, missing } from "../errors.ts";
import { filter, page } from "../listing.ts";
import { tagsOf } from "../tags/tags.ts";
import { freePrivateIp } from "../zones/intranet.ts";
import { changeJoin } from "./vxnets.ts";

const vpcNetworks = /^(?:192\.168|172\.(?:1[6-9]|2\d|3[01]))\.0\.0\/16$/;

const createRouters: Handler<typeof actions.CreateRouters> = (request, context) => {
  needQuota(context, "router", request.count);
  if (request.vpc_network === undefined) throw missing("vpc_network");
  const vpcNetwork = request.vpc_network;
  if (!vpcNetworks.test(vpcNetwork)) {
    throw badValue("vpc_network", vpcNetwork, "192.168.0.0/16, 172.16.0.0/16 to 172.31.0.0/16");
  }
  const group =
    request.security_group === undefined
      ? context.store.list("security_group", context.zone).find(({ isDefault }) => isDefault)
      : need(context, "security_group", request.security_group);
  const securityGroupId = group?.id ?? "";
  const routers = Array.from({ length: request.count }, () => {
    const router: Router = {
      kind: "router",
      id: newId("rtr"),
      zone: context.zone,
      name: request.router_name ?? "",
      description: "",
      tagIds: [],
      createTime: context.now,
      statusTime: context.now,
      status: "pending",
      transition: "creating",
      routerType: request.router_type,
      vpcNetwork,
      privateIp: freePrivateIp(context.store, context.zone),
      securityGroupId,
      appliedSecurityGroupId: securityGroupId,
      revision: 0,
      applied: { revision: 0, statics: [] },
    };
    context.store.put(router);
    return router;
  });
  const ids = routers.map(({ id }) => id);
  return { routers: ids, job_id: context.startJob({ action: "CreateRouters", routers: ids }, ids) };
};

const describeRouters: Handler<typeof actions.DescribeRouters> = (request, context) => {
  const vxnets = context.store.list("vxnet", context.zone);
  const ofVxnet = vxnets.find(({ id }) => id === request.vxnet)?.join?.routerId;
  const matches = filter(context.store.list("router", context.zone), request, request.routers).filter(
    ({ id }) => request.vxnet === undefined || id === ofVxnet,
  );
  const { items, total_count } = page(matches, request);
  return {
    router_set: items.map((router) => ({
      router_id: router.id,
      router_name: router.name,
      description: router.description,
      router_type: router.routerType,
      vpc_network: router.vpcNetwork,
      private_ip: router.privateIp ?? "",
      is_applied: router.applied.revision === router.revision ? 1 : 0,
      status: router.status,
      transition_status: router.transition,
      create_time: timestamp(router.createTime),
      status_time: timestamp(router.statusTime),
      security_group_id: router.securityGroupId,
      owner: accountId,
      eip: describeEip(context, router),
      mode: 1,
      features: 0,
      sub_code: 0,
      tags: tagsOf(context, router),
      ...(request.verbose > 0
        ? {
            vxnets: vxnets
              .filter(({ join }) => join?.routerId === router.id)
              .map(({ id }) => ({ vxnet_id: id, nic_id: "" })),
          }
        : {}),
    })),
    total_count,
  };
};

function describeEip(state: ZoneState, router: Router) {
  const eip = router.eipId === undefined ? undefined : state.store.get("eip", state.zone, router.eipId);
  return eip === undefined ? {} : { eip_id: eip.id, eip_name: eip.name, eip_addr: eip.address };
}

const modifyRouterAttributes: Handler<typeof actions.ModifyRouterAttributes> = (request, context) => {
  const before = need(context, "router", request.router);
  const { eipId: eipBefore, ...rest } = before;
  const eipId = request.eip === undefined ? eipBefore : request.eip === "" ? undefined : request.eip;
  if (eipId !== undefined && eipId !== eipBefore) checkEip(context, before, eipId);
  if (request.security_group !== undefined) need(context, "security_group", request.security_group);
  context.store.put({
    ...renamed(rest, request.router_name, request.description),
    ...(eipId === undefined ? {} : { eipId }),
    securityGroupId: request.security_group ?? before.securityGroupId,
    revision: eipId === eipBefore ? before.revision : before.revision + 1,
  });
  const forVxnet = request.features ?? request.dyn_ip_start ?? request.dyn_ip_end;
  if (request.vxnet === undefined && forVxnet !== undefined) throw missing("vxnet");
  if (request.vxnet !== undefined) changeJoin(context, before, { ...request, vxnet: request.vxnet });
  return { router_id: before.id };
};

/** A router takes an EIP that nothing else has, that is meant for outside, and one at a time. */
function checkEip(state: ZoneState, router: Router, eipId: string): void {
  const eip = need(state, "eip", eipId);
  if (router.status === "pending" || router.transition === "deleting") {
    throw denied(
      `router [${router.id}] is ${router.transition}, eip [${eipId}] can not be associated with it`,
    );
  }
  needIdle(eip, `associated with router [${router.id}]`);
  if (holderOf(state, eipId)?.id !== router.id) {
    needUnused(state, eip, `associated with router [${router.id}]`);
  }
  if (router.eipId !== undefined) {
    throw denied(
      `router [${router.id}] has eip [${router.eipId}], eip [${eipId}] can not be associated with it too`,
    );
  }
  if (eip.associateMode === 1) {
    throw denied(`eip [${eipId}] has associate_mode 1, can not be associated with router [${router.id}]`);
  }
}

/** A change that UpdateRouters has to put into effect. */
export function touch(context: Context, routerId: string): void {
  const router = need(context, "router", routerId);
  context.store.put({ ...router, revision: router.revision + 1 });
}

const updateRouters: Handler<typeof actions.UpdateRouters> = (request, context) => {
  const { store, zone } = context;
  const routers = distinct(request.routers).map((id) => need(context, "router", id));
  const configurations = routers.map((router) => {
    needIdle(router, "updated");
    if (router.status !== "active") throw denied(`router [${router.id}] is not active, can not be updated`);
    const changes = [router.applied.eipId, router.eipId];
    const [from, to] = changes;
    if (from !== to) {
      mark(context, from, "dissociating");
      mark(context, to, "associating");
    }
    store.put({ ...router, transition: "updating" });
    const statics = store.list("router_static", zone).filter(({ routerId }) => routerId === router.id);
    const eip = to === undefined ? {} : { eipId: to };
    return { id: router.id, configuration: { revision: router.revision, ...eip, statics } };
  });
  return startOn(context, { action: "UpdateRouters", routers: configurations }, routers);
};

function mark(state: ZoneState, eipId: string | undefined, transition: string): void {
  const eip = eipId === undefined ? undefined : state.store.get("eip", state.zone, eipId);
  if (eip === undefined) return;
  needIdle(eip, "changed");
  state.store.put({ ...eip, transition });
}

const deleteRouters: Handler<typeof actions.DeleteRouters> = (request, context) => {
  const routers = distinct(request.routers).map((id) => need(context, "router", id));
  for (const router of routers) {
    needIdle(router, "deleted");
    const vxnets = context.store
      .list("vxnet", context.zone)
      .filter(({ join, busyWithRouter }) => join?.routerId === router.id || busyWithRouter === router.id)
      .map(({ id }) => id);
    const eips = distinct([router.eipId, router.applied.eipId].filter((id) => id !== undefined));
    const users = [...vxnets, ...eips];
    if (users.length > 0) throw inUse("router", router.id, users, "deleted");
    needLease(router, context, "deleted");
    context.store.put({ ...router, transition: "deleting" });
  }
  const ids = routers.map(({ id }) => id);
  return { routers: ids, ...startOn(context, { action: "DeleteRouters", routers: ids }, routers) };
};

const powerOnRouters: Handler<typeof actions.PowerOnRouters> = (request, context) =>
  power(context, request.routers, "PowerOnRouters");

const powerOffRouters: Handler<typeof actions.PowerOffRouters> = (request, context) =>
  power(context, request.routers, "PowerOffRouters");

function power(
  context: Context,
  routerIds: readonly string[],
  action: "PowerOnRouters" | "PowerOffRouters",
): { job_id: string; routers: string[] } {
  const isOn = action === "PowerOnRouters";
  const routers = distinct(routerIds).map((id) => need(context, "router", id));
  for (const router of routers) {
    const doing = isOn ? "powered on" : "powered off";
    needIdle(router, doing);
    const needed = isOn ? "poweroffed" : "active";
    if (router.status !== needed) throw denied(`router [${router.id}] is not ${needed}, can not be ${doing}`);
    context.store.put({ ...router, transition: isOn ? "poweroning" : "poweroffing" });
  }
  const ids = routers.map(({ id }) => id);
  return { routers: ids, ...startOn(context, { action, routers: ids }, routers) };
}

export const routerHandlers = {
  CreateRouters: createRouters,
  DescribeRouters: describeRouters,
  ModifyRouterAttributes: modifyRouterAttributes,
  UpdateRouters: updateRouters,
  DeleteRouters: deleteRouters,
  PowerOnRouters: powerOnRouters,
  PowerOffRouters: powerOffRouters,
} satisfies Partial<Handlers>;
