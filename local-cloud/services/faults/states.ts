/** Faults that hold by themselves, as the services that they concern see them. */
import { isDeepStrictEqual } from "node:util";
import type { Exhaustible, FaultRecord } from "../../store/faults.ts";
import type { Instance, Router } from "../../store/resources.ts";
import type { Store } from "../../store/store.ts";
import { insufficientResources } from "../errors.ts";
import type { Due } from "../jobs/due.ts";
import type { ZonePair } from "./zone-pairs.ts";

/** The action that creates what a zone can run out of; a GPU comes with an instance. */
export const creators: Readonly<Record<Exhaustible, string>> = {
  eip: "AllocateEips",
  instance: "RunInstances",
  gpu: "RunInstances",
  router: "CreateRouters",
  vxnet: "CreateVxnets",
  volume: "CreateVolumes",
};

/**
 * Refuses a call that has created what its zone has none of any more: its transaction is then taken back, so that what
 * is refused for another reason is refused for that reason.
 */
export function needNotExhausted(
  store: Store,
  action: string,
  zone: string,
  output: Readonly<Record<string, unknown>>,
): void {
  for (const { fault } of store.list("fault")) {
    if (fault.kind !== "exhaust" || creators[fault.of] !== action) continue;
    if (fault.zone !== undefined && fault.zone !== zone) continue;
    if (fault.of === "gpu" && !created(store, zone, output).some(({ gpu }) => gpu > 0)) continue;
    throw insufficientResources(`zone [${zone}] has no ${fault.of} left`);
  }
}

function created(
  store: Store,
  zone: string,
  { instances = [] }: Readonly<Record<string, unknown>>,
): Instance[] {
  return (instances as readonly string[]).flatMap((id) => store.get("instance", zone, id) ?? []);
}

/** Whether a fault has it down, which the API does not notice: until it is started anew. */
export function isCrashed(store: Store, resource: Instance | Router): boolean {
  return store.list("fault").some(({ fault }) => {
    if (fault.kind === "crash-node" && resource.kind === "instance") {
      return fault.resource === resource.id && fault.boot === resource.boot && resource.status === "running";
    }
    return fault.kind === "crash-router" && fault.resource === resource.id && resource.status === "active";
  });
}

/** Whether a router static is a tunnel. */
export function isTunnel(store: Store, id: string): boolean {
  const found = store.list("router_static").find((item) => item.id === id);
  return found?.staticType === 6 || found?.staticType === 7;
}

/** Whether a fault lets nothing of a tunnel pass. */
export function isCut(store: Store, id: string): boolean {
  return store.list("fault").some(({ fault }) => fault.kind === "cut-tunnel" && fault.resource === id);
}

/** What faults do to the link between two zones, on top of what is set for it; with their ids. */
export function linkFaults(
  store: Store,
  pair: ZonePair,
): { rtt: number; loss: number; cut: boolean; ids: string[] } {
  const concerned = store
    .list("fault")
    .flatMap(({ id, fault }) =>
      "between" in fault && isDeepStrictEqual(fault.between, pair) ? [{ id, fault }] : [],
    );
  return {
    rtt: concerned.reduce((sum, { fault }) => sum + (fault.kind === "delay-packets" ? fault.rtt : 0), 0),
    loss: concerned.reduce(
      (most, { fault }) => Math.max(most, fault.kind === "lose-packets" ? fault.loss : 0),
      0,
    ),
    cut: concerned.some(({ fault }) => fault.kind === "cut-link"),
    ids: concerned.map(({ id }) => id),
  };
}

/** The time by the server's own clock, in milliseconds since the epoch. */
export function serverTime(store: Store): number {
  const offsets = store.list("fault").map(({ fault }) => (fault.kind === "clock" ? fault.offset : 0));
  return Date.now() + offsets.reduce((sum, offset) => sum + offset, 0) * 1000;
}

/** Ends what is over. */
export function endFaults(store: Store, due: Due): void {
  const over = store.list("fault").filter((record) => isOver(store, record, due));
  store.transaction(() => {
    for (const record of over) store.remove(record);
  });
  for (const { id } of over) due.forget(id);
}

/** Milliseconds until each is over that ends at a time. */
export function leftOfFaults(store: Store, due: Due): number[] {
  return store.list("fault").flatMap((record) => leftOf(record, due) ?? []);
}

function leftOf({ id, createTime, fault }: FaultRecord, due: Due): number | undefined {
  if (!("until" in fault) || fault.until === undefined) return undefined;
  return due.left(id, fault.until, fault.until - createTime);
}

function isOver(store: Store, record: FaultRecord, due: Due): boolean {
  const { fault } = record;
  if ((leftOf(record, due) ?? 1) <= 0) return true;
  if (fault.kind === "cut-tunnel") return !isTunnel(store, fault.resource);
  if (fault.kind !== "crash-node" && fault.kind !== "crash-router") return false;
  const kind = fault.kind === "crash-node" ? "instance" : "router";
  return !store.list(kind).some((resource) => resource.id === fault.resource && isCrashed(store, resource));
}
