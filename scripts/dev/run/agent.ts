/** Asks the agents on the nodes (scripts/node/agent). */
import { z } from "zod";
import { openSession } from "../../../provider/link/ssh.ts";
import type { RankOnNode } from "./ranks.ts";

const agent = "python3 .crosszone/agent";

/** What an agent says of its rank. */
const summary = z.object({
  state: z.enum(["absent", "running", "succeeded", "failed", "stopped"]),
  attempt: z.number(),
  pid: z.number().nullish(),
  exitCode: z.number().nullish(),
  reason: z.string().nullish(),
  seconds: z.number().nullish(),
  lines: z.array(z.string()).default([]),
  results: z.array(z.record(z.string(), z.unknown())).default([]),
});
export type RankSummary = z.output<typeof summary>;

export interface Request {
  readonly subcommand: "status" | "stop" | "launch";
  /** Beside run and rank. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** @throws Error with what the node or the network said */
export async function ask(rank: RankOnNode, { subcommand, more = {} }: Request): Promise<RankSummary> {
  const argument = { runId: rank.runId, rank: rank.rank, ...more };
  const stdout = await onNode(rank, subcommand, argument);
  return summary.parse(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""));
}

const metric = z.number().nullish();
/** What the ranks of a node have written of themselves, line by line, and what nvidia-smi said meanwhile. */
const metrics = z.object({
  ranks: z.array(z.object({ rank: z.number(), lines: z.array(z.unknown()) })),
  gpus: z
    .array(
      z.object({
        time: z.number(),
        index: z.number(),
        utilizationPercent: metric,
        memoryMiB: metric,
        powerW: metric,
        temperatureC: metric,
      }),
    )
    .default([]),
});
export type NodeMetrics = z.output<typeof metrics>;

/** @throws Error with what the node or the network said */
export async function askMetrics(rank: RankOnNode): Promise<NodeMetrics> {
  const stdout = await onNode(rank, "metrics", { runId: rank.runId, rank: rank.rank });
  return metrics.parse(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""));
}

export interface LogRequest {
  /** Seconds; absent for the whole log. */
  readonly since?: number | undefined;
  readonly follow: boolean;
}

/** Prints the log of a rank by whole lines. */
export async function showLog(
  rank: RankOnNode,
  { since, follow }: LogRequest,
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let partial = "";
  const argument = { runId: rank.runId, rank: rank.rank, follow, ...(since === undefined ? {} : { since }) };
  await onNode(rank, "logs", argument, {
    signal,
    onOutput(text) {
      const lines = (partial + text).split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines) print(line);
    },
  });
  if (partial !== "") print(partial);
}

async function onNode(
  { node, connection }: RankOnNode,
  subcommand: string,
  argument: object,
  options: { signal?: AbortSignal; onOutput?: (text: string) => void } = {},
): Promise<string> {
  const session = await openSession(connection, options.signal ?? new AbortController().signal);
  try {
    const ended = await session.run(`${agent} ${subcommand}`, JSON.stringify(argument), options.onOutput);
    if (ended.code !== 0) throw new Error(`${node}: ${ended.stderr.trim() || `exit code ${ended.code}`}`);
    return ended.stdout;
  } finally {
    session.close();
  }
}
