/** How results are shown. */
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { table } from "../../local-cloud/table.ts";
import { median, type Samples } from "./measuring.ts";
import { type Metric, type MetricName, metricNames, metricOf } from "./metrics.ts";

export interface Result {
  readonly metric: MetricName;
  /** The median of the runs, four digits. */
  readonly value: number;
  readonly unit: string;
  readonly runs: number;
}

/** In the order of the table of metrics. */
export function resultsOf(samples: Samples): Result[] {
  return metricNames.flatMap((metric) => {
    const values = samples[metric] ?? [];
    if (values.length === 0) return [];
    const value = Number(median(values).toPrecision(4));
    return [{ metric, value, unit: metricOf(metric).unit, runs: values.length }];
  });
}

/** What it is measured on. */
export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    kernel: release(),
    node: process.version,
  };
}

/** What `--json` prints. */
export function asJson(results: readonly Result[], date: Date): string {
  const report = {
    date: date.toISOString(),
    machine: machine(),
    results: results.map(({ metric, value, unit }) => ({ metric, value, unit })),
  };
  return JSON.stringify(report, undefined, 2);
}

export function asTable(results: readonly Result[]): string {
  const rows = results.map(({ metric, value, unit, runs }) => {
    return [metric, String(value), unit, targetOf(metricOf(metric)), String(runs)];
  });
  return table([["metric", "value", "unit", "target", "median of"], ...rows]);
}

/** In words; empty where there is none. */
export function targetOf({ target, least }: Metric): string {
  if (target !== undefined) return `at most ${target}`;
  return least === undefined ? "" : `at least ${least}`;
}

/** What `--list` prints. */
export function asList(names: readonly MetricName[]): string {
  return table(names.map((name) => [name, metricOf(name).what]));
}
