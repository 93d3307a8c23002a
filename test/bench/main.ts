/**
 * `npm run bench -- [NAME…] [--json] [--list] [--document]`: measures, and stops all that it started, on Ctrl-C too.
 * `npm run bench -- interrupts`: the matrix of interruptions (interrupts/); `lives`: random lives (lives/); `recovery`:
 * faults during a training (recovery/); `long`: the tests of ../long.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { forwardSignals } from "../../scripts/dev/process.ts";
import { Progress } from "../../scripts/dev/progress.ts";
import { cliStep } from "../../scripts/dev/pulumi-cli.ts";
import { runSteps } from "../../scripts/dev/steps.ts";
import { findWorkspace } from "../../scripts/dev/workspace.ts";
import { measureCloud } from "./cloud.ts";
import { measureDeploy } from "./deploy.ts";
import { checkSections, writePage } from "./document.ts";
import { runInterrupts } from "./interrupts/main.ts";
import { measureLink } from "./link.ts";
import { runLives } from "./lives/main.ts";
import { runLong } from "./long.ts";
import type { Order, Samples } from "./measuring.ts";
import { type MetricName, selectMetrics } from "./metrics.ts";
import { measureNodes24 } from "./nodes24.ts";
import { measurePlan } from "./plan.ts";
import { measureProvider } from "./provider.ts";
import { runRecovery } from "./recovery/main.ts";
import { asJson, asList, asTable, resultsOf } from "./report.ts";

const groups: Readonly<Record<string, (order: Order) => Promise<Samples>>> = {
  plan: measurePlan,
  provider: measureProvider,
  cloud: measureCloud,
  deploy: measureDeploy,
  nodes24: measureNodes24,
  link: measureLink,
};

type Whole = (args: string[], order: Pick<Order, "signal" | "say">) => Promise<number>;
/** Each with options of its own. @returns the exit status */
const wholes: Readonly<Record<string, Whole>> = {
  interrupts: runInterrupts,
  lives: runLives,
  recovery: runRecovery,
  long: runLong,
};

const interruption = new AbortController();
forwardSignals();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () =>
    interruption.abort(new Error("interrupted; what the benchmarks started is stopped")),
  );
}

try {
  await bench(process.argv.slice(2));
} catch (error) {
  const shown: unknown = interruption.signal.aborted ? interruption.signal.reason : error;
  process.stderr.write(`bench: ${shown instanceof Error ? shown.message : String(shown)}\n`);
  process.exitCode = interruption.signal.aborted ? 130 : 1;
}

async function bench(args: string[]): Promise<void> {
  const runWhole = wholes[args[0] ?? ""];
  if (runWhole !== undefined) {
    await runSteps([cliStep(findWorkspace())], new Progress(process.stderr));
    const say = (line: string) => process.stderr.write(`${line}\n`);
    process.exitCode = await runWhole(args.slice(1), { signal: interruption.signal, say });
    return;
  }
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: "boolean" }, list: { type: "boolean" }, document: { type: "boolean" } },
  });
  const names = selectMetrics(positionals);
  if (values.document === true) checkSections(names);
  if (values.list === true) return print(asList(names));
  const results = resultsOf(await measure(new Set(names)));
  if (values.document === true)
    writePage(join(findWorkspace().root, "docs", "performance.md"), results, new Date());
  print(values.json === true ? asJson(results, new Date()) : asTable(results));
}

/** A group measures what belongs together, so some values beside those that are wanted. */
async function measure(wanted: ReadonlySet<MetricName>): Promise<Samples> {
  const { signal } = interruption;
  // Standard output is for the results.
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const samples: Samples = {};
  for (const [name, measureGroup] of Object.entries(groups)) {
    if (![...wanted].some((metric) => metric.startsWith(`${name}.`))) continue;
    if (["deploy", "nodes24", "link"].includes(name)) {
      await runSteps([cliStep(findWorkspace())], new Progress(process.stderr));
    }
    signal.throwIfAborted();
    Object.assign(samples, await measureGroup({ wanted, signal, say }));
  }
  return Object.fromEntries(Object.entries(samples).filter(([name]) => wanted.has(name as MetricName)));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
