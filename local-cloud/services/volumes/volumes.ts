/** Volumes: disks beside the one of an instance. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Volume } from "../../store/resources.ts";
import { accountId } from "../account/account.ts";
import { needQuota, needRoom } from "../account/quotas.ts";
import {
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
  unfinishedWork,
  type ZoneState,
} from "../context.ts";
import { badValue, denied, inUse } from "../errors.ts";
import { filter, page } from "../listing.ts";
import { tagsOf } from "../tags/tags.ts";
import { checkSize, readVolumeType } from "./types.ts";

const createVolumes: Handler<typeof actions.CreateVolumes> = (request, context) => {
  const type = readVolumeType(request.volume_type);
  const size = request.round_up === 1 ? Math.max(request.size, type.minimum) : request.size;
  checkSize(size, type);
  needQuota(context, "volume", request.count);
  needQuota(context, "volume_size", request.count * size);
  const volumes = Array.from(
    { length: request.count },
    (): Volume => ({
      kind: "volume",
      id: newId("vol"),
      zone: context.zone,
      name: request.volume_name ?? "",
      description: "",
      tagIds: [],
      createTime: context.now,
      statusTime: context.now,
      status: "pending",
      transition: "creating",
      size,
      volumeType: type.type,
    }),
  );
  for (const volume of volumes) context.store.put(volume);
  const ids = volumes.map(({ id }) => id);
  return { volumes: ids, job_id: context.startJob({ action: "CreateVolumes", volumes: ids }, ids) };
};

const describeVolumes: Handler<typeof actions.DescribeVolumes> = (request, context) => {
  const matches = filter(context.store.list("volume", context.zone), request, request.volumes).filter(
    (volume) =>
      (request.volume_type === undefined || request.volume_type === volume.volumeType) &&
      (request.instance_id === undefined || request.instance_id === volume.attachment?.instanceId),
  );
  const { items, total_count } = page(matches, request);
  return {
    volume_set: items.map((volume) => {
      const instance = describeAttachment(context, volume);
      return {
        volume_id: volume.id,
        volume_name: volume.name,
        description: volume.description,
        size: volume.size,
        volume_type: volume.volumeType,
        status: volume.status,
        transition_status: volume.transition,
        sub_code: 0,
        create_time: timestamp(volume.createTime),
        status_time: timestamp(volume.statusTime),
        zone_id: volume.zone,
        owner: accountId,
        instance: instance ?? {},
        instances: instance === undefined ? [] : [instance],
        tags: tagsOf(context, volume),
      };
    }),
    total_count,
  };
};

function describeAttachment(state: ZoneState, { attachment }: Volume) {
  if (attachment === undefined) return undefined;
  const { instanceId, device } = attachment;
  const instance_name = state.store.get("instance", state.zone, instanceId)?.name ?? "";
  return { instance_id: instanceId, instance_name, device };
}

/** What DescribeInstances says of the volumes of an instance. */
export function describeVolumesOf(state: ZoneState, instanceId: string) {
  const volumes = state.store
    .list("volume", state.zone)
    .filter(({ attachment }) => attachment?.instanceId === instanceId);
  return {
    volume_ids: volumes.map(({ id }) => id),
    volumes: volumes.map(({ id, name, size, volumeType, attachment }) => ({
      volume_id: id,
      volume_name: name,
      size,
      volume_type: volumeType,
      device: attachment?.device ?? "",
    })),
  };
}

function isBeingResized(state: ZoneState, id: string): boolean {
  return unfinishedWork(state).some((work) => work.action === "ResizeVolumes" && work.volumes.includes(id));
}

/** How many volumes an instance has, or will have when its jobs end. */
function volumeCount(state: ZoneState, instanceId: string): number {
  const coming = unfinishedWork(state).flatMap((work) =>
    work.action === "AttachVolumes" && work.instance === instanceId ? work.volumes : [],
  );
  return describeVolumesOf(state, instanceId).volume_ids.length + coming.length;
}

