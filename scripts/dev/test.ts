/**
 * `npm test`: sets the machine up, then every check and every test; ends with the line `N passed, N failed`.
 * `npm test -- NAME …` runs the files whose path has a NAME in it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { findPrivilege } from "../../local-cloud/privilege.ts";
import { runChecks } from "./check.ts";
import { testPackages } from "./debian.ts";
import { outcomeOfPytest, pytestFolder } from "./junit.ts";
import { refusalOf } from "./machine.ts";
import { forwardSignals } from "./process.ts";
import { Progress } from "./progress.ts";
import { setUp } from "./setup.ts";
import { pulumiEnvironment } from "./stack.ts";
import {
  lastPart,
  noOutcome,
  type Outcome,
  outcomeOfVitest,
  type Part,
  parts,
  partsAtOnce,
  partsOfNamed,
  share,
  slowest,
  sumOf,
} from "./test-parts.ts";
import { findWorkspace } from "./workspace.ts";

const workspace = findWorkspace();
const print = (line: string) => process.stdout.write(`${line}\n`);
const running = new Set<ChildProcess>();
let isInterrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    isInterrupted = true;
    // A terminal's Ctrl-C reaches the children directly.
    if (signal === "SIGTERM" || !process.stdin.isTTY) for (const child of running) child.kill(signal);
  });
}

const testsNeedRoot =
  "npm test needs root for the tests of the data plane; this is another user. Run it as root in another clone, or name tests that do without: npm test -- test/unit";
const asked = share(process.argv.slice(2));
const refusal = refusalOf("npm test") ?? (asked.all && process.getuid?.() !== 0 ? testsNeedRoot : undefined);
if (refusal !== undefined) {
  process.stderr.write(`${refusal}\n`);
  process.exit(1);
}
const started = performance.now();
forwardSignals();
try {
  await setUp(workspace, new Progress(), { morePackages: testPackages, privilege: findPrivilege() });
} catch (error) {
  process.stderr.write(`\n${(error as Error).message}\n`);
  process.exit(isInterrupted ? 130 : 1);
}
const setUpEnded = performance.now();
const waiting = [...(asked.all ? parts : partsOfNamed)];
const outcomes = await Promise.all(Array.from({ length: partsAtOnce }, runWaiting));
const total = sumOf([...outcomes, asked.all ? await runPart(lastPart) : noOutcome]);
if (isInterrupted) process.exit(130);
print("\nThe files that took longest:");
for (const line of slowest(total)) print(line);
const seconds = (from: number, to: number) => `${((to - from) / 1000).toFixed(0)} s`;
print(`Set-up ${seconds(started, setUpEnded)}, tests ${seconds(setUpEnded, performance.now())}.`);
print(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.files.length > 0 ? 0 : 1;

/** Runs one part after another until none waits any longer. */
async function runWaiting(): Promise<Outcome> {
  const found: Outcome[] = [];
  for (let part = waiting.shift(); part !== undefined && !isInterrupted; part = waiting.shift())
    found.push(await runPart(part));
  return sumOf(found);
}

async function runPart(part: Part): Promise<Outcome> {
  const found: Outcome[] = [];
  const pytest = asked.all ? [pytestFolder] : asked.pytest;
  if (part.also === "checks") found.push(await runAllChecks());
  if (part.also === "pytest" && pytest.length > 0) found.push(await runPytest(part, pytest));
  if (part.projects.length > 0 && (asked.all || asked.vitest.length > 0) && !isInterrupted)
    found.push(await runVitest(part));
  return sumOf(found);
}

async function runAllChecks(): Promise<Outcome> {
  const checks = await runChecks();
  for (const { name, passed, said } of checks) {
    print(`${passed ? "passed" : "failed"}: ${name}${passed ? "" : `\n${said}`}`);
  }
  const passed = checks.filter((check) => check.passed).length;
  return { passed, failed: checks.length - passed, files: [] };
}

async function runVitest(part: Part): Promise<Outcome> {
  const vitest = join(workspace.root, "node_modules", "vitest", "vitest.mjs");
  const projects = part.projects.flatMap((project) => ["--project", project]);
  const reporters = ["--reporter=default", "--reporter=json"];
  const { code, report } = await runWithReport(part, process.execPath, (file) => [
    vitest,
    "run",
    ...projects,
    "--passWithNoTests",
    ...reporters,
    `--outputFile.json=${file}`,
    ...asked.vitest,
  ]);
  if (report === undefined) return code === 0 ? noOutcome : { ...noOutcome, failed: 1 };
  return outcomeOfVitest(report, workspace.root);
}

/** The tests of the scripts in Python, with the Python and PyTorch of the nodes' image. */
async function runPytest(part: Part, paths: readonly string[]): Promise<Outcome> {
  const { code, report } = await runWithReport(part, "/usr/bin/python3", (file) => [
    ...["-m", "pytest", "-p", "no:cacheprovider", "--durations=5", `--junit-xml=${file}`],
    // Where it would keep the folders of its last three runs.
    `--basetemp=${join(dirname(file), "pytest")}`,
    ...paths,
  ]);
  return report === undefined ? { ...noOutcome, failed: 1 } : outcomeOfPytest(report, code);
}

/** Runs a program that writes a report into the file that it is given; its lines are printed with the part's name. */
async function runWithReport(
  part: Part,
  command: string,
  argumentsFor: (reportFile: string) => readonly string[],
): Promise<{ code: number; report: string | undefined }> {
  const directory = mkdtempSync(join(tmpdir(), "crosszone-test-"));
  const file = join(directory, "report");
  try {
    const code = await new Promise<number>((resolve, reject) => {
      const child = spawn(command, argumentsFor(file), {
        cwd: workspace.root,
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, PATH: pulumiEnvironment(workspace).PATH, PYTHONDONTWRITEBYTECODE: "1" },
      });
      running.add(child);
      for (const input of [child.stdout, child.stderr]) {
        createInterface({ input }).on("line", (line) => print(line === "" ? "" : `${part.name} | ${line}`));
      }
      child.on("error", reject);
      child.on("close", (ended) => {
        running.delete(child);
        resolve(ended ?? 1);
      });
    });
    return { code, report: existsSync(file) ? readFileSync(file, "utf8") : undefined };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
