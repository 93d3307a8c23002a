/** Instances: the nodes that train. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Instance } from "../../store/resources.ts";
import { needQuota } from "../account/quotas.ts";
import {
  type Context,
  distinct,
  type Handler,
  type Handlers,
  isGone,
  need,
  needIdle,
  needLease,
  renamed,
  startOn,
  timestamp,
  unfinishedWork,
  type ZoneState,
} from "../context.ts";
import { badValue, denied, notFound } from "../errors.ts";
import { describeImage } from "../images/images.ts";
import { filter, page } from "../listing.ts";
import { tagsOf } from "../tags/tags.ts";
import { describeVolumesOf } from "../volumes/volumes.ts";
import { checkTopology, needCapacity, readShape } from "./shapes.ts";

const describeInstances: Handler<typeof actions.DescribeInstances> = (request, context) => {
  const matches = filter(context.store.list("instance", context.zone), request, request.instances).filter(
    (item) =>
      (request.image_id === undefined || request.image_id.includes(item.imageId)) &&
      (request.instance_type === undefined || request.instance_type.includes(item.instanceType)) &&
      (request.instance_class === undefined || request.instance_class === item.instanceClass) &&
      (request.vcpus_current === undefined || request.vcpus_current === item.cpu) &&
      (request.memory_current === undefined || request.memory_current === item.memory) &&
      (request.os_disk_size === undefined || request.os_disk_size === item.osDiskSize) &&
      request.dedicated_host_group_id === undefined &&
      request.dedicated_host_id === undefined,
  );
  const { items, total_count } = page(matches, request);
  return {
    instance_set: items.map((item) => ({
      instance_id: item.id,
      instance_name: item.name,
      description: item.description,
      instance_type: item.instanceType,
      instance_class: item.instanceClass,
      vcpus_current: item.cpu,
      memory_current: item.memory,
      gpu: item.gpu,
      ...(item.gpu === 0 ? {} : { gpu_class: item.gpuClass }),
      status: item.status,
      transition_status: item.transition,
      sub_code: 0,
      create_time: timestamp(item.createTime),
      status_time: timestamp(item.statusTime),
      zone_id: item.zone,
      hostname: item.hostname,
      image: describeImage(item.imageId),
      vxnets: describeNics(context, item),
      eip: describeEip(context, item),
      extra: {
        os_disk_size: item.osDiskSize,
        cpu_model: item.cpuModel ?? "",
        hypervisor: "kvm",
        nic_mqueue: item.nicMqueue,
        cpu_max: 0,
        mem_max: 0,
      },
      cpu_topology: item.cpuTopology ?? "",
      tags: tagsOf(context, item),
      dns_aliases: [],
      ...(request.verbose > 0 ? describeAttached(context, item) : {}),
    })),
    total_count,
  };
};

function describeEip(state: ZoneState, { eipId }: Instance) {
  const eip = eipId === undefined ? undefined : state.store.get("eip", state.zone, eipId);
  return eip === undefined ? {} : { eip_id: eip.id, eip_addr: eip.address, bandwidth: eip.bandwidth };
}

function describeNics(state: ZoneState, instance: Instance) {
  return instance.nics.map((nic) => {
    const vxnet = state.store.get("vxnet", state.zone, nic.vxnetId);
    return {
      vxnet_id: nic.vxnetId,
      vxnet_name: vxnet?.name ?? "",
      vxnet_type: vxnet?.vxnetType ?? 1,
      nic_id: nic.mac,
      private_ip: nic.address,
      role: 1,
    };
  });
}

function describeAttached(state: ZoneState, instance: Instance) {
  const group = state.store.get("security_group", state.zone, instance.securityGroupId);
  return {
    security_group:
      group === undefined ? {} : { security_group_id: group.id, is_default: group.isDefault ? 1 : 0 },
    ...describeVolumesOf(state, instance.id),
    keypair_ids: [...instance.keypairIds],
  };
}

const terminateInstances: Handler<typeof actions.TerminateInstances> = (request, context) => {
  const instances = distinct(request.instances).map((id) => need(context, "instance", id));
  for (const instance of instances) {
    needIdle(instance, "terminated");
    needLease(instance, context, "terminated");
  }
  const work = { action: "TerminateInstances", directCease: request.direct_cease === 1 } as const;
  return startOn(context, { ...work, instances: instances.map(({ id }) => id) }, instances, {
    transition: "terminating",
  });
};

const ceaseInstances: Handler<typeof actions.CeaseInstances> = (request, context) => {
  const instances = distinct(request.instances).map((id) => {
    const instance = context.store.get("instance", context.zone, id);
    if (instance === undefined || instance.status === "ceased") throw notFound("instance", id);
    needIdle(instance, "ceased");
    if (!isGone(instance)) throw denied(`instance [${id}] is not terminated, can not be ceased`);
    return instance;
  });
  return startOn(context, { action: "CeaseInstances", instances: instances.map(({ id }) => id) }, instances);
};

const startInstances: Handler<typeof actions.StartInstances> = (request, context) =>
  changeState(context, request.instances, "stopped", "started", "starting", "StartInstances");

const stopInstances: Handler<typeof actions.StopInstances> = (request, context) =>
  changeState(context, request.instances, "running", "stopped", "stopping", "StopInstances");

const restartInstances: Handler<typeof actions.RestartInstances> = (request, context) =>
  changeState(context, request.instances, "running", "restarted", "restarting", "RestartInstances");

function changeState(
  context: Context,
  ids: readonly string[],
  needed: Instance["status"],
  doing: string,
  transition: string,
  action: "StartInstances" | "StopInstances" | "RestartInstances",
): { job_id: string } {
  const instances = distinct(ids).map((id) => need(context, "instance", id));
  for (const instance of instances) {
    if (instance.status !== needed) {
      throw denied(`instance [${instance.id}] is not ${needed}, can not be ${doing}`);
    }
    needIdle(instance, doing);
    needSize(context, instance.id, doing);
  }
  return startOn(context, { action, instances: instances.map(({ id }) => id) }, instances, { transition });
}

/** Refuses while a job gives the instance another size: no transition status is documented for that. */
function needSize(state: ZoneState, id: string, doing: string): void {
  const isResized = unfinishedWork(state).some(
    (work) => work.action === "ResizeInstances" && work.resized.some((each) => each.id === id),
  );
  if (isResized) throw denied(`instance [${id}] is being resized, can not be ${doing}`);
}

