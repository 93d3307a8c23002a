/**
 * `npm run bench -- lives`: random lives of stacks, by seed, as far as they have not been lived yet for today's sources. Each
 * one's result is appended to results.jsonl as soon as it is known.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { Worker } from "../interrupts/crew.ts";
import { numberOf } from "../interrupts/main.ts";
import { addResult, readVersion, versionOf } from "../interrupts/results.ts";
import type { Report, Task } from "./worker.ts";

export const help = `npm run bench -- lives [--count N] [--seed N] [--steps N] [--minutes N] [--workers N] [--again] [--texts DIR]
  --count N      lives with the seeds 1 to N (default 500)
  --seed N       this one only
  --steps N      at most so many steps between the first up and the last destroy (default 5)
  --minutes N    begins no life after N minutes
  --workers N    at the same time (default 2)
  --again        those that have passed, too
  --texts DIR    writes there what was done in each life that failed`;

const resultsFile = join(import.meta.dirname, "results.jsonl");
const line = z.object({
  /** Code version. */
  v: z.string(),
  seed: z.number(),
  steps: z.number(),
  /** Of the CLI. */
  commands: z.number(),
  s: z.number(),
  failure: z.string().optional(),
});
type Line = z.output<typeof line>;

const script = join(import.meta.dirname, "worker.ts");
/** As long as a failing life is made shorter. */
const shrinkSeconds = 120;

interface Order {
  readonly signal: AbortSignal;
  say(text: string): void;
}

/** @returns the exit status: 1 where a life failed */
export async function runLives(args: string[], { signal, say }: Order): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...({ count: { type: "string" }, seed: { type: "string" }, steps: { type: "string" } } as const),
      ...({ minutes: { type: "string" }, workers: { type: "string" }, again: { type: "boolean" } } as const),
      ...({ texts: { type: "string" }, help: { type: "boolean" } } as const),
    },
  });
  if (values.help === true) {
    process.stdout.write(`${help}\n`);
    return 0;
  }
  const version = versionOf();
  const mostSteps = numberOf("--steps", values.steps, 5);
  const known = readSeeds(version, mostSteps);
  const seeds =
    values.seed === undefined
      ? Array.from({ length: numberOf("--count", values.count, 500) }, (_, index) => index + 1)
      : [numberOf("--seed", values.seed, 1)];
  const open = seeds.filter((seed) => {
    const before = known.get(seed);
    return before === undefined || before.failure !== undefined || values.again === true;
  });
  const until = Date.now() + numberOf("--minutes", values.minutes, Number.POSITIVE_INFINITY) * 60_000;
  const workers = Array.from(
    { length: numberOf("--workers", values.workers, 2) },
    () => new Worker<Task, Report>(script),
  );
  const stop = Promise.withResolvers<never>();
  stop.promise.catch(() => {});
  signal.addEventListener("abort", () => stop.reject(signal.reason as Error), { once: true });
  const work = async (worker: Worker<Task, Report>): Promise<void> => {
    while (!signal.aborted && Date.now() < until) {
      const seed = open.shift();
      if (seed === undefined) return;
      const started = performance.now();
      const { commands, failure } = await worker.do({ seed, mostSteps, shrinkSeconds });
      const s = Math.round((performance.now() - started) / 100) / 10;
      const said = failure === undefined ? undefined : (failure.told.split("\n\n")[0] ?? "");
      const result = {
        v: version,
        seed,
        steps: mostSteps,
        commands,
        s,
        ...(said === undefined ? {} : { failure: said }),
      };
      addResult(resultsFile, result);
      known.set(seed, result);
      say(`seed ${seed}: ${commands} commands, ${s} s${said === undefined ? "" : `\n${said}`}`);
      if (values.texts !== undefined && failure !== undefined) {
        mkdirSync(values.texts, { recursive: true });
        writeFileSync(join(values.texts, `${seed}.txt`), `${failure.life}\n${failure.told}`);
      }
    }
  };
  try {
    await Promise.race([Promise.all(workers.map(work)), stop.promise]);
  } finally {
    await Promise.all(workers.map((worker) => worker.end()));
  }
  const all = [...known.values()];
  const failed = all.filter(({ failure }) => failure !== undefined);
  const commands = all.reduce((sum, each) => sum + each.commands, 0);
  process.stdout.write(
    `${all.length} lives, ${commands} commands, ${failed.length} failed${failed.length === 0 ? "" : ` (seeds ${failed.map(({ seed }) => seed).join(", ")})`}, code version ${version}\n`,
  );
  return failed.length > 0 ? 1 : 0;
}

/** The newest line of each seed of a version. */
function readSeeds(version: string, steps: number): Map<number, Line> {
  const all = readVersion(resultsFile, line, version).filter((each) => each.steps === steps);
  return new Map(all.map((each) => [each.seed, each]));
}
