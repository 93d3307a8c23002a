/** What the jobs of instances do when they end. */
import type { Instance } from "../../store/resources.ts";
import type { Effects, ZoneState } from "../context.ts";
import { dissociateFrom } from "../eips/association.ts";
import { attach, attachNew, detachAll, discard } from "../volumes/effects.ts";

function change(
  state: ZoneState,
  ids: readonly string[],
  changes: Partial<Instance> | ((instance: Instance) => Partial<Instance>),
): void {
  for (const id of ids) {
    const instance = state.store.get("instance", state.zone, id);
    if (instance === undefined) continue;
    const changed = typeof changes === "function" ? changes(instance) : changes;
    const isNewStatus = changed.status !== undefined && changed.status !== instance.status;
    state.store.put({
      ...instance,
      ...changed,
      transition: "",
      statusTime: isNewStatus ? state.now : instance.statusTime,
    });
  }
}

const settle = (work: { readonly instances: readonly string[] }, state: ZoneState): void =>
  change(state, work.instances, {});

/** What is terminated holds no key pair and no group, what is ceased no network either; volumes and the EIP stay, free. */
const terminated = { keypairIds: [], securityGroupId: "" } as const;
const ceased = { status: "ceased", nics: [], ...terminated } as const;

/** Takes terminated instances out of the recycle bin. */
export function cease(state: ZoneState, ids: readonly string[]): void {
  change(state, ids, ceased);
}

export const instanceEffects: Effects<
  | "RunInstances"
  | "CloneInstances"
  | "StartInstances"
  | "StopInstances"
  | "RestartInstances"
  | "TerminateInstances"
  | "CeaseInstances"
  | "ResetInstances"
  | "ResizeInstances"
> = {
  RunInstances: {
    complete(work, state) {
      change(state, work.instances, { status: "running" });
      attach(state, work.volumes ?? [], work.instances[0]);
    },
    fail(work, state) {
      change(state, work.instances, ceased);
      attach(state, work.volumes ?? [], undefined);
    },
  },
  CloneInstances: {
    complete(work, state) {
      change(state, work.instances, { status: "running" });
      for (const { instance, volumes } of work.volumes) attachNew(state, volumes, instance);
    },
    fail(work, state) {
      change(state, work.instances, ceased);
      for (const { volumes } of work.volumes) discard(state, volumes);
    },
  },
  StartInstances: {
    complete: (work, state) =>
      change(state, work.instances, ({ boot }) => ({ status: "running", boot: boot + 1 })),
    fail: settle,
  },
  StopInstances: {
    complete: (work, state) => change(state, work.instances, { status: "stopped" }),
    fail: settle,
  },
  RestartInstances: {
    complete: (work, state) => change(state, work.instances, ({ boot }) => ({ boot: boot + 1 })),
    fail: settle,
  },
  TerminateInstances: {
    complete(work, state) {
      dissociateFrom(state, work.instances);
      change(state, work.instances, work.directCease ? ceased : { status: "terminated", ...terminated });
      detachAll(state, work.instances);
    },
    fail: settle,
  },
  CeaseInstances: {
    complete: (work, state) => cease(state, work.instances),
    fail: settle,
  },
  ResetInstances: {
    complete: (work, state) =>
      change(state, work.instances, ({ status, boot, disk = 1 }) => ({
        disk: disk + 1,
        boot: status === "running" ? boot + 1 : boot,
        keypairIds: work.keypairIds.filter((id) => state.store.get("keypair", state.zone, id) !== undefined),
        passwordHash: work.passwordHash,
      })),
    fail: settle,
  },
  ResizeInstances: {
    complete(work, state) {
      for (const { id, shape, osDiskSize, cpuModel, cpuTopology } of work.resized) {
        change(state, [id], (before) => ({
          ...shape,
          osDiskSize,
          ...(cpuModel === undefined ? {} : { cpuModel }),
          // That of another number of CPUs is none any more.
          cpuTopology: cpuTopology ?? (shape.cpu === before.cpu ? (before.cpuTopology ?? "") : ""),
        }));
      }
    },
    fail: () => undefined,
  },
};
