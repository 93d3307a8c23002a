/** `npm run train -- COMMAND`: the training run of the selected stack, as it is now. */
import { Command, Option } from "commander";
import { table } from "../../local-cloud/table.ts";
import { ensureCli } from "./pulumi-cli.ts";
import { ask, type RankSummary, showLog } from "./run/agent.ts";
import { askAll, describe, planOf, readOutputs } from "./run/plan.ts";
import { type RankOnNode, readRanks } from "./run/ranks.ts";
import { makeReport } from "./run/report.ts";
import { exportState } from "./run/state.ts";
import { pulumiEnvironment } from "./stack.ts";
import { findWorkspace } from "./workspace.ts";

/** A failure that the user can fix; the message says how. */
class Failure extends Error {}

interface Choice {
  readonly stack?: string;
  readonly json?: boolean;
  readonly rank?: string;
}

const print = (line: string) => process.stdout.write(`${line}\n`);
const interrupted = new AbortController();
process.on("SIGINT", () => interrupted.abort());
process.on("SIGTERM", () => interrupted.abort());

const program = new Command("train").description("the training run of a stack");
const command = (name: string, what: string) =>
  ofRun(name, what).addOption(new Option("--rank <n>", "of this rank only"));
const ofRun = (name: string, what: string) =>
  program
    .command(name)
    .description(what)
    .addOption(new Option("-s, --stack <name>", "the stack (default: PULUMI_STACK, or dev)"));
const json = () => new Option("--json", "print JSON");

command("status", "what became of every rank; exit code 1 if one has failed, was stopped or can not be asked")
  .addOption(json())
  .action(async (choice: Choice) => {
    const ranks = await ranksOf(choice);
    const states = await Promise.all(
      ranks.map((rank) => attempt(rank, () => ask(rank, { subcommand: "status" }))),
    );
    show(choice, states);
    if (states.some(({ state }) => state !== "running" && state !== "succeeded")) process.exitCode = 1;
  });
command("logs", "print what the ranks say")
  .option("-f, --follow", "go on until they end")
  .option("--since <time>", "only of the last time, e.g. 30s, 5m, 2h")
  .action(async (choice: Choice & { follow?: boolean; since?: string }) => {
    const ranks = await ranksOf(choice);
    const since = choice.since === undefined ? undefined : secondsOf(choice.since);
    const prefix = (rank: RankOnNode) => (ranks.length > 1 ? `rank ${namesOf(rank)} | ` : "");
    const request = { since, follow: choice.follow === true };
    await Promise.all(
      ranks.map((rank) =>
        showLog(rank, request, (line) => print(prefix(rank) + line), interrupted.signal).catch((error) => {
          if (!interrupted.signal.aborted) throw error;
        }),
      ),
    );
  });
command("stop", "end the ranks; the next `up` starts them again")
  .addOption(json())
  .action(async (choice: Choice) => {
    const ranks = await ranksOf(choice);
    show(
      choice,
      await Promise.all(ranks.map((rank) => attempt(rank, () => ask(rank, { subcommand: "stop" })))),
    );
  });
command("restart", "end the ranks and start another attempt of the same run, unless it has succeeded")
  .addOption(json())
  .action(async (choice: Choice) => {
    const ranks = await ranksOf(choice);
    await Promise.all(ranks.map((rank) => ask(rank, { subcommand: "stop" })));
    const launch = (rank: RankOnNode) => ask(rank, { subcommand: "launch", more: relaunch(rank) });
    // Rank 0 first: the others knock at its port.
    const [first, ...others] = ranks;
    const states = first === undefined ? [] : [await attempt(first, () => launch(first))];
    show(choice, [
      ...states,
      ...(await Promise.all(others.map((rank) => attempt(rank, () => launch(rank))))),
    ]);
  });
ofRun("report", "write the run, as it is now, as one HTML file and one PNG of it")
  .option("-o, --output <folder>", "where (default: .pulumi/reports/RUN)")
  .addOption(json())
  .action(async (choice: Choice & { output?: string }) => {
    const { workspace, stateText } = await runOf(choice);
    const { missing, ...reported } = await makeReport(workspace, stateText, choice.output);
    if (choice.json) {
      print(JSON.stringify({ ...reported, missing }, undefined, 2));
      return;
    }
    print(`run ${reported.runId}\n${reported.html}\n${reported.png}`);
    for (const line of missing) print(`not in the report: ${line}`);
  });
