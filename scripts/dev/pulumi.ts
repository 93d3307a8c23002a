/** `npm run pulumi -- ARGS`: the Pulumi CLI in the project's environment. */
import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { commandOf, isPartial, isShowing } from "../../provider/engine-command.ts";
import { makes, requireSpace } from "./free-space.ts";
import { stackOutputs } from "./outputs.ts";
import { wasInterrupted } from "./process.ts";
import { binDirectory, ensureCli } from "./pulumi-cli.ts";
import { moveSettings, newNameIn, refuseUnfinished, removedIn, removeSettings } from "./rename-stack.ts";
import { refuseZones } from "./renamed-zones.ts";
import {
  clearPendingCreates,
  forgetCutOff,
  forgetKeptDeletions,
  isBehind,
  isRefreshing,
  isSweeping,
  noteCutOff,
  pendingCreates,
  refreshAfterCut,
  refuseDoubled,
  severalMarks,
} from "./repair-state.ts";
import { reportOfEndedRun } from "./run/report.ts";
import { keptSingleRules } from "./single-rules.ts";
import {
  ensureStack,
  localCloudSettings,
  projectCopy,
  pulumiEnvironment,
  withOptions,
  withWorkingConfig,
  workingConfig,
  writeWorkingConfig,
} from "./stack.ts";
import { changing, clearStaleLock, otherCommand, requireUnlocked } from "./state-file.ts";
import { refuseLostState, sweepCommand } from "./strays.ts";
import { beginUp, endUp, endUpAfterOthers } from "./unfinished-up.ts";
import { restoreState } from "./whole-state.ts";
import { findWorkspace, type Workspace } from "./workspace.ts";

const args = process.argv.slice(2);
const wasCutOff =
  "An earlier run did not end a change or a deletion, so the state may be behind the cloud: it is compared first (--refresh; --refresh=false leaves that out).";
try {
  await run(stackOf(args));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = wasInterrupted() ? 130 : 1;
}

async function run(workspace: Workspace): Promise<void> {
  if (makes.has(commandOf(args) ?? "")) requireSpace(workspace);
  await ensureCli(workspace);
  const environment = pulumiEnvironment(workspace);
  process.env.PATH = environment.PATH;
  for (const line of [...clearStaleLock(workspace), ...restoreState(workspace)])
    process.stderr.write(`${line}\n`);
  const command = commandOf(args) ?? "";
  if (changing.has(command)) requireUnlocked(workspace);
  if (changing.has(command) && isPartial(args)) refuseDoubled(workspace);
  noteCutOff(workspace);
  const wasBehind = isBehind(workspace);
  await ensureStack(workspace, environment);
  const machine = workspace.stack === "dev" ? await localCloudSettings(workspace) : {};
  const isUp = ["up", "update"].includes(command);
  const isDestroy = ["destroy", "down", "dn"].includes(command);
  const configFile = isDestroy ? configToDestroy(workspace, machine) : writeWorkingConfig(workspace, machine);
  if (["up", "update", "preview", "pre"].includes(command)) await refuseZones(workspace, configFile, args);
  if (isUp) await refuseLostState(workspace, environment, configFile);
  for (const line of await forgetKeptDeletions(workspace, environment)) process.stderr.write(`${line}\n`);
  const newName = newNameIn(args);
  if (newName !== undefined) await refuseUnfinished(workspace, configFile);
  const removed = removedIn(args, workspace);
  const copy = newName === undefined && removed === undefined ? undefined : projectCopy(workspace);
  const pending = isDestroy ? pendingCreates(workspace) : [];
  const isAllFound = isSweeping(workspace);
  if (pending.length > 0 && !isAllFound) process.stderr.write(`${mayBeLeft(pending, workspace)}\n`);

  const compared = isUp ? refreshAfterCut(args, workspace) : [];
  if (compared.length > 0) process.stderr.write(`${wasCutOff}\n`);
  const isAfterOthers = isUp && !isShowing(args) && beginUp(workspace);
  const child = spawn(
    join(binDirectory(workspace), "pulumi"),
    withWorkingConfig(withOptions(args, compared), configFile, workspace.root),
    {
      cwd: copy ?? workspace.root,
      env: {
        ...environment,
        ...keptSingleRules(args, workspace),
        ...severalMarks(workspace),
      },
      stdio: "inherit",
    },
  );
  process.on("SIGINT", () => {
    if (!process.stdin.isTTY) child.kill("SIGINT");
  });
  process.on("SIGTERM", () => child.kill("SIGINT"));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  }).finally(() => copy === undefined || rmSync(copy, { recursive: true }));
  if (removed !== undefined && code === 0 && !args.includes("--preserve-config"))
    removeSettings(workspace, removed);
  if (newName !== undefined && code === 0)
    for (const line of moveSettings(workspace, newName)) process.stderr.write(`${line}\n`);
  const isDone = code === 0 && !isShowing(args);
  const isWhole = isDone && !isPartial(args);
  if (isWhole && (isUp || (isDestroy && isAllFound && !isSweeping(workspace))))
    await clearPendingCreates(workspace, environment);
  if (isWhole && isUp && isAfterOthers)
    for (const line of await endUpAfterOthers(workspace, configFile)) process.stderr.write(`${line}\n`);
  else if (isWhole && (isUp || isDestroy)) endUp(workspace);
  const isCompared = isDestroy || command === "refresh" || (isUp && isRefreshing([...args, ...compared]));
  if (wasBehind ? isWhole && isCompared : isDone && changing.has(command)) forgetCutOff(workspace);
  if (code === 0 && isUp) await tellReport(workspace, environment);
  // Another command may have been first after the look above; the CLI's advice is to delete its lock.
  const other = code !== 0 && changing.has(command) ? otherCommand(workspace) : undefined;
  if (other !== undefined) process.stderr.write(`Do not delete the lock: ${other}\n`);
  process.exit(code ?? 130);
}

/** Destroy needs no configuration that can be read: that of the last command is as good. */
function configToDestroy(workspace: Workspace, machine: Parameters<typeof writeWorkingConfig>[1]): string {
  try {
    return writeWorkingConfig(workspace, machine);
  } catch (error) {
    const last = workingConfig(workspace);
    if (!existsSync(last)) throw error;
    process.stderr.write(`${(error as Error).message}\nThe configuration of the last command is taken.\n`);
    return last;
  }
}

/** A stack that was made before the provider looked for such resources. */
function mayBeLeft(pending: readonly string[], workspace: Workspace): string {
  return `A killed run was making ${pending.length} resources, which the cloud may have and the state does not know. If destroy is refused because of them, or to see what is left: ${sweepCommand(workspace)}`;
}

/** An `up` that has succeeded is none the worse for a report that can not be made. */
async function tellReport(workspace: Workspace, environment: NodeJS.ProcessEnv): Promise<void> {
  try {
    const outputs = await stackOutputs(workspace, environment);
    const report = await reportOfEndedRun(workspace, environment, outputs, false);
    if (report !== undefined) process.stderr.write(`${report}\n`);
  } catch (error) {
    process.stderr.write(`report  not made: ${(error as Error).message}\n`);
  }
}

/** `--stack NAME` or `-s NAME` chooses the stack of this one command, else PULUMI_STACK, else dev. */
function stackOf(given: readonly string[]): Workspace {
  const found = findWorkspace();
  const index = given.findIndex((arg) => arg === "--stack" || arg === "-s");
  const stack = index >= 0 ? given[index + 1] : given.find((arg) => arg.startsWith("--stack="))?.slice(8);
  return stack === undefined ? found : { ...found, stack };
}
