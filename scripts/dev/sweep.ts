/** `npm run sweep`: lists or removes resources of a stack that no state knows. */
import { Command, Option } from "commander";
import { table } from "../../local-cloud/table.ts";
import { idsOf } from "../../provider/cloud/known-ids.ts";
import { markIn, markOf } from "../../provider/cloud/naming.ts";
import { definitions } from "../../provider/definitions.ts";
import { Operations } from "../../provider/operations.ts";
import type { Context } from "../../provider/resource.ts";
import { type Stray, Strays } from "../../provider/strays.ts";
import { messageOf } from "../../qingcloud/errors.ts";
import { succeed } from "./process.ts";
import { ensureCli } from "./pulumi-cli.ts";
import { exportState, resourcesIn } from "./run/state.ts";
import { localCloudSettings, pulumiEnvironment, writeWorkingConfig } from "./stack.ts";
import { clearStaleLock, requireUnlocked, stackMarksIn } from "./state-file.ts";
import { keepMark, onAccount, straysOf, sweepCommand } from "./strays.ts";
import { findWorkspace, type Workspace } from "./workspace.ts";

interface Choice {
  readonly stack?: string;
  readonly yes?: boolean;
  readonly mark?: string;
  readonly notMine?: string;
}

const print = (line: string) => process.stdout.write(`${line}\n`);
const operations = new Operations();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => operations.cancel());

await new Command("sweep")
  .description(
    "List what bears the mark of a stack and is in no state: a run that was killed leaves it, and a state that was deleted.",
  )
  .addOption(new Option("-s, --stack <name>", "the stack (default: PULUMI_STACK, or dev)"))
  .option("--yes", "remove it")
  .option("--mark <mark>", "only what bears this mark; needed with --yes where the state is lost")
  .option("--not-mine <mark>", "make the stack next to what bears this mark, which is somebody else's")
  .action(sweep)
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = operations.isCancelled ? 130 : 1;
  });

async function sweep({ stack, yes = false, mark, notMine }: Choice): Promise<void> {
  const found = findWorkspace();
  const workspace = stack === undefined ? found : { ...found, stack };
  if (notMine !== undefined) {
    if (!/^[0-9a-f]{8}$/.test(notMine))
      throw new Error(`--not-mine: "${notMine}" is no mark; it has eight hexadecimal digits, e.g. 0badcafe.`);
    keepMark(workspace, notMine);
    print(`What bears the mark ${notMine} is left alone from now on.`);
    return;
  }
  await ensureCli(workspace);
  const environment = pulumiEnvironment(workspace);
  process.env.PATH = environment.PATH;
  for (const line of clearStaleLock(workspace)) print(line);
  // A running command writes into the state only later what it makes.
  requireUnlocked(workspace);
  const { own, known } = await readStates(workspace, environment);
  const machine = workspace.stack === "dev" ? await localCloudSettings(workspace) : {};
  const configFile = writeWorkingConfig(workspace, machine);
  const work = async (context: Context) => {
    // One that the state does not have is looked for by the names.
    const isOwn = mark === undefined || own.includes(mark);
    const all = await straysOf(context, workspace, isOwn ? own : [], known);
    const strays = all.filter(({ name }) => mark === undefined || markIn(name) === mark);
    const marks = [...new Set(strays.map(({ name }) => markIn(name) ?? ""))];
    show(strays);
    if (strays.length === 0) return;
    if (!yes) {
      print(`\nRemove them: ${commands(workspace, own, marks).join(" or ")}`);
      return;
    }
    if (own.length === 0 && mark === undefined)
      throw new Error(
        `The state of stack ${workspace.stack} has no mark, and these may be a colleague's. Say which to remove: ${commands(workspace, own, marks).join(" or ")}`,
      );
    for (const each of marks) {
      const options = { definitions, mark: markOf(each, true, context.urn), isEnding: true, known };
      await new Strays(context, options).removeThese(strays.filter(({ name }) => markIn(name) === each));
    }
    print(`${strays.length} removed`);
  };
  await onAccount(configFile, print, work, operations);
}

/** The marks of the stack, and the ids in the states of all stacks. */
async function readStates(workspace: Workspace, env: NodeJS.ProcessEnv) {
  const { PULUMI_STACK: _, ...rest } = env;
  const { stdout } = await succeed("pulumi", ["stack", "ls", "--json"], { cwd: workspace.root, env: rest });
  const names = (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name);
  const states = await Promise.all(
    names.map(async (name) => {
      const text = await exportState({ ...workspace, stack: name }, { ...env, PULUMI_STACK: name });
      return [name, text === undefined ? [] : resourcesIn(text)] as const;
    }),
  );
  const own = states.find(([name]) => name === workspace.stack)?.[1] ?? [];
  return {
    own: stackMarksIn(own).map(({ id }) => id ?? ""),
    known: new Set(states.flatMap(([, resources]) => resources.flatMap(idsOf))),
  };
}

/** Commands that remove strays, one for each mark where the state does not say which is its own. */
function commands(workspace: Workspace, own: readonly string[], marks: readonly string[]): string[] {
  return own.length === 0
    ? marks.map((mark) => sweepCommand(workspace, "--yes", "--mark", mark))
    : [sweepCommand(workspace, "--yes")];
}

function show(strays: readonly Stray[]): void {
  if (strays.length === 0) {
    print("Nothing bears the mark of the stack and is in no state.");
    return;
  }
  const rows = strays.map(({ definition, id, name, zone }) => [
    definition.type.split(":").at(-1) ?? "",
    id,
    name,
    zone,
  ]);
  print(table([["KIND", "ID", "NAME", "ZONE"], ...rows]));
}
