/** How `npm test` shares the machine out: parts of the suite, some at the same time, and what of them is asked for. */
import { z } from "zod";
import { pytestFolder } from "./junit.ts";

export interface Part {
  readonly name: string;
  /** Projects of vitest.config.ts. */
  readonly projects: readonly string[];
  /** Runs before the projects. */
  readonly also?: "checks" | "pytest";
}

/** Each begins when one before it ends: first the longest, then those that wait most, so that none is alone in the end. */
export const parts: readonly Part[] = [
  { name: "integration", projects: ["integration"] },
  { name: "two-zones", projects: ["two-zones"] },
  { name: "shapes", projects: ["shapes"] },
  { name: "provider", projects: ["provider"] },
  { name: "network", projects: ["network"] },
  { name: "e2e", projects: ["e2e"] },
  { name: "setup", projects: ["setup"] },
  { name: "pieces", projects: ["local-cloud", "train"] },
  { name: "pytest", projects: [], also: "pytest" },
  { name: "unit", projects: ["unit"], also: "checks" },
];

/** Each waits for processes now and then: with three the two cores have always something to do. */
export const partsAtOnce = 3;

/** Claims that a rate of packets decides: they run when nothing else does. */
export const lastPart: Part = { name: "rates", projects: ["rates"] };

/** Tests that `npm test` has no time for: `npm run bench -- long`, or by the files' names. */
export const longProject = "long";

/** For files that are named: the checks, and one vitest that looks for them in all projects. */
export const partsOfNamed: readonly Part[] = [
  { name: "checks", projects: [], also: "checks" },
  { name: "pytest", projects: [], also: "pytest" },
  { name: "named", projects: [...[...parts, lastPart].flatMap(({ projects }) => projects), longProject] },
];

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
