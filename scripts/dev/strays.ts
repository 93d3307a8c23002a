/** Resources of a stack that no state knows: a run was killed, or its state was deleted. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { isKnown } from "../../provider/cloud/known-ids.ts";
import { sweepCommand as ofStack } from "../../provider/cloud/left-behind.ts";
import { digitsOf, markIn, physicalName } from "../../provider/cloud/naming.ts";
import { configuration, configure } from "../../provider/configuration.ts";
import { definitions } from "../../provider/definitions.ts";
import { Operations } from "../../provider/operations.ts";
import type { Context } from "../../provider/resource.ts";
import { findMarked, type Stray } from "../../provider/strays.ts";
import { messageOf } from "../../qingcloud/errors.ts";
import { backendUrl } from "./stack.ts";
import { knownIds, marksInState, readState } from "./state-file.ts";
import type { Workspace } from "./workspace.ts";

const signals = ["SIGINT", "SIGTERM"] as const;

/** The program's components that resources with a name are in. */
const parents = ["", "crosszone:network:Zone$", "crosszone:network:Tunnel$"].map(
  (each) => `crosszone:network:Network$${each}`,
);

/**
 * Works on the account that the stack's configuration names.
 * @param configFile the stack's working configuration
 */
export async function onAccount<Result>(
  configFile: string,
  say: (line: string) => void,
  work: (context: Context) => Promise<Result>,
  operations = new Operations(),
): Promise<Result> {
  const session = configure(providerSettings(configFile));
  const log = (severity: string, _urn: string, message: string) => severity === "warning" && say(message);
  try {
    return await operations.begin({ urn: "", session, engine: { log } }).run(work);
  } finally {
    session.client.close();
  }
}

function providerSettings(configFile: string): Record<string, string> {
  const { config = {} } = parse(readFileSync(configFile, "utf8")) as { config?: Record<string, unknown> };
  const text = z.string();
  return Object.fromEntries(
    Object.keys(configuration.shape).flatMap((name) => {
      const value = text.safeParse(config[`qingcloud:${name}`]);
      return value.success ? [[name, value.data]] : [];
    }),
  );
}

/**
 * Resources that bear a mark of the stack and are in no state. Where the state has no mark, the marks are those that some
 * name says to be of a stack of this name of this project.
 * @param own digits of the marks in the state
 * @param known ids in the states
 */
export async function straysOf(
  context: Context,
  workspace: Workspace,
  own: readonly string[],
  known: ReadonlySet<string> = new Set(),
): Promise<Stray[]> {
  const [only, ...others] = own;
  const search = only === undefined || others.length > 0 ? {} : { digits: only };
  const found = await findMarked(context, definitions, search);
  const marks = new Set(own.length === 0 ? marksOfStack(found, workspace) : own);
  return found.filter((each) => marks.has(markIn(each.name) ?? "") && !isKnown(each, (id) => known.has(id)));
}

function marksOfStack(found: readonly Stray[], workspace: Workspace): string[] {
  const kept = keptMarks(workspace);
  return found
    .filter((stray) => isOfStack(stray, workspace.stack))
    .flatMap(({ name }) => markIn(name) ?? [])
    .filter((mark) => !kept.has(mark));
}

/** Whether the name was made of an URN of this project's program in a stack of this name. */
function isOfStack({ name, definition: { type } }: Stray, stack: string): boolean {
  const mark = markIn(name);
  if (mark === undefined) return false;
  const logicalName = name.slice(0, name.lastIndexOf(`-${mark}-`));
  return parents.some(
    (each) =>
      physicalName(`urn:pulumi:${stack}::crosszone::${each}${type}::${logicalName}`, { mark }) === name,
  );
}

const marksFile = ({ pulumi }: Workspace) => join(pulumi, "marks-of-others.json");

/** Marks that the user has said to be somebody else's. */
function keptMarks(workspace: Workspace): ReadonlySet<string> {
  const file = marksFile(workspace);
  return new Set(existsSync(file) ? z.array(z.string()).parse(JSON.parse(readFileSync(file, "utf8"))) : []);
}

export function keepMark(workspace: Workspace, mark: string): void {
  const all = [...new Set([...keptMarks(workspace), digitsOf(mark)])];
  writeFileSync(marksFile(workspace), `${JSON.stringify(all)}\n`);
}

/**
 * Before the first `up` of a state: what an earlier one has made would be made a second time next to it.
 * @throws Error with what is there and what to do, or where the account cannot be looked at
 */
export async function refuseLostState(
  workspace: Workspace,
  environment: NodeJS.ProcessEnv,
  configFile: string,
): Promise<void> {
  const isOurs = environment.PULUMI_BACKEND_URL === backendUrl(workspace);
  if (!isOurs || marksInState(workspace).length > 0) return;
  const stored = readState(workspace)?.resources ?? [];
  // Resources in a state without a mark get names with a new mark, and stay.
  const strays = await lookAtAccount(workspace, configFile, [], knownIds(workspace));
  if (strays.length === 0) return;
  const marks = [...new Set(strays.map(({ name }) => markIn(name) ?? ""))];
  const zones = [...new Set(strays.map(({ zone }) => zone))].sort();
  const others = marks.map((mark) => sweepCommand(workspace, "--not-mine", mark)).join(" && ");
  const question = stored.some(({ id }) => id !== undefined)
    ? "It has others, and no StackMark: has it been edited by hand?"
    : `Has ${workspace.pulumi} been deleted, or has a colleague a stack of this name?`;
  throw new Error(
    `The account already has ${strays.length} resources of a stack "${workspace.stack}" of this project in ${zones.join(" and ")} (mark ${marks.join(", ")}), and the state here knows none of them. ${question}
  - If you have a copy of it, put it back and run this again.
  - Without it nobody can log in to these nodes. To see what is there: ${sweepCommand(workspace)}
    To remove it: ${marks.map((mark) => sweepCommand(workspace, "--yes", "--mark", mark)).join(" or ")}, then run this again.
  - If it is somebody else's, and yours is to be made next to it: ${others}, then run this again.`,
  );
}

/** As `straysOf`; Ctrl-C ends it. */
export async function lookAtAccount(
  workspace: Workspace,
  configFile: string,
  ...[own, known]: [own: readonly string[], known?: ReadonlySet<string>]
): Promise<Stray[]> {
  const operations = new Operations();
  const cancel = () => operations.cancel();
  for (const signal of signals) process.on(signal, cancel);
  try {
    return await onAccount(
      configFile,
      () => {},
      (context) => straysOf(context, workspace, own, known),
      operations,
    );
  } catch (error) {
    throw new Error(
      `Whether the account already has resources of a stack "${workspace.stack}" that no state knows could not be found out: ${messageOf(error)}`,
      { cause: error },
    );
  } finally {
    for (const signal of signals) process.off(signal, cancel);
  }
}

/** Resources that bear a mark in the stack's state and are in no state; none where it has no mark. */
export async function leftInAccount(workspace: Workspace, configFile: string): Promise<Stray[]> {
  const marks = marksInState(workspace);
  return marks.length === 0 ? [] : await lookAtAccount(workspace, configFile, marks, knownIds(workspace));
}

/** `npm run sweep` for this stack. */
export function sweepCommand({ stack }: Workspace, ...options: readonly string[]): string {
  return ofStack(stack, ...options);
}
