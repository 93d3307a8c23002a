/** The sections of docs/performance.md about the link between two zones: a table for each question. */
import { markdownTable } from "../../scripts/dev/markdown.ts";
import { ddpRates, goodputRates, kinds, syncModes, syncRates } from "./link-metrics.ts";
import { type MetricName, metricOf } from "./metrics.ts";
import { type Result, targetOf } from "./report.ts";

const valuesOf = (results: readonly Result[]) =>
  new Map<MetricName, number>(results.map(({ metric, value }) => [metric, value]));

/** What a tunnel carries, and how much of that training uses. */
export function linkSection(results: readonly Result[]): string {
  const values = valuesOf(results);
  const perRate = (
    rates: readonly number[],
    rows: readonly (readonly [string, readonly MetricName[]])[],
  ): string =>
    markdownTable([
      ["Mbit/s", ...rates.map(String)],
      ...rows.map(([name, metrics]) => [name, ...metrics.map((metric) => String(values.get(metric) ?? ""))]),
    ]);
  const byHeaders = kinds.map((kind) =>
    metricOf(`link.${kind}.100.goodput`).what.replace(/^.* by the headers /, `${kind} `),
  );
  return [
    "Goodput of TCP, as a share of the EIPs' bandwidth:",
    perRate(
      goodputRates,
      kinds.map((kind) => [kind, goodputRates.map((rate) => `link.${kind}.${rate}.goodput` as const)]),
    ),
    `What the headers leave: ${byHeaders.join(", ")}. Target: within 0.02 of it up to 100 Mbit/s.`,
    "Share of that goodput which DDP's gradients use:",
    perRate(ddpRates, [["ddp", ddpRates.map((rate) => `link.ddp.${rate}.use` as const)]]),
    `Target: ${targetOf(metricOf("link.ddp.10.use"))}.`,
  ].join("\n\n");
}

/** What each way to average costs. */
export function modesSection(results: readonly Result[]): string {
  const values = valuesOf(results);
  const rows = syncModes.flatMap((mode) =>
    syncRates.map((rate) => {
      const name = `link.${mode}.${rate}` as const;
      const kilobytes = Math.round((values.get(`${name}.bytesPerStep`) ?? 0) / 100) / 10;
      const [seconds, slowdown, loss] = (["secondsPerStep", "slowdown", "loss"] as const).map((value) =>
        String(values.get(`${name}.${value}`)),
      );
      return [mode, String(rate), seconds ?? "", String(kilobytes), slowdown ?? "", loss ?? ""];
    }),
  );
  return [
    "`char_lm.py`, two ranks over IPSec, by the way they average (`training.sync`):",
    markdownTable([["sync", "Mbit/s", "s a step", "kB a step", "slowdown", "loss"], ...rows]),
    `Slowdown is against the same steps on an unlimited link, trained right before or after; target of diloco at 10 Mbit/s: ${targetOf(metricOf("link.diloco.10.slowdown"))}, its loss within 2 % of ddp's. The loss is that of held-out text after the same number of steps, in nats a byte, the mean of three seeds.`,
  ].join("\n\n");
}
