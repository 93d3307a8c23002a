/** The steps of the set-up: in parallel where they do not depend, each skipped when its result is there. */

export interface Step {
  readonly name: string;
  /** Says what was found; undefined where the work has to be done. */
  present(): Promise<string | undefined>;
  /**
   * Asks for what the work needs, such as a password, before any work begins.
   * @throws Error where it cannot be done
   */
  prepare?(print: (line: string) => void): Promise<void>;
  /**
   * Does it and says what exists now.
   * @param say prints what is going on in the meantime
   */
  make(say: (text: string) => void): Promise<string>;
}

/**
 * Prepares the steps that have something to do, one after the other, then runs all at the same time and prints each with
 * its time; the first failure is thrown when all have ended.
 */
export async function runSteps(steps: readonly Step[], print: (line: string) => void): Promise<void> {
  const started = performance.now();
  const found = await Promise.all(steps.map((step) => step.present()));
  for (const [index, step] of steps.entries()) {
    if (found[index] === undefined) await prepare(step, print);
  }
  const outcomes = await Promise.allSettled(
    steps.map(async (step, index) => {
      if (found[index] === undefined) print(`${step.name}: working …`);
      const result = found[index] ?? (await step.make((text) => print(`${step.name}: ${text}`)));
      print(`${step.name}: ${result} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    }),
  );
  const failures = outcomes.flatMap((outcome, index) =>
    outcome.status === "rejected"
      ? [`${steps[index]?.name}: ${String(outcome.reason?.message ?? outcome.reason)}`]
      : [],
  );
  if (failures.length > 0) throw new Error(`The set-up did not finish.\n${failures.join("\n")}`);
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
