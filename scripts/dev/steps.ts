/** The steps of the set-up: in parallel where they do not depend, each skipped when its result is there. */

export interface Step {
  readonly name: string;
  /** Says what was found; undefined where the work has to be done. */
  present(): Promise<string | undefined>;
  /**
   * Does it and says what exists now.
   * @param say prints what is going on in the meantime
   */
  make(say: (text: string) => void): Promise<string>;
}

/** Runs the steps at the same time and prints each with its time; the first failure is thrown when all have ended. */
export async function runSteps(steps: readonly Step[], print: (line: string) => void): Promise<void> {
  const outcomes = await Promise.allSettled(
    steps.map(async (step) => {
      const started = performance.now();
      const found = await step.present();
      if (found === undefined) print(`${step.name}: working …`);
      const result = found ?? (await step.make((text) => print(`${step.name}: ${text}`)));
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
