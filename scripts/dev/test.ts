/** `npm test`: sets the machine up, then every check and every test; ends with the line `N passed, N failed`. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { runChecks } from "./check.ts";
import { testPackages } from "./debian.ts";
import { setUp } from "./setup.ts";
import { pulumiEnvironment } from "./stack.ts";
import { findWorkspace } from "./workspace.ts";

const report = z.object({
  numPassedTests: z.number(),
  numTotalTests: z.number(),
  success: z.boolean(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});

const workspace = findWorkspace();
const print = (line: string) => process.stdout.write(`${line}\n`);
await setUp(workspace, print, testPackages);

const checks = await runChecks();
for (const { name, passed, said } of checks)
  print(`${passed ? "passed" : "failed"}: ${name}${passed ? "" : `\n${said}`}`);
const tests = await runVitest(process.argv.slice(2));
const passed = tests.passed + checks.filter((check) => check.passed).length;
const failed = tests.failed + checks.filter((check) => !check.passed).length;
print(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > checks.length ? 0 : 1;

/** A skipped test, and a file that could not be loaded, count as failed. */
async function runVitest(filters: readonly string[]): Promise<{ passed: number; failed: number }> {
  const directory = mkdtempSync(join(tmpdir(), "crosszone-test-"));
  const outputFile = join(directory, "report.json");
  try {
    await new Promise<void>((resolve, reject) => {
      const args = [
        "run",
        "--reporter=default",
        "--reporter=json",
        `--outputFile.json=${outputFile}`,
        ...filters,
      ];
      const child = spawn(join(workspace.root, "node_modules", ".bin", "vitest"), args, {
        cwd: workspace.root,
        stdio: ["ignore", "inherit", "inherit"],
        env: { ...process.env, PATH: pulumiEnvironment(workspace).PATH },
      });
      process.on("SIGTERM", () => child.kill("SIGTERM"));
      child.on("error", reject);
      child.on("close", () => resolve());
    });
    const { numPassedTests, numTotalTests, testResults, success } = report.parse(
      JSON.parse(readFileSync(outputFile, "utf8")),
    );
    const unloaded = testResults.filter(
      (file) => file.status === "failed" && file.assertionResults.length === 0,
    ).length;
    const failed = numTotalTests - numPassedTests + unloaded;
    // An error outside any test makes the run unsuccessful without a failed test.
    return { passed: numPassedTests, failed: failed === 0 && !success ? 1 : failed };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
