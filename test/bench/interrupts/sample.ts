/** Some cells of the matrix, by a seed, for `npm test`. */
import { cellOf, followUpsOf, nameOf, readRecording, shuffled, type Trial, trialsOf } from "./matrix.ts";
import type { TrialWorker } from "./trial-worker.ts";

export interface Sampled {
  readonly cells: number;
  /** Cells and what is wrong after them. */
  readonly failures: readonly string[];
  /** Trials whose fault no call has met. */
  readonly unmet: readonly string[];
}

/** Trials, which have two or three cells each, until there are so many cells. */
export function sampleOf(seed: number, cells: number): Trial[] {
  const chosen: Trial[] = [];
  let count = 0;
  for (const trial of shuffled(trialsOf(readRecording()), seed)) {
    const { length } = followUpsOf(trial);
    const rest = cells - count - length;
    // No trial has one cell.
    if (rest < 0 || rest === 1) continue;
    chosen.push(trial);
    count += length;
  }
  return chosen;
}

/** @param workers how many at the same time */
export async function runSample(trials: readonly Trial[], workers: readonly TrialWorker[]): Promise<Sampled> {
  const open = [...trials];
  const [failures, unmet]: [string[], string[]] = [[], []];
  let cells = 0;
  const work = async (worker: TrialWorker): Promise<void> => {
    for (let trial = open.shift(); trial !== undefined; trial = open.shift()) {
      const report = await worker.do({ trial, followUps: followUpsOf(trial) });
      if (!("results" in report)) throw new Error("the worker answered something else");
      for (const { followUp, findings } of report.results) {
        cells += 1;
        failures.push(
          ...findings.map(({ kind, detail }) => `${cellOf(trial, followUp)}: ${kind}: ${detail}`),
        );
      }
      if (report.results.some(({ isMet }) => !isMet)) unmet.push(nameOf(trial));
    }
  };
  await Promise.all(workers.map(work));
  return { cells, failures, unmet };
}
