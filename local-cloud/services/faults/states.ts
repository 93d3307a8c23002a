/** Faults that hold by themselves, as the services that they concern see them. */
import type { Instance } from "../../store/resources.ts";
import type { Store } from "../../store/store.ts";
import { insufficientResources } from "../errors.ts";
import { creators } from "./kinds.ts";

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

/** Ends what is over. Answers when the next one is, if one is. */
export function endFaults(store: Store, now: number): number | undefined {
  const isOver = (until: number | undefined): boolean => until !== undefined && until <= now;
  const records = store.list("fault").flatMap((record) => {
    const until = "until" in record.fault ? record.fault.until : undefined;
    return until === undefined ? [] : [{ record, until }];
  });
  const over = records.filter(({ until }) => isOver(until));
  store.transaction(() => {
    for (const { record } of over) store.remove(record);
  });
  const left = records.filter(({ until }) => !isOver(until)).map(({ until }) => until);
  return left.length === 0 ? undefined : Math.min(...left);
}
