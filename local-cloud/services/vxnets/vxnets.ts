/** VxNets: subnets that instances join and that join a router. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Instance, Vxnet } from "../../store/resources.ts";
import { accountId } from "../account/account.ts";
import { needQuota } from "../account/quotas.ts";
import {
  distinct,
  type Effects,
  type Handler,
  type Handlers,
  isGone,
  need,
  needIdle,
  newId,
  renamed,
  timestamp,
  unfinishedWork,
  type ZoneState,
} from "../context.ts";
import { badValue, denied, inUse } from "../errors.ts";
import { filter, page } from "../listing.ts";
import { defaultSecurityGroup } from "../security-groups/security-groups.ts";
import { tagsOf } from "../tags/tags.ts";
import { availableCount, newNic } from "./addresses.ts";
import { dhcpOptionsOf } from "./dhcp-and-dns.ts";

const createVxnets: Handler<typeof actions.CreateVxnets> = (request, context) => {
  needQuota(context, "vxnet", request.count);
  const vxnets = Array.from(
    { length: request.count },
    (): Vxnet => ({
      kind: "vxnet",
      id: newId("vxnet"),
      zone: context.zone,
      name: request.vxnet_name ?? "",
      description: "",
      tagIds: [],
      createTime: context.now,
      vxnetType: request.vxnet_type,
    }),
  );
  for (const vxnet of vxnets) context.store.put(vxnet);
  return { vxnets: vxnets.map(({ id }) => id) };
};

/** Instances with an interface in the vxnet; those in the recycle bin keep theirs. */
function instancesIn(state: ZoneState, id: string): Instance[] {
  return state.store
    .list("instance", state.zone)
    .filter((item) => item.nics.some((nic) => nic.vxnetId === id));
}

function liveIn(state: ZoneState, id: string): Instance[] {
  return instancesIn(state, id).filter((item) => !isGone(item));
}

function joiningInstances(state: ZoneState, id: string): string[] {
  return unfinishedWork(state)
    .flatMap((work) => (work.action === "JoinVxnet" ? work.nics : []))
    .filter(({ nic }) => nic.vxnetId === id)
    .map(({ instance }) => instance);
}

const describeVxnets: Handler<typeof actions.DescribeVxnets> = (request, context) => {
  const matches = filter(context.store.list("vxnet", context.zone), request, request.vxnets).filter(
    ({ vxnetType }) => request.vxnet_type === undefined || request.vxnet_type === vxnetType,
  );
  const { items, total_count } = page(matches, request);
  return {
    vxnet_set: items.map((vxnet) => ({
      vxnet_id: vxnet.id,
      vxnet_name: vxnet.name,
      vxnet_type: vxnet.vxnetType,
      description: vxnet.description,
      create_time: timestamp(vxnet.createTime),
      vpc_router_id: vxnet.join?.routerId ?? "",
      zone_id: vxnet.zone,
      owner: accountId,
      available_ip_count: availableCount(context, vxnet),
      tags: tagsOf(context, vxnet),
      router: routerOf(context, vxnet),
      ...(request.verbose > 0 ? { instance_ids: liveIn(context, vxnet.id).map(({ id }) => id) } : {}),
    })),
    total_count,
  };
};

function routerOf(state: ZoneState, { join }: Vxnet) {
  if (join === undefined) return {};
  return {
    router_id: join.routerId,
    router_name: state.store.get("router", state.zone, join.routerId)?.name ?? "",
    manager_ip: join.managerIp,
    ip_network: join.network,
    dyn_ip_start: join.dynIpStart,
    dyn_ip_end: join.dynIpEnd,
    mode: 1,
  };
}

const modifyVxnetAttributes: Handler<typeof actions.ModifyVxnetAttributes> = (request, context) => {
  const vxnet = need(context, "vxnet", request.vxnet);
  context.store.put(renamed(vxnet, request.vxnet_name, request.description));
  return {};
};

const deleteVxnets: Handler<typeof actions.DeleteVxnets> = (request, context) => {
  const vxnets = distinct(request.vxnets).map((id) => need(context, "vxnet", id));
  for (const vxnet of vxnets) {
    if (vxnet.vxnetType === 2) throw denied(`vxnet [${vxnet.id}] is the base network, can not be deleted`);
    const router = vxnet.join?.routerId ?? vxnet.busyWithRouter;
    const users = [
      ...(router === undefined ? [] : [router]),
      ...instancesIn(context, vxnet.id).map(({ id, status }) =>
        status === "terminated" ? `${id} in the recycle bin` : id,
      ),
      ...joiningInstances(context, vxnet.id),
    ];
    if (users.length > 0) throw inUse("vxnet", vxnet.id, users, "deleted");
    context.store.remove(vxnet);
  }
  return { vxnets: vxnets.map(({ id }) => id) };
};

const joinVxnet: Handler<typeof actions.JoinVxnet> = (request, context) => {
  const instances = distinct(request.instances).map((id) => need(context, "instance", id));
  if (request.vxnet.includes("|") && instances.length > 1) {
    throw badValue("vxnet", request.vxnet, "vxnet-id|address for one instance only");
  }
  const reserved = new Set<string>();
  const nics = instances.map((instance) => {
    needIdle(instance, "joined to a vxnet");
    const nic = newNic(context, request.vxnet, "vxnet", reserved);
    checkJoin(context, instance, nic.vxnetId);
    return { instance: instance.id, nic };
  });
  const ids = instances.map(({ id }) => id);
  const [vxnet = ""] = request.vxnet.split("|");
  return { job_id: context.startJob({ action: "JoinVxnet", nics }, [vxnet, ...ids]) };
};

