/** The section of docs/performance.md about the link between two zones: a table for each question. */
import { markdownTable } from "../../scripts/dev/markdown.ts";
import {
  ddpRates,
  goodputRates,
  type Kind,
  kinds,
  type SyncMode,
  syncModes,
  syncRates,
} from "./link-metrics.ts";
import { type MetricName, metricOf } from "./metrics.ts";
import { type Result, targetOf } from "./report.ts";

/** @param results of metrics that begin with `link.` */
export function linkSection(results: readonly Result[]): string {
  const values = new Map(results.map(({ metric, value }) => [metric, value]));
  const show = (metric: MetricName) => String(values.get(metric) ?? "");
  const perRate = (rates: readonly number[], rows: readonly (readonly string[])[]) =>
    markdownTable([["Mbit/s", ...rates.map(String)], ...rows]);
  const goodputRow = (kind: Kind) => [
    kind,
    ...goodputRates.map((rate) => show(`link.${kind}.${rate}.goodput`)),
  ];
  const modeRow = (mode: SyncMode, rate: (typeof syncRates)[number]) => {
    const name = `link.${mode}.${rate}` as const;
    const seconds = values.get(`${name}.secondsPerStep`);
    const kilobytes = Math.round((values.get(`${name}.bytesPerStep`) ?? 0) / 100) / 10;
    return [
      mode,
      String(rate),
      String(seconds),
      String(kilobytes),
      show(`${name}.slowdown`),
      show(`${name}.loss`),
    ];
  };
  return [
    "Goodput of TCP, as a share of the EIPs' bandwidth:",
    perRate(goodputRates, kinds.map(goodputRow)),
    `What the headers leave: ${kinds.map((kind) => metricOf(`link.${kind}.100.goodput`).what.replace(/^.* by the headers /, `${kind} `)).join(", ")}. Target: within 0.02 of it up to 100 Mbit/s.`,
    "Share of that goodput which DDP's gradients use:",
    perRate(ddpRates, [["ddp", ...ddpRates.map((rate) => show(`link.ddp.${rate}.use`))]]),
    `Target: ${targetOf(metricOf("link.ddp.10.use"))}.`,
    "`char_lm.py`, two ranks, by the way it averages (`training.sync`):",
    markdownTable([
      ["sync", "Mbit/s", "s a step", "kB a step", "slowdown", "loss"],
      ...syncModes.flatMap((mode) =>
        syncRates
          .filter((rate) => values.has(`link.${mode}.${rate}.secondsPerStep`))
          .map((rate) => modeRow(mode, rate)),
      ),
    ]),
    `Slowdown is against an unlimited link; target of diloco at 10 Mbit/s: ${targetOf(metricOf("link.diloco.10.slowdown"))}, its loss within 2 % of ddp's. The loss is that of held-out text after the same number of steps, in nats a character, the mean of three seeds.`,
  ].join("\n\n");
}