ofRun("plan", "what a step, an epoch and the run take at other bandwidths, and which is worth its money")
  .option("--mbps <list>", "bandwidths in Mbit/s", "2,5,10,20,50,100,200,500,1000")
  .addOption(json())
  .action(async (choice: Choice & { mbps: string }) => {
    const bandwidths = choice.mbps.split(",").map(Number);
    if (bandwidths.some((mbps) => !Number.isInteger(mbps) || mbps < 1)) {
      throw new Failure(`--mbps ${choice.mbps}: must be whole numbers of Mbit/s, e.g. 5,20,100`);
    }
    const { stateText, ranks } = await runOf(choice);
    const plan = planOf(readOutputs(stateText), ranks, await askAll(ranks), bandwidths);
    print(choice.json ? JSON.stringify(plan, undefined, 2) : describe(plan));
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`train: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof Failure ? 2 : 1;
}

function relaunch({ launch }: RankOnNode) {
  const { instance: _, ...argument } = launch;
  return { ...argument, restart: true };
}

/** The stack's state, where it has a run. */
async function runOf({ stack }: Choice) {
  const found = findWorkspace();
  const workspace = stack === undefined ? found : { ...found, stack };
  await ensureCli(workspace);
  const env = pulumiEnvironment(workspace);
  process.env.PATH = env.PATH;
  const stateText = await exportState(workspace, env).catch((error: Error) => {
    throw new Failure(error.message);
  });
  const ranks = stateText === undefined ? [] : readRanks(stateText);
  if (stateText === undefined || ranks.length === 0) {
    throw new Failure(
      `stack ${workspace.stack} has no training run. Start one: npm start, or npm run pulumi -- up --stack NAME with a training.mode other than none`,
    );
  }
  return { workspace, stateText, ranks };
}

async function ranksOf({ rank, ...choice }: Choice): Promise<RankOnNode[]> {
  const { ranks } = await runOf(choice);
  if (rank === undefined) return ranks;
  const chosen = ranks.filter((each) => each.ranks.some((number) => String(number) === rank));
  if (chosen.length === 0) {
    throw new Failure(
      `--rank ${rank}: the run has the ranks ${ranks.flatMap((each) => each.ranks).join(", ")}`,
    );
  }
  return chosen;
}

/** E.g. `2`, or `2-3` of a node whose torchrun has started both. */
function namesOf({ ranks }: Pick<RankOnNode, "ranks">): string {
  return ranks.length > 1 ? `${ranks[0]}-${ranks.at(-1)}` : String(ranks[0]);
}

interface State extends Partial<Omit<RankSummary, "state">> {
  readonly rank: number;
  readonly ranks: readonly number[];
  readonly node: string;
  readonly runId: string;
  readonly state: RankSummary["state"] | "unreachable";
}

/** One rank that can not be asked does not hide the others. */
async function attempt(rank: RankOnNode, asked: () => Promise<RankSummary>): Promise<State> {
  const { rank: number, ranks, node, runId } = rank;
  try {
    return { ...(await asked()), rank: number, ranks, node, runId };
  } catch (error) {
    process.exitCode = 1;
    return { rank: number, ranks, node, runId, state: "unreachable", reason: (error as Error).message };
  }
}

function show({ json: asJson }: Choice, states: readonly State[]): void {
  if (asJson) {
    print(JSON.stringify({ runId: states[0]?.runId, ranks: states }, undefined, 2));
    return;
  }
  print(`run ${states[0]?.runId}`);
  const rows = states.map(
    ({ ranks, node, state, attempt: number, seconds, exitCode, reason, lines = [] }) => [
      namesOf({ ranks }),
      node,
      state,
      number === undefined ? "" : String(number),
      seconds == null ? "" : `${seconds.toFixed(0)} s`,
      exitCode == null ? "" : String(exitCode),
      reason?.split("\n")[0] ?? lines.at(-1) ?? "",
    ],
  );
  print(table([["rank", "node", "state", "attempt", "time", "exit code", "last line"], ...rows]));
}

/** @throws Failure for what is no time */
function secondsOf(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  if (number === "")
    throw new Failure(`--since ${text}: must be a number of seconds, minutes or hours, e.g. 30s, 5m, 2h`);
  return Number(number) * { s: 1, m: 60, h: 3600 }[unit as "s" | "m" | "h"];
}
