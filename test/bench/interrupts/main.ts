/**
 * `npm run bench -- interrupts`: the whole matrix of interruptions, as far as it has not passed yet for today's sources. Each
 * cell's result is appended to results.jsonl as soon as it is known, so that the next run goes on there.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../../harness/process.ts";
import {
  cellOf,
  type FollowUp,
  followUpsOf,
  nameOf,
  type Operation,
  operations,
  type Recording,
  readRecording,
  recordingFile,
  shuffled,
  type Trial,
  trialsOf,
} from "./matrix.ts";
import {
  addResult,
  type Line,
  readResults,
  resultsFile,
  tableOf,
  versionOf,
  writeFigures,
} from "./results.ts";
import { type TrialWorker, trialWorker } from "./trial-worker.ts";

export const help = `npm run bench -- interrupts [--only PATTERN]… [--seed N] [--limit CELLS] [--minutes N] [--workers N] [--again] [--texts DIR] [--document] [--list] [--record]
  --only PATTERN cells whose name has it, a regular expression, e.g. kill-cli, "^up .*/RunInstances/.* same$"
  --seed N       another order (default 1)
  --limit CELLS  at most so many
  --minutes N    begins no cell after N minutes
  --workers N    at the same time (default 2)
  --again        those that have passed, too
  --texts DIR    writes there what the commands of each failed cell said
  --document     writes the figures into docs/reliability.md
  --list         prints the cells and runs none
  --record       only looks which API calls each operation has, and writes calls.json`;

interface Order {
  readonly signal: AbortSignal;
  say(line: string): void;
}

/** @returns the exit status: 1 where a cell failed */
export async function runInterrupts(args: string[], { signal, say }: Order): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true, default: [] },
      ...({ seed: { type: "string" }, limit: { type: "string" }, minutes: { type: "string" } } as const),
      ...({ workers: { type: "string" }, again: { type: "boolean" }, list: { type: "boolean" } } as const),
      document: { type: "boolean" },
      ...({ texts: { type: "string" }, record: { type: "boolean" }, help: { type: "boolean" } } as const),
    },
  });
  if (values.help === true) {
    process.stdout.write(`${help}\n`);
    return 0;
  }
  const version = versionOf();
  const recorded = readRecordingOf(version);
  const isCurrent = recorded !== undefined && values.record !== true;
  const recording = isCurrent ? recorded : await record(version, signal, say);
  if (values.record === true) return 0;
  const trials = trialsOf(recording);
  const only = values.only.map((pattern) => new RegExp(pattern));
  const known = readResults(resultsFile, version);
  const isWanted = (trial: Trial, followUp: FollowUp) => {
    const cell = cellOf(trial, followUp);
    const line = known.get(cell);
    const isOpen = line === undefined || line.findings !== undefined || values.again === true;
    return isOpen && (only.length === 0 || only.some((pattern) => pattern.test(cell)));
  };
  const wanted = shuffled(trials, numberOf("--seed", values.seed, 1))
    .map((trial) => ({ trial, followUps: followUpsOf(trial).filter((each) => isWanted(trial, each)) }))
    .filter(({ followUps }) => followUps.length > 0);
  if (values.list === true) {
    for (const { trial, followUps } of wanted)
      for (const each of followUps) process.stdout.write(`${cellOf(trial, each)}\n`);
    return 0;
  }
  const limit = numberOf("--limit", values.limit, Number.POSITIVE_INFINITY);
  const until = Date.now() + numberOf("--minutes", values.minutes, Number.POSITIVE_INFINITY) * 60_000;
  const run: Line[] = [];
  const workers = Array.from({ length: numberOf("--workers", values.workers, 2) }, () => trialWorker());
  const stop = Promise.withResolvers<never>();
  stop.promise.catch(() => {});
  signal.addEventListener("abort", () => stop.reject(signal.reason as Error), { once: true });
  const work = async (worker: TrialWorker): Promise<void> => {
    for (;;) {
      signal.throwIfAborted();
      if (run.length >= limit || Date.now() > until) return;
      const next = wanted.shift();
      if (next === undefined) return;
      for (const ran of await cellsOf(worker, version, next.trial, next.followUps, { signal, say })) {
        const { line } = ran;
        if (values.texts !== undefined && line.findings !== undefined) keepText(values.texts, ran);
        addResult(resultsFile, line);
        known.set(line.cell, line);
        run.push(line);
        const words = line.findings?.map(([kind, detail]) => `\n    ${kind}: ${detail}`).join("") ?? "";
        say(`${run.length}  ${line.cell}  ${line.s} s${line.unmet ? "  no call met the fault" : ""}${words}`);
      }
    }
  };
  const started = Date.now();
  try {
    await Promise.race([Promise.all(workers.map(work)), stop.promise]);
  } finally {
    await Promise.all(workers.map((worker) => worker.end()));
  }
  const totals = new Map<Operation, number>(operations.map((name) => [name, 0]));
  for (const trial of trials)
    totals.set(trial.operation, (totals.get(trial.operation) ?? 0) + followUpsOf(trial).length);
  const minutes = ((Date.now() - started) / 60_000).toFixed(1);
  process.stdout.write(`${tableOf(known.values(), totals)}\n`);
  if (values.document === true)
    writeFigures(join(root, "docs", "reliability.md"), known.values(), totals, version);
  process.stdout.write(`${run.length} cells in ${minutes} min, code version ${version}\n`);
  return run.some(({ findings }) => findings !== undefined) ? 1 : 0;
}

interface Ran {
  readonly line: Line;
  readonly transcript: string;
}

async function cellsOf(
  worker: TrialWorker,
  version: string,
  trial: Trial,
  followUps: readonly FollowUp[],
  { signal, say }: Order,
): Promise<Ran[]> {
  try {
    const report = await worker.do({ trial, followUps });
    if (!("results" in report)) throw new Error("the worker answered something else");
    return report.results.map(({ followUp, isMet, findings, seconds, transcript }) => ({
      transcript,
      line: {
        v: version,
        cell: cellOf(trial, followUp),
        s: Math.round(seconds * 10) / 10,
        ...(isMet ? {} : { unmet: true as const }),
        ...(findings.length === 0
          ? {}
          : { findings: findings.map(({ kind, detail }): [typeof kind, string] => [kind, detail]) }),
      },
    }));
  } catch (error) {
    signal.throwIfAborted();
    say(`${nameOf(trial)} was not run: ${(error as Error).message}`);
    return [];
  }
}

function keepText(folder: string, { line, transcript }: Ran): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${line.cell.replaceAll(/[ /]/g, "-")}.txt`), transcript);
}

