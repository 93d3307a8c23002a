/** What a report is made of, as it was found. */
import type { NodeMetrics, RankSummary } from "../run/agent.ts";
import type { RankMetrics } from "./metrics.ts";
import type { FileFacts, NetworkFacts } from "./state.ts";
import type { MonitorStep, Period, Traffic } from "./traffic.ts";

/** What a node's agent has started: a rank, or torchrun with several of them. */
export interface LaunchData {
  readonly ranks: readonly number[];
  /** Name of the node. */
  readonly node: string;
  readonly argv: readonly string[];
  /** Seconds since 1970. */
  readonly launchedAt: number | undefined;
  /** What its agent says; undefined where it could not be asked. */
  readonly summary: RankSummary | undefined;
  /** What nvidia-smi said of the node's GPUs, sample by sample. */
  readonly gpus: NodeMetrics["gpus"];
  /** Why something of it is missing. */
  readonly problem: string | undefined;
}

export interface RankData {
  readonly rank: number;
  readonly node: string;
  readonly metrics: RankMetrics;
}

export interface RunData {
  readonly stack: string;
  readonly runId: string;
  /** Seconds since 1970. */
  readonly madeAt: number;
  readonly launches: readonly LaunchData[];
  /** In their order. */
  readonly ranks: readonly RankData[];
  readonly network: NetworkFacts;
  readonly files: readonly FileFacts[];
  /** By zones; without those whose EIP could not be asked for. */
  readonly traffic: readonly Traffic[];
  readonly trafficStep: MonitorStep;
  /** What a step took over the link beside what it should take; undefined where nothing tells, or nothing goes over it. */
  readonly link: string | undefined;
  readonly settings: {
    /** The stack's configuration, without secrets. */
    readonly yaml: string;
    /** E.g. `crosszone 0.2.0, commit 0123456789ab`. */
    readonly version: string;
  };
  /** What could not be found out. */
  readonly problems: readonly string[];
}

/** When the run was at work; undefined where nothing tells. */
export function periodOf({ launches, ranks, madeAt }: Pick<RunData, "launches" | "ranks" | "madeAt">) {
  const metrics = ranks.map((rank) => rank.metrics);
  const told = metrics.flatMap(({ starts, steps, epochs }) =>
    [...starts, ...steps.slice(0, 1), ...steps.slice(-1), ...epochs.slice(-1)].map(({ time }) => time),
  );
  const launched = launches.flatMap(({ launchedAt }) => launchedAt ?? []);
  const from = told.length > 0 ? Math.min(...told) : Math.min(...launched);
  if (!Number.isFinite(from)) return undefined;
  if (launches.some(({ summary }) => summary?.state === "running")) return { from, to: madeAt };
  // Of a script that tells nothing: how long its last attempt took.
  const took = launches.map(({ launchedAt, summary }) => (launchedAt ?? from) + (summary?.seconds ?? 0));
  return { from, to: told.length > 0 ? Math.max(...told) : Math.max(from, ...took) } satisfies Period;
}
