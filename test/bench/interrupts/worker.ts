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
const { serve } = await import("./serving.ts");
const { Trials } = await import("./trial.ts");

const lab = new Lab();
const trials = new Trials(lab);
const prepared = trials.prepare();
prepared.catch(() => {});

serve<Task>(lab, async (task) => {
  await prepared;
  if ("trial" in task) return { results: await trials.run(task.trial, task.followUps) } satisfies Report;
  const calls = await trials.record(task.record);
  return { calls: calls.map(({ zone, action }) => ({ zone, action })) } satisfies Report;
});