/** An instance is in a vxnet once and in one managed vxnet at most. */
function checkJoin(state: ZoneState, instance: Instance, vxnetId: string): void {
  const present = [...instance.nics.map((nic) => nic.vxnetId), ...vxnetsBeingJoined(state, instance.id)];
  if (present.includes(vxnetId)) {
    throw denied(`instance [${instance.id}] is in vxnet [${vxnetId}] already, can not be joined to it`);
  }
  if (state.store.get("vxnet", state.zone, vxnetId)?.vxnetType !== 1) return;
  const other = present.find((id) => state.store.get("vxnet", state.zone, id)?.vxnetType === 1);
  if (other !== undefined) {
    throw denied(
      `instance [${instance.id}] is in managed vxnet [${other}], can not be joined to managed vxnet [${vxnetId}]`,
    );
  }
}

function vxnetsBeingJoined(state: ZoneState, instance: string): string[] {
  return unfinishedWork(state)
    .flatMap((work) => (work.action === "JoinVxnet" ? work.nics : []))
    .filter((joining) => joining.instance === instance)
    .map(({ nic }) => nic.vxnetId);
}

const leaveVxnet: Handler<typeof actions.LeaveVxnet> = (request, context) => {
  const vxnet = need(context, "vxnet", request.vxnet);
  const instances = distinct(request.instances).map((id) => need(context, "instance", id));
  for (const instance of instances) {
    needIdle(instance, "taken out of a vxnet");
    if (!instance.nics.some((nic) => nic.vxnetId === vxnet.id)) {
      throw denied(`instance [${instance.id}] is not in vxnet [${vxnet.id}], can not leave it`);
    }
  }
  const ids = instances.map(({ id }) => id);
  return {
    job_id: context.startJob({ action: "LeaveVxnet", vxnet: vxnet.id, instances: ids }, [vxnet.id, ...ids]),
  };
};

const describeVxnetInstances: Handler<typeof actions.DescribeVxnetInstances> = (request, context) => {
  const matches = filter(instancesIn(context, request.vxnet), request, request.instances).filter(
    (item) =>
      (request.instance_type === undefined || request.instance_type.includes(item.instanceType)) &&
      (request.image === undefined || request.image.includes(item.imageId)),
  );
  const { items, total_count } = page(matches, request);
  return {
    instance_set: items.map((instance) => {
      const nic = instance.nics.find(({ vxnetId }) => vxnetId === request.vxnet);
      return {
        instance_id: instance.id,
        instance_name: instance.name,
        instance_type: instance.instanceType,
        vxnet_id: request.vxnet,
        private_ip: nic?.address ?? "",
        nic_id: nic?.mac ?? "",
        sequence: instance.nics.findIndex(({ vxnetId }) => vxnetId === request.vxnet),
        image_id: instance.imageId,
        description: instance.description,
        vcpus_current: instance.cpu,
        memory_current: instance.memory,
        status: instance.status,
        transition_status: instance.transition,
        sub_code: 0,
        create_time: timestamp(instance.createTime),
        status_time: timestamp(instance.statusTime),
        dhcp_options: describeDhcpOptions(context, request.vxnet, instance.id),
      };
    }),
    total_count,
  };
};

/** The static in effect that gives the instance DHCP options. */
function describeDhcpOptions(state: ZoneState, vxnetId: string, instanceId: string) {
  const routerId = state.store.get("vxnet", state.zone, vxnetId)?.join?.routerId;
  const router = routerId === undefined ? undefined : state.store.get("router", state.zone, routerId);
  const found = router && dhcpOptionsOf(router.applied.statics, instanceId)?.static;
  return found === undefined ? {} : { router_static_id: found.id, val2: found.values.val2 };
}

export const vxnetHandlers = {
  CreateVxnets: createVxnets,
  DescribeVxnets: describeVxnets,
  ModifyVxnetAttributes: modifyVxnetAttributes,
  JoinVxnet: joinVxnet,
  LeaveVxnet: leaveVxnet,
  DeleteVxnets: deleteVxnets,
  DescribeVxnetInstances: describeVxnetInstances,
} satisfies Partial<Handlers>;

export const vxnetEffects: Effects<"JoinVxnet" | "LeaveVxnet"> = {
  JoinVxnet: {
    complete(work, state) {
      const { store, zone } = state;
      for (const { instance: id, nic } of work.nics) {
        const instance = store.get("instance", zone, id);
        if (instance === undefined || isGone(instance)) continue;
        const isUnguarded = nic.vxnetId === "vxnet-0" && instance.securityGroupId === "";
        const group = isUnguarded ? { securityGroupId: defaultSecurityGroup(state) } : {};
        store.put({ ...instance, ...group, nics: [...instance.nics, nic] });
      }
    },
    fail: () => undefined,
  },
  LeaveVxnet: {
    complete(work, state) {
      const { store, zone } = state;
      for (const id of work.instances) {
        const instance = store.get("instance", zone, id);
        if (instance === undefined) continue;
        // The default group is the base network's: it does not come along into other vxnets.
        const isLeft = work.vxnet === "vxnet-0" && instance.securityGroupId === defaultSecurityGroup(state);
        const nics = instance.nics.filter(({ vxnetId }) => vxnetId !== work.vxnet);
        store.put({ ...instance, ...(isLeft ? { securityGroupId: "" } : {}), nics });
      }
    },
    fail: () => undefined,
  },
};