const resizeInstances: Handler<typeof actions.ResizeInstances> = (request, context) => {
  const instances = distinct(request.instances).map((id) => need(context, "instance", id));
  const resized = instances.map((instance) => {
    if (instance.status !== "stopped") {
      throw denied(`instance [${instance.id}] is not stopped, can not be resized`);
    }
    needIdle(instance, "resized");
    needSize(context, instance.id, "resized");
    const isTyped = request.instance_type !== undefined;
    const shape = readShape({
      instance_type: request.instance_type,
      cpu: request.cpu ?? (isTyped ? undefined : instance.cpu),
      memory: request.memory ?? (isTyped ? undefined : instance.memory),
      gpu: request.gpu ?? instance.gpu,
      gpu_class: instance.gpuClass,
    });
    checkDisk(request.os_disk_size, instance.osDiskSize);
    checkTopology(request.cpu_topology, shape.cpu);
    return {
      id: instance.id,
      shape,
      osDiskSize: request.os_disk_size ?? instance.osDiskSize,
      ...(request.cpu_model === undefined ? {} : { cpuModel: request.cpu_model }),
      ...(request.cpu_topology === undefined ? {} : { cpuTopology: request.cpu_topology }),
    };
  });
  const growth = (size: (of: Pick<Instance, "cpu" | "memory" | "gpu">) => number): number =>
    resized.reduce((sum, { shape }) => sum + size(shape), 0) -
    instances.reduce((sum, instance) => sum + size(instance), 0);
  needQuota(
    context,
    "cpu",
    growth(({ cpu }) => cpu),
  );
  needQuota(
    context,
    "memory",
    growth(({ memory }) => memory),
  );
  const gpus = growth(({ gpu }) => gpu);
  for (const { shape } of resized) needCapacity(context, { ...shape, gpu: Math.max(0, gpus) }, 1);
  return startOn(context, { action: "ResizeInstances", resized }, instances);
};

/** Refuses a disk that is no Linux disk, or smaller than the one there is. */
export function checkDisk(size: number | undefined, least: number): void {
  if (size === undefined) return;
  if (size < least || size > 100) throw badValue("os_disk_size", size, `${least} to 100`);
}

const modifyInstanceAttributes: Handler<typeof actions.ModifyInstanceAttributes> = (request, context) => {
  const instance = need(context, "instance", request.instance);
  context.store.put({
    ...renamed(instance, request.instance_name, request.description),
    nicMqueue: request.nic_mqueue ?? instance.nicMqueue,
  });
  return {};
};

export const instanceHandlers = {
  DescribeInstances: describeInstances,
  TerminateInstances: terminateInstances,
  CeaseInstances: ceaseInstances,
  StartInstances: startInstances,
  StopInstances: stopInstances,
  RestartInstances: restartInstances,
  ResizeInstances: resizeInstances,
  ModifyInstanceAttributes: modifyInstanceAttributes,
} satisfies Partial<Handlers>;
