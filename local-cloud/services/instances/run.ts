/** RunInstances: checks everything before anything is made. */
import type { ParsedRequestOf } from "../../../qingcloud/action.ts";
import type * as actions from "../../../qingcloud/actions.ts";
import type { Instance } from "../../store/resources.ts";
import { needQuota, needRoom } from "../account/quotas.ts";
import { type Context, distinct, type Handler, type Handlers, need, newId } from "../context.ts";
import { badValue, denied } from "../errors.ts";
import { needImage } from "../images/images.ts";
import { defaultSecurityGroup } from "../security-groups/security-groups.ts";
import { needAvailable } from "../volumes/volumes.ts";
import { newNic } from "../vxnets/addresses.ts";
import { checkDisk } from "./instances.ts";
import { readLogin } from "./login.ts";
import { checkTopology, needCapacity, readShape } from "./shapes.ts";
import { readUserdata } from "./userdata.ts";

type Request = ParsedRequestOf<typeof actions.RunInstances>;

const leastDisk = 20;

const runInstances: Handler<typeof actions.RunInstances> = (request, context) => {
  needImage(request.image_id);
  const shape = readShape(request);
  checkDisk(request.os_disk_size, leastDisk);
  checkTopology(request.cpu_topology, shape.cpu);
  const login = readLogin(request, context);
  const userdata = readUserdata(request, context);
  if (
    request.hostname !== undefined &&
    !/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(request.hostname)
  ) {
    throw badValue("hostname", request.hostname, "letters, digits and hyphens, 63 characters at most");
  }
  const volumes = needAvailable(context, request.volumes ?? [], "attached");
  if (volumes.length > 0 && request.count > 1) {
    throw badValue("count", request.count, "1 where volumes are given");
  }
  needRoom("instance_volumes", volumes.length, "the instance");
  needQuota(context, "instance", request.count);
  needQuota(context, "cpu", shape.cpu * request.count);
  needQuota(context, "memory", shape.memory * request.count);
  needCapacity(context, shape, request.count);
  const vxnets = distinct(request.vxnets ?? []);
  checkVxnets(context, vxnets, request.count);
  const securityGroupId = readSecurityGroup(request, context, vxnets);
  const reserved = new Set<string>();
  const instances = Array.from({ length: request.count }, (): Instance => {
    const id = newId("i");
    return {
      kind: "instance",
      id,
      zone: context.zone,
      name: request.instance_name ?? "",
      description: "",
      tagIds: [],
      createTime: context.now,
      statusTime: context.now,
      status: "pending",
      transition: "creating",
      imageId: request.image_id,
      ...shape,
      instanceClass: request.instance_class ?? (shape.gpu > 0 ? 201 : 101),
      osDiskSize: request.os_disk_size ?? leastDisk,
      ...(request.cpu_model === undefined ? {} : { cpuModel: request.cpu_model }),
      ...(request.cpu_topology === undefined ? {} : { cpuTopology: request.cpu_topology }),
      hostname: request.hostname ?? id,
      nicMqueue: request.nic_mqueue ?? 0,
      securityGroupId,
      ...login,
      nics: vxnets.map((vxnet, index) => newNic(context, vxnet, `vxnets.${index + 1}`, reserved)),
      ...(userdata === undefined ? {} : { userdata }),
      boot: 1,
    };
  });
  for (const instance of instances) context.store.put(instance);
  for (const volume of volumes) context.store.put({ ...volume, transition: "attaching" });
  const ids = instances.map(({ id }) => id);
  const work = { action: "RunInstances", instances: ids, volumes: volumes.map(({ id }) => id) } as const;
  return { instances: ids, job_id: context.startJob(work, [...ids, ...work.volumes]) };
};

/** Each vxnet once, at most one managed one, and a fixed address for one instance only. */
export function checkVxnets(context: Context, vxnets: readonly string[], count: number): void {
  const ids = vxnets.map((reference) => reference.split("|")[0] ?? "");
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw denied(`an instance can be in vxnet [${twice}] once only`);
  const managed = ids.filter((id) => need(context, "vxnet", id).vxnetType === 1);
  if (managed.length > 1) {
    throw denied(`an instance can be in one managed vxnet only, [${managed.join(", ")}] are managed`);
  }
  const fixed = vxnets.findIndex((reference) => reference.includes("|"));
  if (fixed >= 0 && count > 1) {
    throw badValue(
      `vxnets.${fixed + 1}`,
      vxnets[fixed],
      "vxnet-id without an address where count is more than 1",
    );
  }
}

/** Only in the base network an instance has a group from the start. */
function readSecurityGroup(request: Request, context: Context, vxnets: readonly string[]): string {
  const given =
    request.security_group === undefined
      ? defaultSecurityGroup(context)
      : need(context, "security_group", request.security_group).id;
  return vxnets.includes("vxnet-0") ? given : "";
}

export const runInstancesHandlers = { RunInstances: runInstances } satisfies Partial<Handlers>;
