/** What all groups of benchmarks use. */
import { readFileSync } from "node:fs";
import type { MetricName } from "./metrics.ts";

/** What a group is asked for. */
export interface Order {
  readonly wanted: ReadonlySet<MetricName>;
  /** Aborted by Ctrl-C: the group stops what it started, then throws. */
  readonly signal: AbortSignal;
  /** Tells the user how far it is. */
  say(line: string): void;
}

/** The values of all runs, by metric. */
export type Samples = Partial<Record<MetricName, readonly number[]>>;

/** How long `work` takes in seconds, and what it gives. */
export async function timed<Result>(work: () => Promise<Result>): Promise<readonly [number, Result]> {
  const started = performance.now();
  const result = await work();
  return [(performance.now() - started) / 1000, result];
}

/** VmRSS of a process, in units of 1,000,000 bytes. */
export function residentMegabytes(pid: number): number {
  const [, kibibytes] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  if (kibibytes === undefined) throw new Error(`Process ${pid} has ended before it was measured.`);
  return (Number(kibibytes) * 1024) / 1e6;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
  if (middle.length === 0) throw new Error("There is no median of no values.");
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new Error("There is no mean of no values.");
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
