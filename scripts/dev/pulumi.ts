/** `npm run pulumi -- ARGS`: the Pulumi CLI in the project's environment. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { makes, requireSpace } from "./free-space.ts";
import { stackOutputs } from "./outputs.ts";
import { wasInterrupted } from "./process.ts";
import { binDirectory, ensureCli } from "./pulumi-cli.ts";
import { refuseRenamed } from "./renamed-zones.ts";
import {
  clearPendingCreates,
  finishPendingCreates,
  forgetKeptDeletions,
  pendingCreates,
} from "./repair-state.ts";
import { reportOfEndedRun } from "./run/report.ts";
import { isPartial, keptSingleRules } from "./single-rules.ts";
import {
  commandOf,
  ensureStack,
  localCloudSettings,
  pulumiEnvironment,
  withWorkingConfig,
  writeWorkingConfig,
} from "./stack.ts";
import { changing, clearStaleLock, otherCommand, requireUnlocked } from "./state-file.ts";
import { restoreState } from "./whole-state.ts";
import { findWorkspace, type Workspace } from "./workspace.ts";

const args = process.argv.slice(2);
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
  if (changing.has(commandOf(args) ?? "")) requireUnlocked(workspace);
  await ensureStack(workspace, environment);
  const machine = workspace.stack === "dev" ? await localCloudSettings(workspace) : {};
  const configFile = writeWorkingConfig(workspace, machine);
  if (["up", "update", "preview", "pre"].includes(commandOf(args) ?? ""))
    refuseRenamed(workspace, configFile);
  for (const line of await forgetKeptDeletions(workspace, environment)) process.stderr.write(`${line}\n`);
  if (["destroy", "down", "dn"].includes(commandOf(args) ?? "") && pendingCreates(workspace).length > 0) {
    process.stderr.write("finishing what a killed run was creating, so that destroy finds it …\n");
    await finishPendingCreates(workspace, environment, configFile);
  }

  const child = spawn(
    join(binDirectory(workspace), "pulumi"),
    withWorkingConfig(args, configFile, workspace.root),
    {
      cwd: workspace.root,
      env: { ...environment, ...keptSingleRules(args, workspace) },
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
  });
  const isUp = ["up", "update"].includes(commandOf(args) ?? "");
  if (code === 0 && isUp) {
    if (!isPartial(args)) await clearPendingCreates(workspace, environment);
    await tellReport(workspace, environment);
  }
  // Another command may have been first after the look above; the CLI's advice is to delete its lock.
  const other = code !== 0 && changing.has(commandOf(args) ?? "") ? otherCommand(workspace) : undefined;
  if (other !== undefined) process.stderr.write(`Do not delete the lock: ${other}\n`);
  process.exit(code ?? 130);
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
