/** A process that runs trials, one after the other, for the bench or a test: with the fast clock in place of its own. */
import type { Call } from "../../harness/calls.ts";
import { installClock } from "./clock.ts";
import type { FollowUp, Operation, Trial } from "./matrix.ts";
import type { Result } from "./trial.ts";

export type Task =
  | { readonly record: Operation }
  | { readonly trial: Trial; readonly followUps: readonly FollowUp[] };
export type Report =
  | { readonly calls: readonly Pick<Call, "zone" | "action">[] }
  | { readonly results: readonly Result[] }
  | { readonly error: string };

installClock();
const { Lab } = await import("./lab.ts");
const { Trials } = await import("./trial.ts");

const lab = new Lab();
const trials = new Trials(lab);
const prepared = trials.prepare();
prepared.catch(() => {});

async function reportOf(task: Task): Promise<Report> {
  try {
    await prepared;
    if ("trial" in task) return { results: await trials.run(task.trial, task.followUps) };
    const calls = await trials.record(task.record);
    return { calls: calls.map(({ zone, action }) => ({ zone, action })) };
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

let isEnding = false;
async function end(): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  await lab.remove().catch(() => {});
  process.exit(0);
}

// The terminal's Ctrl-C reaches each process; who has started this one ends it in order.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
// What a command that was cut off has begun here fails unheard.
process.on("unhandledRejection", () => {});
process.on("disconnect", () => void end());
process.on("message", (task: Task) => {
  void reportOf(task).then((report) => {
    if (!isEnding) process.send?.(report);
  });
});
