/** The Pulumi CLI as the project's commands start it, without a process of the project around it, and without a report. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { binDirectory, cliStep } from "../../scripts/dev/pulumi-cli.ts";
import { forgetCutOff } from "../../scripts/dev/repair-state.ts";
import {
  ensureStack,
  localCloudSettings,
  pulumiEnvironment,
  withWorkingConfig,
  workingConfig,
  writeWorkingConfig,
} from "../../scripts/dev/stack.ts";
import { clearStaleLock, stateFile } from "../../scripts/dev/state-file.ts";
import { restoreState } from "../../scripts/dev/whole-state.ts";
import type { Workspace } from "../../scripts/dev/workspace.ts";
import { keyInState, keySettings } from "./key-service.ts";
import { isForeign, root, userEnvironment } from "./process.ts";

export interface CliCommand {
  readonly line: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** State of a stack without resources, as the CLI writes it: the same for each. */
let emptyState: string | undefined;

/**
 * Makes the stack as the project's commands do, the first one of this process by the CLI; its key is the test's own
 * (key-service.ts). Where the CLI has to be fetched or built before, it is left to the first command.
 */
export async function makeStack(workspace: Workspace): Promise<void> {
  if ((await cliStep(workspace).present()) === undefined) return;
  const home = join(workspace.pulumi, "home");
  mkdirSync(home, { recursive: true });
  // Where the folder of its logs is a file the CLI writes none, which takes a tenth of a command's time.
  writeFileSync(join(home, "logs"), "");
  const file = stateFile(workspace);
  if (emptyState === undefined) {
    const env = { ...userEnvironment(), ...ownEnvironment(workspace) };
    await ensureStack(workspace, env);
    const state = JSON.parse(readFileSync(file, "utf8"));
    state.checkpoint.latest.secrets_providers = keyInState;
    emptyState = JSON.stringify(state);
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, emptyState, { mode: 0o600 });
  writeFileSync(workingConfig(workspace), stringify(keySettings), { mode: 0o600 });
}

function ownEnvironment(workspace: Workspace): Record<string, string> {
  const own = Object.entries(pulumiEnvironment(workspace)).filter(
    ([name, value]) => !isForeign(name) || process.env[name] !== value,
  );
  return Object.fromEntries(own.map(([name, value = ""]) => [name, value]));
}

/** @returns undefined as long as the project's own command has not made the stack */
export async function cliCommand(
  workspace: Workspace,
  args: readonly string[],
): Promise<CliCommand | undefined> {
  if (!existsSync(stateFile(workspace))) return undefined;
  clearStaleLock(workspace);
  restoreState(workspace);
  const configFile = writeWorkingConfig(workspace, await localCloudSettings(workspace));
  return {
    line: [join(binDirectory(workspace), "pulumi"), ...withWorkingConfig(args, configFile, root)],
    env: ownEnvironment(workspace),
  };
}

/** What the project's command does once an `up` or a `destroy` of the whole stack has succeeded. */
export function afterCommand(workspace: Workspace, [name = ""]: readonly string[], code: number): void {
  if (code === 0 && ["destroy", "up"].includes(name)) forgetCutOff(workspace);
}