function readRecordingOf(version: string): Recording | undefined {
  try {
    const found = readRecording();
    return found.version === version ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Calls that are gathered in some runs and not in others count as often as in the run that has fewest. */
async function record(version: string, signal: AbortSignal, say: Order["say"]): Promise<Recording> {
  const worker = trialWorker();
  const found = {} as Recording["operations"];
  try {
    for (const operation of operations) {
      signal.throwIfAborted();
      say(`looking at the API calls of ${operation}`);
      const [one, other] = [await countsOf(worker, operation), await countsOf(worker, operation)];
      const both = [...one.keys()].filter((key) => other.has(key)).toSorted();
      const countOf = (key: string) => Math.min(one.get(key) ?? 0, other.get(key) ?? 0);
      found[operation] = Object.fromEntries(both.map((key) => [key, countOf(key)]));
    }
  } finally {
    await worker.end();
  }
  const recording = { version, operations: found };
  writeFileSync(recordingFile, `${JSON.stringify(recording, null, 2)}\n`);
  return recording;
}

async function countsOf(worker: TrialWorker, operation: Operation): Promise<Map<string, number>> {
  const report = await worker.do({ record: operation });
  if (!("calls" in report)) throw new Error("the worker answered something else");
  const counts = new Map<string, number>();
  // The test's client greets the cloud with an empty call.
  for (const { zone, action } of report.calls.filter((call) => call.action !== "")) {
    const key = `${zone}/${action}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

export function numberOf(option: string, given: string | undefined, otherwise: number): number {
  if (given === undefined) return otherwise;
  const value = Number(given);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${option} ${given}: must be a number greater than 0, e.g. ${option} 5`);
}