/** The volume, where no job is at work on it. */
function needFree(state: ZoneState, id: string, doing: string): Volume {
  const volume = need(state, "volume", id);
  needIdle(volume, doing);
  if (isBeingResized(state, id)) throw denied(`volume [${id}] is being resized, can not be ${doing}`);
  return volume;
}

/** The volumes, where nothing uses them and no job is at work on them. */
export function needAvailable(state: ZoneState, ids: readonly string[], doing: string): Volume[] {
  return distinct(ids).map((id) => {
    const volume = needFree(state, id, doing);
    if (volume.attachment !== undefined) {
      throw denied(
        `volume [${id}] is attached to instance [${volume.attachment.instanceId}], can not be ${doing}`,
      );
    }
    return volume;
  });
}

const attachVolumes: Handler<typeof actions.AttachVolumes> = (request, context) => {
  const instance = need(context, "instance", request.instance);
  needIdle(instance, "given volumes");
  const volumes = needAvailable(context, request.volumes, "attached");
  const count = volumeCount(context, instance.id) + volumes.length;
  needRoom("instance_volumes", count, `instance [${instance.id}]`);
  const ids = volumes.map(({ id }) => id);
  const work = { action: "AttachVolumes", volumes: ids, instance: instance.id } as const;
  return startOn(context, work, volumes, { transition: "attaching", others: [instance.id] });
};

const detachVolumes: Handler<typeof actions.DetachVolumes> = (request, context) => {
  const instance = need(context, "instance", request.instance);
  needIdle(instance, "taken volumes from");
  const volumes = distinct(request.volumes).map((id) => {
    const volume = needFree(context, id, "detached");
    if (volume.attachment?.instanceId !== instance.id) {
      throw denied(`volume [${id}] is not attached to instance [${instance.id}], can not be detached`);
    }
    return volume;
  });
  const ids = volumes.map(({ id }) => id);
  const work = { action: "DetachVolumes", volumes: ids, instance: instance.id } as const;
  return startOn(context, work, volumes, { transition: "detaching", others: [instance.id] });
};

const resizeVolumes: Handler<typeof actions.ResizeVolumes> = (request, context) => {
  const volumes = needAvailable(context, request.volumes, "resized");
  for (const volume of volumes) {
    checkSize(request.size, readVolumeType(volume.volumeType));
    if (request.size <= volume.size) {
      throw badValue("size", request.size, `more than ${volume.size}, the size of volume [${volume.id}]`);
    }
  }
  const growth = volumes.reduce((sum, { size }) => sum + request.size - size, 0);
  needQuota(context, "volume_size", growth);
  const ids = volumes.map(({ id }) => id);
  return startOn(context, { action: "ResizeVolumes", volumes: ids, size: request.size }, volumes);
};

const modifyVolumeAttributes: Handler<typeof actions.ModifyVolumeAttributes> = (request, context) => {
  const volume = need(context, "volume", request.volume);
  context.store.put(renamed(volume, request.volume_name, request.description));
  return {};
};

const deleteVolumes: Handler<typeof actions.DeleteVolumes> = (request, context) => {
  const volumes = distinct(request.volumes).map((id) => needFree(context, id, "deleted"));
  for (const volume of volumes) {
    if (volume.attachment !== undefined) {
      throw inUse("volume", volume.id, [volume.attachment.instanceId], "deleted");
    }
    needLease(volume, context, "deleted");
  }
  const ids = volumes.map(({ id }) => id);
  return startOn(context, { action: "DeleteVolumes", volumes: ids }, volumes, { transition: "deleting" });
};

export const volumeHandlers = {
  CreateVolumes: createVolumes,
  DescribeVolumes: describeVolumes,
  AttachVolumes: attachVolumes,
  DetachVolumes: detachVolumes,
  ResizeVolumes: resizeVolumes,
  ModifyVolumeAttributes: modifyVolumeAttributes,
  DeleteVolumes: deleteVolumes,
} satisfies Partial<Handlers>;
