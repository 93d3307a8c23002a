/** What is measured, and what each value should be at most: the one table of units and targets. */
import { linkMetrics } from "./link-metrics.ts";

export interface Metric {
  readonly unit: "s" | "MB" | "B" | "calls" | "resources" | "ratio" | "1/s" | "nats";
  /** The value should not be greater; absent where none was set. */
  readonly target?: number;
  /** The value should not be less. */
  readonly least?: number;
  readonly what: string;
  /** Measured only where it is named: it takes half an hour and more. */
  readonly isLong?: true;
}

export const metrics = {
  "plan.mesh.seconds": {
    unit: "s",
    target: 1,
    what: "configuration and plan of 200 zones with 200 nodes each, all joined by 19,900 IPSec tunnels",
  },
  "plan.star.seconds": { unit: "s", target: 1, what: "the same as a star" },
  "provider.start.seconds": {
    unit: "s",
    target: 0.2,
    what: "the provider's process, from its start to its port on standard output",
  },
  "provider.idle.megabytes": {
    unit: "MB",
    target: 80,
    what: "resident memory of the provider once it has answered Handshake and Configure",
  },
  "provider.cancel.seconds": {
    unit: "s",
    target: 1,
    what: "Ctrl-C in the middle of a create, from Cancel to the answer that keeps the half-made resource",
  },
  "cloud.start.seconds": {
    unit: "s",
    target: 0.25,
    what: "`cloud start` with an empty home and no data plane, command to exit",
  },
  "cloud.idle.megabytes": {
    unit: "MB",
    target: 80,
    what: "resident memory of the local cloud without resources, when `cloud start` has ended",
  },
  "cloud.run.1.seconds": {
    unit: "s",
    target: 5,
    what: "1,000 RunInstances of one instance, 8 at a time, until all run; no data plane, jobs instant",
  },
  "cloud.run.100.seconds": { unit: "s", target: 1, what: "the same by 10 RunInstances of 100 instances" },
  "cloud.thousand.megabytes": {
    unit: "MB",
    what: "resident memory of the local cloud when 1,000 instances have come one by one",
  },
  "cloud.describe.20.perSecond": {
    unit: "1/s",
    least: 1500,
    what: "signed DescribeInstances over 1,000 instances, 20 in a page, 8 connections",
  },
  "cloud.describe.100.perSecond": { unit: "1/s", what: "the same with 100 in a page" },
  "cloud.nodes.seconds": {
    unit: "s",
    target: 8,
    what: "50 nodes with data plane by one RunInstances, until sshd listens on all; jobs instant, needs root",
  },
  "cloud.nodes.megabytesEach": {
    unit: "MB",
    target: 5,
    what: "memory of such a node's processes, shared memory divided among those that share it",
  },
  "cloud.nodes.gone.seconds": {
    unit: "s",
    target: 3,
    what: "the same 50 nodes terminated by one call, until all are gone",
  },
  "deploy.up.seconds": { unit: "s", target: 3.9, what: "`up` from an empty stack, jobs instant" },
  "deploy.up.callsPerZone": {
    unit: "calls",
    target: 24,
    what: "API calls of that `up` that name a zone, refused ones too, divided by the zones",
  },
  "deploy.up.callsWithoutZone": { unit: "calls", what: "API calls of that `up` that name no zone" },
  "deploy.up.criticalPathRatio": {
    unit: "ratio",
    target: 1.1,
    what: "`up` with realistic jobs: time divided by the longest chain of jobs",
  },
  "deploy.preview.seconds": { unit: "s", target: 1.9, what: "`preview` without changes" },
  "deploy.destroy.seconds": { unit: "s", target: 2.5, what: "`destroy`, jobs instant, leases at once" },
  "deploy.mesh16.seconds": {
    unit: "s",
    target: 40,
    what: "`up` of 16 VPCs of one zone, a tunnel for each pair, from an empty stack; jobs instant, nothing checked",
  },
  "deploy.mesh16.resources": { unit: "resources", target: 650, what: "resources of that stack" },
  "deploy.star16.seconds": { unit: "s", target: 8, what: "the same as a star" },
  "deploy.star16.resources": { unit: "resources", what: "resources of that stack" },
  "nodes24.mesh.seconds": {
    unit: "s",
    what: "`up` of 24 nodes in four VPCs, two in each zone, joined by six tunnels that are all checked; needs root",
  },
  "nodes24.star.seconds": { unit: "s", what: "the same nodes' tunnels made a star of three, all checked" },
  "nodes24.train.seconds": { unit: "s", what: "training on eight of them, two of each VPC, for two epochs" },
  ...linkMetrics,
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof metrics;

export const metricNames = Object.keys(metrics) as MetricName[];

export function metricOf(name: MetricName): Metric {
  return metrics[name];
}

/**
 * The metrics that are meant.
 * @param names whole metrics or their first parts, e.g. `deploy` or `deploy.up`; none means all but the long ones
 * @throws Error that lists what there is
 */
export function selectMetrics(names: readonly string[]): MetricName[] {
  const isMeant = (name: string, metric: MetricName) => metric === name || metric.startsWith(`${name}.`);
  const unknown = names.filter((name) => !metricNames.some((metric) => isMeant(name, metric)));
  if (unknown.length > 0) {
    const given = unknown.map((name) => `"${name}"`).join(", ");
    throw new Error(
      `${given}: no such benchmark. There are:\n${metricNames.map((metric) => `  ${metric}`).join("\n")}\nGive whole names, or their first parts, e.g. provider or deploy.up.`,
    );
  }
  return metricNames.filter((metric) =>
    names.length === 0 ? metricOf(metric).isLong === undefined : names.some((name) => isMeant(name, metric)),
  );
}
