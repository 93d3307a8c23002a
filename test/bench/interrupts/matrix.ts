/** The cells: an operation is met by a fault at one of its API calls; then the same command runs again, the change is taken back, or `destroy`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { actionsByName } from "../../../qingcloud/actions.ts";

export const operations = ["up", "bandwidth", "name", "key", "network", "replace", "destroy"] as const;
export type Operation = (typeof operations)[number];

export const faults = [
  ...(["lose-request", "lose-answer", "http-502", "refuse-5000", "refuse-5100"] as const),
  ...(["refuse-5200", "refuse-2500", "fail-job", "hang-job"] as const),
  ...(["sigint", "kill-cli", "kill-provider", "kill-both"] as const),
] as const;
export type FaultName = (typeof faults)[number];

export const followUps = ["same", "back", "destroy"] as const;
export type FollowUp = (typeof followUps)[number];

/** One call of an operation: the nth of its action in a zone. DescribeZones has no zone. */
export interface Position {
  readonly zone: string;
  readonly action: string;
  readonly nth: number;
}

/** The part that several cells share: their follow-ups begin where the faulted command has left state and cloud. */
export interface Trial {
  readonly operation: Operation;
  readonly position: Position;
  readonly fault: FaultName;
}

/** How often each operation calls an action in a zone, by `zone/action`. */
export const recording = z.object({
  version: z.string(),
  operations: z.record(z.enum(operations), z.record(z.string(), z.number())),
});
export type Recording = z.output<typeof recording>;

export const recordingFile = join(import.meta.dirname, "calls.json");

export function readRecording(): Recording {
  return recording.parse(JSON.parse(readFileSync(recordingFile, "utf8")));
}

export const isRead = (action: string): boolean => /^(Describe|Get)/.test(action);

/** Each call that changes something, and the first one of each kind that reads. */
export function positionsOf(calls: Recording["operations"][Operation]): Position[] {
  const reads = new Set<string>();
  return Object.entries(calls).flatMap(([key, count]) => {
    const [zone = "", action = ""] = key.split("/");
    if (isRead(action) && reads.has(action)) return [];
    if (isRead(action)) reads.add(action);
    const times = isRead(action) ? 1 : count;
    return Array.from({ length: times }, (_, index) => ({ zone, action, nth: index + 1 }));
  });
}

const startsJob = (action: string) => "job_id" in (actionsByName.get(action)?.response.shape ?? {});

export function trialsOf({ operations: recorded }: Recording): Trial[] {
  return operations.flatMap((operation) =>
    positionsOf(recorded[operation]).flatMap((position) =>
      faults
        .filter((fault) => !fault.endsWith("-job") || startsJob(position.action))
        .map((fault) => ({ operation, position, fault })),
    ),
  );
}

/** After a `destroy` the same command is one, too; and to take the first `up` back is a `destroy`. */
export function followUpsOf({ operation }: Trial): readonly FollowUp[] {
  if (operation === "destroy") return ["same", "back"];
  return followUps.filter((each) => each !== "back" || operation !== "up");
}

/** A trial's name, e.g. `up gpu1a/CreateVxnets/1 lose-answer`; a follow-up behind it makes a cell's. */
export function nameOf({ operation, position: { zone, action, nth }, fault }: Trial): string {
  return `${operation} ${zone === "" ? "-" : zone}/${action}/${nth} ${fault}`;
}

export const cellOf = (trial: Trial, followUp: FollowUp): string => `${nameOf(trial)} ${followUp}`;

/** The same order for the same seed; neighbours have little in common. */
export function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  let state = seed >>> 0;
  // Mulberry32.
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const keyed = items.map((item) => [random(), item] as const);
  return keyed.toSorted(([one], [other]) => one - other).map(([, item]) => item);
}
