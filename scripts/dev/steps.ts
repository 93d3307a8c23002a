/** The steps of the set-up: in parallel where they do not depend, each skipped when its result is there. */
import { Progress } from "./progress.ts";

/** How a step says what goes on. */
export interface Report {
  /** A line that stays. */
  say(text: string): void;
  /** How far it is; the next one takes its place. */
  progress(text: string): void;
}

export interface Step {
  readonly name: string;
  /** Says what was found; undefined where the work has to be done. */
  present(): Promise<string | undefined>;
  /**
   * Asks for what the work needs, such as a password, before any work begins.
   * @throws Error where it cannot be done
   */
  prepare?(print: (line: string) => void): Promise<void>;
  /** Does it and says what exists now. */
  make(report: Report): Promise<string>;
}

/**
 * Prepares the steps that have something to do, one after the other, then runs all at the same time and prints each with
 * its time; the first failure is thrown when all have ended.
 */
export async function runSteps(steps: readonly Step[], shown: Progress = new Progress()): Promise<void> {
  const found = await Promise.all(steps.map((step) => timed(() => step.present())));
  for (const [index, step] of steps.entries()) {
    if (found[index]?.result === undefined) await prepare(step, shown.print);
  }
  const outcomes = await Promise.allSettled(
    steps.map(async (step, index) => {
      const { result, seconds = 0 } = found[index] ?? {};
      if (result !== undefined) return shown.print(`${step.name}: ${result} (${seconds.toFixed(1)} s)`);
      shown.print(`${step.name}: working …`);
      const made = await timed(() => make(step, shown)).finally(() => shown.end(step.name));
      shown.print(`${step.name}: ${made.result} (${(seconds + made.seconds).toFixed(1)} s)`);
    }),
  );
  const failures = outcomes.flatMap((outcome, index) =>
    outcome.status === "rejected"
      ? [`${steps[index]?.name}: ${String(outcome.reason?.message ?? outcome.reason)}`]
      : [],
  );
  if (failures.length > 0) throw new Error(`The set-up did not finish.\n${failures.join("\n")}`);
}

function make(step: Step, shown: Progress): Promise<string> {
  return step.make({
    say: (text) => shown.print(`${step.name}: ${text}`),
    progress: (text) => shown.update(step.name, text),
  });
}

async function prepare(step: Step, print: (line: string) => void): Promise<void> {
  try {
    await step.prepare?.(print);
  } catch (error) {
    throw new Error(`The set-up cannot be done.\n${step.name}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const started = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - started) / 1000 };
}
