/** How `npm test` shares the machine out: lanes that run at the same time, and what of them is asked for. */
import { z } from "zod";
import { pytestFolder } from "./junit.ts";

export interface Lane {
  readonly name: string;
  /** Projects of vitest.config.ts. */
  readonly projects: readonly string[];
  /** Whether the tests in Python run in it, and the checks. */
  readonly hasPytest: boolean;
}

/** Each waits for processes now and then: with three the two cores have always something to do. */
export const lanes: readonly Lane[] = [
  { name: "stacks", projects: ["e2e"], hasPytest: false },
  { name: "parts", projects: ["setup", "integration"], hasPytest: false },
  { name: "pieces", projects: ["unit", "local-cloud", "network", "train"], hasPytest: true },
];

/** Claims that a rate of packets decides: they run when nothing else does. */
export const lastLane: Lane = { name: "rates", projects: ["rates"], hasPytest: false };

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

export interface Outcome extends Counts {
  readonly files: readonly { readonly file: string; readonly seconds: number }[];
}

export const noOutcome: Outcome = { passed: 0, failed: 0, files: [] };

export function sumOf(outcomes: readonly Outcome[]): Outcome {
  return outcomes.reduce(
    (one, other) => ({
      passed: one.passed + other.passed,
      failed: one.failed + other.failed,
      files: [...one.files, ...other.files],
    }),
    noOutcome,
  );
}

/** Names of parts of the suite, by who runs them. */
export function share(filters: readonly string[]): { pytest: string[]; vitest: string[]; all: boolean } {
  const pytest = filters.filter((filter) => filter.startsWith(pytestFolder));
  return { pytest, vitest: filters.filter((filter) => !pytest.includes(filter)), all: filters.length === 0 };
}

const report = z.object({
  numPassedTests: z.number(),
  numTotalTests: z.number(),
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      startTime: z.number(),
      endTime: z.number(),
      assertionResults: z.array(z.unknown()),
    }),
  ),
});

/**
 * A skipped test, and a file that could not be loaded, count as failed.
 * @param text vitest's report in JSON @param root what the files' names are relative to
 */
export function outcomeOfVitest(text: string, root: string): Outcome {
  const { numPassedTests: passed, numTotalTests, testResults, success } = report.parse(JSON.parse(text));
  const unloaded = testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  ).length;
  const failed = numTotalTests - passed + unloaded;
  const files = testResults.map(({ name, startTime, endTime }) => ({
    file: name.startsWith(`${root}/`) ? name.slice(root.length + 1) : name,
    seconds: (endTime - startTime) / 1000,
  }));
  // An error outside any test makes the run unsuccessful without a failed test.
  return { passed, failed: failed === 0 && !success && testResults.length > 0 ? 1 : failed, files };
}

/** The files that took longest, a line each. */
export function slowest({ files }: Outcome, count = 10): string[] {
  return files
    .toSorted((one, other) => other.seconds - one.seconds)
    .slice(0, count)
    .map(({ file, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${file}`);
}
