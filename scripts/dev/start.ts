/** `npm start`: from a fresh clone to a model trained across two zones. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { runningStatus } from "../../local-cloud/commands.ts";
import { rootCommand } from "../../local-cloud/elevation.ts";
import { Home } from "../../local-cloud/home.ts";
import { checkPrerequisites } from "../../local-cloud/network/machine/prerequisites.ts";
import { tryMachine } from "../../local-cloud/network/machine/trials.ts";
import { findRunning } from "../../local-cloud/pid-record.ts";
import { findPrivilege, forAdministrator, type Privilege } from "../../local-cloud/privilege.ts";
import { installCommand, mainJobPackages, missingPackages } from "./debian.ts";
import { requireSpace } from "./free-space.ts";
import { refusalOf, worksWithoutDataPlane } from "./machine.ts";
import { stackOutputs } from "./outputs.ts";
import { capture, forwardSignals, succeed } from "./process.ts";
import { Progress } from "./progress.ts";
import { refuseZones } from "./renamed-zones.ts";
import { clearPendingCreates, forgetCutOff, forgetKeptDeletions, noteCutOff } from "./repair-state.ts";
import { reportOfEndedRun, reportOfRun } from "./run/report.ts";
import { setUp } from "./setup.ts";
import {
  ensureStack,
  localCloudSettings,
  pulumiEnvironment,
  withWorkingConfig,
  writeWorkingConfig,
} from "./stack.ts";
import { clearStaleLock, otherCommand, requireUnlocked } from "./state-file.ts";
import { refuseLostState } from "./strays.ts";
import { summarize } from "./summary.ts";
import { beginUp, endUp, endUpAfterOthers } from "./unfinished-up.ts";
import { restoreState } from "./whole-state.ts";
import { findWorkspace, type Workspace } from "./workspace.ts";

const print = (line: string) => process.stdout.write(`${line}\n`);
const wasInterrupted = forwardSignals();
const started = performance.now();

try {
  process.exitCode = await start(findWorkspace());
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
if (wasInterrupted()) {
  print("\nStopped in the middle: what was made is kept, and the next `npm start` goes on from there.");
  process.exitCode = 130;
}

async function start(workspace: Workspace): Promise<number> {
  const refusal = refusalOf("npm start");
  if (refusal !== undefined) throw new Error(refusal);
  requireSpace(workspace);
  const privilege = findPrivilege();
  const home = new Home(workspace.cloud);
  if (privilege === undefined) await requireNoRoot(home);
  if (privilege?.kind === "root" && statSync(workspace.root).uid !== 0) {
    print(
      "Run as root, all that is made in this checkout belongs to root. Its user's `npm start` uses sudo where it must.",
    );
  }
  // Before set-up, which takes minutes, and again when its programs are there.
  requireOf(tryMachine());
  await setUp(workspace, new Progress(), { privilege });
  if (privilege?.kind === "root") requireOf(checkPrerequisites());
  if (wasInterrupted()) return 130;

  await timed("local cloud", async () => {
    await startCloud(home, privilege);
    return "running, two zones (npm run cloud -- status)";
  });

  const environment = pulumiEnvironment(workspace);
  process.env.PATH = environment.PATH;
  for (const line of [...clearStaleLock(workspace), ...restoreState(workspace)]) print(line);
  requireUnlocked(workspace);
  await ensureStack(workspace, environment);
  noteCutOff(workspace);
  for (const line of await forgetKeptDeletions(workspace, environment)) print(line);
  const configFile = writeWorkingConfig(workspace, await localCloudSettings(workspace));
  await refuseZones(workspace, configFile);
  await refuseLostState(workspace, environment, configFile);
  if (wasInterrupted()) return 130;

  const up = withWorkingConfig(
    [
      "up",
      "--yes",
      "--refresh",
      "--skip-preview",
      "--non-interactive",
      "--color",
      "never",
      "--suppress-outputs",
    ],
    configFile,
    workspace.root,
  );
  print(`pulumi up of stack ${workspace.stack}`);
  const isAfterOthers = beginUp(workspace);
  const upStarted = performance.now();
  const { code, stdout, stderr } = await capture("pulumi", up, {
    cwd: workspace.root,
    env: environment,
    onLine: showProgress(),
  });
  // Another command may have been first after the look above; the CLI's advice is to delete its lock.
  const other = stderr.includes("is currently locked by") ? otherCommand(workspace) : undefined;
  if (stderr.trim() !== "") process.stderr.write(`${other ?? stderr.trimEnd()}\n`);
  print(`pulumi up: ended with ${code} (${seconds(upStarted)} s)`);
  const isChanged = /^ {4}[+~-]+ ?\d+ /m.test(stdout);
  if (code !== 0) {
    // A run that failed has something to show too.
    const hasRun = / rank \d+ \|/.test(stdout) && !wasInterrupted();
    const report = hasRun ? await reportOfRun(workspace, environment) : undefined;
    if (report !== undefined) print(report);
    return code;
  }
  await clearPendingCreates(workspace, environment);
  forgetCutOff(workspace);
  if (!isAfterOthers) endUp(workspace);
  else for (const line of await endUpAfterOthers(workspace, configFile)) print(line);
  if (!isChanged) print("\nNothing has changed since the last run: no resource was touched.");

  const outputs = await stackOutputs(workspace, environment);
  print("");
  for (const line of summarize(outputs)) print(line);
  const report = await reportOfEndedRun(workspace, environment, outputs, isChanged);
  if (report !== undefined) print(report);
  print(`\nDone in ${seconds(started)} s. Remove everything: npm run pulumi -- destroy --yes`);
  return 0;
}

async function startCloud(home: Home, privilege: Privilege | undefined): Promise<void> {
  if (privilege === undefined || (await runningStatus(home.path)) !== undefined) return;
  // The user's, so that the cloud hands over what is for its user.
  home.create();
  const command = rootCommand(home, ["start"]);
  privilege.ask(command, print);
  const [program = "", ...args] = privilege.kind === "root" ? ownCommand(home) : privilege.line(command);
  await succeed(program, args, { interrupt: privilege.interrupt });
}

function ownCommand(home: Home): string[] {
  const start = join(import.meta.dirname, "..", "..", "toolchain", "start");
  return [start, "local-cloud/main.ts", "start", "--home", home.path];
}

/** @throws Error with what an administrator can run, where something needs root */
async function requireNoRoot(home: Home): Promise<void> {
  const missing = await missingPackages(mainJobPackages);
  const commands = [
    ...(missing.length === 0 ? [] : [installCommand("install", missing)]),
    ...((await findRunning(home.pid)) === undefined ? [rootCommand(home, ["start"])] : []),
  ];
  if (commands.length === 0) return;
  home.create();
  throw new Error(
    `npm start needs root for the local cloud, and this user has no sudo, or sudo wants a password and there is no terminal to ask on. Run it in a terminal, or ${forAdministrator(commands)}\nThen \`npm start\` goes on as this user, as long as that cloud runs. This works without root:\n${worksWithoutDataPlane}`,
  );
}

/** @throws Error with what the machine lacks, and what it can run */
function requireOf(problems: readonly string[]): void {
  if (problems.length === 0) return;
  const lines = problems.map((line) => `  - ${line}`).join("\n");
  throw new Error(
    `This machine cannot run the local cloud:\n${lines}\nThis works without:\n${worksWithoutDataPlane}`,
  );
}

/** Lines of a rank stand alone; the CLI repeats all messages under "Diagnostics", where those of ranks are left out. */
function showProgress(): (line: string) => void {
  let isRepeated = false;
  return (line) => {
    if (line.startsWith("Diagnostics:")) isRepeated = true;
    const [rank] = /rank \d+ \|.*$/.exec(line) ?? [];
    if (rank === undefined) {
      if (line.trim() !== "" && !/^@ | refresh(ing)? \(/.test(line)) print(line.replace(/ \{"runId".*$/, ""));
    } else if (!isRepeated) print(rank);
  };
}

async function timed(name: string, work: () => Promise<string>): Promise<void> {
  const began = performance.now();
  const result = await work();
  print(`${name}: ${result} (${seconds(began)} s)`);
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
