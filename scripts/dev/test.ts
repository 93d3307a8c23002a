/** `npm test`: sets the machine up, then every check and every test; ends with the line `N passed, N failed`. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { runChecks } from "./check.ts";
import { testPackages } from "./debian.ts";
import { countJunit, pytestFolder } from "./junit.ts";
import { setUp } from "./setup.ts";
import { pulumiEnvironment } from "./stack.ts";
import { findWorkspace } from "./workspace.ts";

const report = z.object({
  numPassedTests: z.number(),
  numTotalTests: z.number(),
  success: z.boolean(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

const workspace = findWorkspace();
const print = (line: string) => process.stdout.write(`${line}\n`);
await setUp(workspace, print, testPackages);

const checks = await runChecks();
for (const { name, passed, said } of checks)
  print(`${passed ? "passed" : "failed"}: ${name}${passed ? "" : `\n${said}`}`);
const filters = process.argv.slice(2);
const ofPytest = filters.filter((filter) => filter.startsWith(pytestFolder));
const ofVitest = filters.filter((filter) => !ofPytest.includes(filter));
const all = filters.length === 0;
const tests = [
  ...(all || ofPytest.length > 0 ? [await runPytest(all ? [pytestFolder] : ofPytest)] : []),
  ...(all || ofVitest.length > 0 ? [await runVitest(ofVitest)] : []),
];
const sum = (counts: readonly number[]) => counts.reduce((one, other) => one + other, 0);
const passed = sum(tests.map((count) => count.passed)) + checks.filter((check) => check.passed).length;
const failed = sum(tests.map((count) => count.failed)) + checks.filter((check) => !check.passed).length;
print(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > checks.length ? 0 : 1;

/** A skipped test, and a file that could not be loaded, count as failed. */
async function runVitest(only: readonly string[]): Promise<Counts> {
  const vitest = join(workspace.root, "node_modules", ".bin", "vitest");
  const reporters = ["--reporter=default", "--reporter=json"];
  const { report: text } = await runWithReport(vitest, (file) => [
    "run",
    ...reporters,
    `--outputFile.json=${file}`,
    ...only,
  ]);
  const { numPassedTests, numTotalTests, testResults, success } = report.parse(JSON.parse(text));
  const unloaded = testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  ).length;
  const failed = numTotalTests - numPassedTests + unloaded;
  // An error outside any test makes the run unsuccessful without a failed test.
  return { passed: numPassedTests, failed: failed === 0 && !success ? 1 : failed };
}

/** The tests of the scripts in Python, with the Python and PyTorch of the nodes' image. */
async function runPytest(paths: readonly string[]): Promise<Counts> {
  const options = ["-m", "pytest", "-p", "no:cacheprovider", "--durations=5"];
  const { code, report: xml } = await runWithReport("/usr/bin/python3", (file) => [
    ...options,
    `--junit-xml=${file}`,
    // Where it would keep the folders of its last three runs.
    `--basetemp=${join(dirname(file), "pytest")}`,
    ...paths,
  ]);
  return countJunit(xml, code);
}

async function runWithReport(
  command: string,
  argumentsFor: (reportFile: string) => readonly string[],
): Promise<{ code: number; report: string }> {
  const directory = mkdtempSync(join(tmpdir(), "crosszone-test-"));
  const file = join(directory, "report");
  try {
    const code = await new Promise<number>((resolve, reject) => {
      const child = spawn(command, argumentsFor(file), {
        cwd: workspace.root,
        stdio: ["ignore", "inherit", "inherit"],
        env: { ...process.env, PATH: pulumiEnvironment(workspace).PATH, PYTHONDONTWRITEBYTECODE: "1" },
      });
      process.on("SIGTERM", () => child.kill("SIGTERM"));
      child.on("error", reject);
      child.on("close", (ended) => resolve(ended ?? 1));
    });
    return { code, report: readFileSync(file, "utf8") };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
