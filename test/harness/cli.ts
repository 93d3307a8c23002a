/** The Pulumi CLI as the project's commands start it, without a process of the project around it, and without a report. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { binDirectory } from "../../scripts/dev/pulumi-cli.ts";
import {
  localCloudSettings,
  pulumiEnvironment,
  withWorkingConfig,
  writeWorkingConfig,
} from "../../scripts/dev/stack.ts";
import { clearStaleLock, stateFile } from "../../scripts/dev/state-file.ts";
import type { Workspace } from "../../scripts/dev/workspace.ts";
import { isForeign, root } from "./process.ts";

export interface CliCommand {
  readonly line: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** @returns undefined as long as the project's own command has not made the stack */
export async function cliCommand(
  workspace: Workspace,
  args: readonly string[],
): Promise<CliCommand | undefined> {
  if (!existsSync(stateFile(workspace))) return undefined;
  clearStaleLock(workspace);
  const configFile = writeWorkingConfig(workspace, await localCloudSettings(workspace));
  const own = Object.entries(pulumiEnvironment(workspace)).filter(
    ([name, value]) => !isForeign(name) || process.env[name] !== value,
  );
  return {
    line: [join(binDirectory(workspace), "pulumi"), ...withWorkingConfig(args, configFile, root)],
    env: Object.fromEntries(own.map(([name, value = ""]) => [name, value])),
  };
}
