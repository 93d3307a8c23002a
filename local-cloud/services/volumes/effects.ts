/** What the jobs of volumes do when they end, and what becomes of volumes when an instance starts or goes. */
import type { Volume } from "../../store/resources.ts";
import { limits } from "../account/limits.ts";
import { type Effects, isGone, type ZoneState } from "../context.ts";

/** Instances name their own disks sda and sdb. */
const devices = Array.from(
  { length: limits.instance_volumes },
  (_, index) => `/dev/sd${String.fromCharCode("c".charCodeAt(0) + index)}`,
);

function change(state: ZoneState, ids: readonly string[], changes: Partial<Volume>): void {
  for (const id of ids) {
    const volume = state.store.get("volume", state.zone, id);
    if (volume === undefined) continue;
    const isNewStatus = changes.status !== undefined && changes.status !== volume.status;
    state.store.put({
      ...volume,
      ...changes,
      transition: "",
      statusTime: isNewStatus ? state.now : volume.statusTime,
    });
  }
}

const settle = (work: { readonly volumes: readonly string[] }, state: ZoneState): void =>
  change(state, work.volumes, {});

/** Attaches them, or leaves them free if the instance went meanwhile. */
export function attach(state: ZoneState, ids: readonly string[], instanceId: string | undefined): void {
  const instance = instanceId === undefined ? undefined : state.store.get("instance", state.zone, instanceId);
  if (instance === undefined || isGone(instance)) {
    change(state, ids, {});
    return;
  }
  for (const id of ids) {
    const attachment = { instanceId: instance.id, device: freeDevice(state, instance.id) };
    change(state, [id], { status: "in-use", attachment });
  }
}

/** Ends the making of volumes for an instance. */
export function attachNew(state: ZoneState, ids: readonly string[], instanceId: string): void {
  change(state, ids, { status: "available" });
  attach(state, ids, instanceId);
}

/** Ends the making of volumes that could not be made. */
export function discard(state: ZoneState, ids: readonly string[]): void {
  change(state, ids, { status: "deleted" });
}

function freeDevice(state: ZoneState, instanceId: string): string {
  const taken = attachedTo(state, instanceId).map(({ attachment }) => attachment?.device);
  return devices.find((device) => !taken.includes(device)) ?? "";
}

function attachedTo(state: ZoneState, instanceId: string): Volume[] {
  return state.store
    .list("volume", state.zone)
    .filter(({ attachment }) => attachment?.instanceId === instanceId);
}

/** Frees volumes; what is attached to another instance by now stays there. */
function detach(state: ZoneState, ids: readonly string[], instanceId: string): void {
  for (const volume of attachedTo(state, instanceId)) {
    if (!ids.includes(volume.id)) continue;
    const { attachment: _, ...rest } = volume;
    state.store.put({ ...rest, status: "available", statusTime: state.now, transition: "" });
  }
}

/** Frees every volume of instances that go. */
export function detachAll(state: ZoneState, instanceIds: readonly string[]): void {
  for (const instanceId of instanceIds) {
    const ids = attachedTo(state, instanceId).map(({ id }) => id);
    detach(state, ids, instanceId);
  }
}

export const volumeEffects: Effects<
  "CreateVolumes" | "DeleteVolumes" | "AttachVolumes" | "DetachVolumes" | "ResizeVolumes"
> = {
  CreateVolumes: {
    complete: (work, state) => change(state, work.volumes, { status: "available" }),
    fail: (work, state) => discard(state, work.volumes),
  },
  DeleteVolumes: {
    complete: (work, state) => change(state, work.volumes, { status: "deleted" }),
    fail: settle,
  },
  AttachVolumes: {
    complete: (work, state) => attach(state, work.volumes, work.instance),
    fail: settle,
  },
  DetachVolumes: {
    complete: (work, state) => detach(state, work.volumes, work.instance),
    fail: settle,
  },
  ResizeVolumes: {
    complete: (work, state) => change(state, work.volumes, { size: work.size }),
    fail: settle,
  },
};
