/**
 * `pulumi stack rename` and `stack rm`: the CLI would rename or delete the committed settings of the checkout, and not the
 * working ones.
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import { positionals } from "../../provider/engine-command.ts";
import { describe } from "../../provider/strays.ts";
import { forgetCutOff, moveCutOff } from "./repair-state.ts";
import { baseConfig, workingConfig } from "./stack.ts";
import { leftInAccount, sweepCommand } from "./strays.ts";
import { endUp, moveUnfinished } from "./unfinished-up.ts";
import type { Workspace } from "./workspace.ts";

/** The name that a stack is to get; undefined where the command is another one. */
export function newNameIn(args: readonly string[]): string | undefined {
  if (args.includes("--help") || args.includes("-h")) return undefined;
  const [command, what, name] = positionals(args);
  return command === "stack" && what === "rename" ? name?.split("/").at(-1) : undefined;
}

/** The stack that is to be removed; undefined where the command is another one. */
export function removedIn(args: readonly string[], { stack }: Workspace): string | undefined {
  if (args.includes("--help") || args.includes("-h")) return undefined;
  const [command, what, name = stack] = positionals(args);
  return command === "stack" && (what === "rm" || what === "remove" || what === "delete")
    ? name.split("/").at(-1)
    : undefined;
}

/** The settings of a stack that is removed go with it, but for the committed ones. */
export function removeSettings(workspace: Workspace, name: string): void {
  const removed = { ...workspace, stack: name };
  for (const path of [workingConfig(removed), baseConfig(removed)]) rmSync(path, { force: true });
  forgetCutOff(removed);
  endUp(removed);
}

/** @throws Error where a killed run, of which the state need not know, has left what would not be found under the names of another stack */
export async function refuseUnfinished(workspace: Workspace, configFile: string): Promise<void> {
  const left = await leftInAccount(workspace, configFile);
  if (left.length === 0) return;
  const stack = workspace.stack === "dev" ? "" : ` --stack ${workspace.stack}`;
  throw new Error(
    `Stack ${workspace.stack} is not renamed: a run that was killed has left what bears its mark and is in no state: ${left.map(describe).join(", ")}. Under the new name it would be made a second time. Remove it: ${sweepCommand(workspace, "--yes")}. Or run \`npm run pulumi -- up${stack}\` once with the configuration of that run, which goes on with it. Then rename the stack.`,
  );
}

/**
 * The settings of a stack that has got another name. All of them count as the user's own from now on: the committed ones
 * are those of the old name.
 * @returns what was done, for the user
 */
export function moveSettings(workspace: Workspace, name: string): string[] {
  if (name === workspace.stack) return [];
  const renamed = { ...workspace, stack: name };
  const path = workingConfig(renamed);
  const kept = `${path}.before`;
  const isThere = existsSync(path);
  if (isThere) renameSync(path, kept);
  renameSync(workingConfig(workspace), path);
  for (const each of [workspace, renamed]) rmSync(baseConfig(each), { force: true });
  moveCutOff(workspace, name);
  moveUnfinished(workspace, name);
  return [
    ...(isThere ? [`settings that an earlier stack ${name} had are kept as ${kept}`] : []),
    `The settings of stack ${name} are in ${path}. Name it in each command: npm run pulumi -- up --stack ${name}, or set PULUMI_STACK=${name}.`,
    ...(workspace.stack === "dev"
      ? [
          "`npm start` is for the stack dev, and so is what a local cloud that is started again changes in the settings: its configFile and its bastion.",
        ]
      : []),
  ];
}
