/** What is measured of a link between two zones, and what each value should be. */
import { goodputShare } from "../../infra/plan/goodput.ts";
import { mtus } from "../../infra/plan/tunnels.ts";
import type { Metric } from "./metrics.ts";

export const kinds = ["ipsec", "gre"] as const;
export type Kind = (typeof kinds)[number];

/** Mbit/s of both zones' EIPs. */
export const goodputRates = [2, 10, 50, 100, 300] as const;
export const ddpRates = [10, 100] as const;
export const syncRates = [10, 100] as const;

/** Modes of `training.sync` that gloo can do: bf16 needs CUDA and nccl. */
export const syncModes = ["ddp", "fp16", "powersgd", "local-sgd", "diloco"] as const;
export type SyncMode = (typeof syncModes)[number];

/** Of a mode at a rate. */
export const syncFigures = ["secondsPerStep", "bytesPerStep", "slowdown", "loss"] as const;
export type SyncFigure = (typeof syncFigures)[number];

export type LinkMetric =
  | `link.${Kind}.${(typeof goodputRates)[number]}.goodput`
  | `link.ddp.${(typeof ddpRates)[number]}.use`
  | `link.${SyncMode}.${(typeof syncRates)[number]}.${SyncFigure}`;

export const linkMetrics: Readonly<Record<LinkMetric, Metric>> = entries([
  ...kinds.flatMap((kind) =>
    goodputRates.map((rate): [LinkMetric, Metric] => [
      `link.${kind}.${rate}.goodput`,
      {
        unit: "ratio",
        ...(rate <= 100 ? { least: round(byHeaders(kind) - 0.02) } : {}),
        what: `goodput of TCP through ${kind} / ${rate} Mbit/s of the EIPs; by the headers ${round(byHeaders(kind))}`,
      },
    ]),
  ),
  ...ddpRates.map((rate): [LinkMetric, Metric] => [
    `link.ddp.${rate}.use`,
    {
      unit: "ratio",
      least: 0.85,
      what: `gradient bytes / (goodput x time of a step) of ddp at ${rate} Mbit/s, 1 M parameters, next to nothing to compute`,
    },
  ]),
  ...syncModes.flatMap((mode) => syncRates.flatMap((rate) => metricsOfMode(mode, rate))),
]);

function metricsOfMode(mode: SyncMode, rate: (typeof syncRates)[number]): [LinkMetric, Metric][] {
  const name = `link.${mode}.${rate}` as const;
  const run = `char_lm.py with sync ${mode} over IPSec at ${rate} Mbit/s`;
  const isLong = true;
  return [
    [`${name}.secondsPerStep`, { unit: "s", isLong, what: `a step of ${run}` }],
    [`${name}.bytesPerStep`, { unit: "B", isLong, what: `what a node sends in a step of ${run}` }],
    [
      `${name}.slowdown`,
      {
        unit: "ratio",
        isLong,
        ...(mode === "diloco" && rate === 10 ? { target: 1.1 } : {}),
        what: `time of ${run} / time of the same steps on an unlimited link`,
      },
    ],
    [`${name}.loss`, { unit: "nats", isLong, what: `loss a character, held-out text, at the end of ${run}` }],
  ];
}

function byHeaders(kind: Kind): number {
  return goodputShare(kind, mtus[kind]);
}

function round(share: number): number {
  return Math.round(share * 1000) / 1000;
}

/** Of all keys of a record: the compiler cannot count them. */
function entries(all: readonly (readonly [LinkMetric, Metric])[]): Record<LinkMetric, Metric> {
  return Object.fromEntries(all) as Record<LinkMetric, Metric>;
}
