/** `npm run train -- plan`: what a run's steps take at other bandwidths, beside what they have taken. */
import { z } from "zod";
import { hidingOf, kneeOf, mostMbps, secondsPerStep, type Work } from "../../../infra/plan/bandwidth.ts";
import type { TrainingSettings } from "../../../infra/training/schema.ts";
import { table } from "../../../local-cloud/table.ts";
import { mean, meanStep, type RankMetrics, readMetrics } from "../report/metrics.ts";
import { askMetrics } from "./agent.ts";
import type { RankOnNode } from "./ranks.ts";
import { resourcesIn, revealed } from "./state.ts";

/** What the stack's last `up` has seen, as far as it is of interest here. */
const outputs = z.object({
  zones: z.array(
    z.object({
      name: z.string(),
      bandwidthMbps: z.number(),
      nodes: z.array(z.object({ name: z.string() })),
    }),
  ),
  tunnels: z.array(
    z.object({
      zones: z.tuple([z.string(), z.string()]),
      kind: z.enum(["ipsec", "gre"]),
      over: z.enum(["internet", "intranet"]),
      mtu: z.number(),
      rttMs: z.number().nullable().default(null),
    }),
  ),
  cost: z.object({ perHour: z.number().nullable(), currency: z.string() }),
});
type Outputs = z.output<typeof outputs>;

/** Steps at the start of a run, in which connections and processes find their pace. */
const unsteady = 5;
/** Of a difference between prediction and measurement that needs no word. */
const usual = 0.15;

export interface Row {
  readonly mbps: number;
  readonly secondsPerStep: number;
  /** Undefined where no epoch has ended. */
  readonly secondsPerEpoch: number | undefined;
  readonly secondsPerRun: number | undefined;
  /** In the currency of the stack's costs, at its prices of today; undefined where the API tells none. */
  readonly costPerRun: number | undefined;
  /** Against no limit at all. */
  readonly slowdown: number;
  readonly isKnee: boolean;
  readonly isNow: boolean;
}

type Verdict = "raise" | "lower" | "leave";

export interface BandwidthPlan {
  readonly runId: string;
  readonly ranks: number;
  readonly computeSeconds: number;
  readonly payloadBytes: number;
  readonly now: {
    readonly mbps: readonly { readonly zone: string; readonly mbps: number }[];
    readonly predictedSeconds: number;
    readonly measuredSeconds: number;
    /** Of the prediction against the measurement, e.g. 0.04. */
    readonly difference: number;
    /** The least of the zones' bandwidths beside the knee. */
    readonly verdict: Verdict;
  };
  readonly knee: { readonly mbps: number; readonly isReached: boolean };
  readonly currency: string;
  /** For `training.expected`; undefined where the script does not tell its parameters. */
  readonly expected: TrainingSettings["expected"];
  readonly rows: readonly Row[];
  readonly advice: string;
}

function outputsIn(stateText: string): Outputs | undefined {
  const stack = resourcesIn(stateText).find(({ type }) => type === "pulumi:pulumi:Stack");
  return outputs.safeParse(revealed(stack?.outputs)).data;
}

/** @throws Error with what is missing, and what to do */
export function readOutputs(stateText: string): Outputs {
  const found = outputsIn(stateText);
  if (found !== undefined) return found;
  throw new Error(
    "the stack has no outputs yet, which say its bandwidths and tunnels: wait for the end of `up`, or let it succeed once",
  );
}

/** What all ranks have written of their steps. @throws Error with what the node or the network said */
export async function askAll(ranks: readonly RankOnNode[]): Promise<RankMetrics[]> {
  const told = await Promise.all(ranks.map(askMetrics));
  return told.flatMap(({ ranks: ofNode }) => ofNode.map(({ lines }) => readMetrics(lines)));
}

/**
 * @param stack what its last `up` has seen
 * @param bandwidths Mbit/s, beside the knee's and the one that there is
 * @throws Error where there are too few steps to tell
 */
export function planOf(
  stack: Outputs,
  ranks: readonly RankOnNode[],
  metrics: readonly RankMetrics[],
  bandwidths: readonly number[],
): BandwidthPlan {
  const measured = measure(metrics);
  if (measured === undefined) {
    throw new Error(
      `there is nothing to plan from: the run has written ${metrics[0]?.steps.length ?? 0} steps of metrics, and more than ${unsteady} are needed. Wait for some; a script of your own writes them as docs/training.md says`,
    );
  }
  return planFrom(stack, ranks, measured, bandwidths);
}

function planFrom(
  stack: Outputs,
  ranks: readonly RankOnNode[],
  measured: Measured,
  bandwidths: readonly number[],
): BandwidthPlan {
  const zoneOf = (node: string) =>
    stack.zones.find(({ nodes }) => nodes.some(({ name }) => name === node))?.name ?? node;
  const zones = ranks.flatMap(({ node, ranks: ofNode }) => ofNode.map(() => zoneOf(node)));
  const { computeSeconds, payloadBytes, averagings, hiding } = measured;
  const work: Work = { zones, links: stack.tunnels, computeSeconds, payloadBytes, averagings, ...hiding };
  const mbpsOf = new Map(stack.zones.map(({ name, bandwidthMbps }) => [name, bandwidthMbps]));
  const predictedSeconds = secondsPerStep(work, (zone) => mbpsOf.get(zone) ?? Infinity);
  const knee = kneeOf(work);
  const current = Math.min(...mbpsOf.values());
  const now = {
    mbps: stack.zones.map(({ name, bandwidthMbps }) => ({ zone: name, mbps: bandwidthMbps })),
    predictedSeconds,
    measuredSeconds: measured.seconds,
    difference: predictedSeconds / measured.seconds - 1,
    verdict: verdictOf(current, knee.mbps),
  };
  const unlimited = secondsPerStep(work, () => Infinity);
  const { perHour, currency } = stack.cost;
  const rows = [...new Set([...bandwidths, current, knee.mbps])]
    .sort((one, other) => one - other)
    .map((mbps): Row => {
      const seconds = secondsPerStep(work, () => mbps);
      const perRun = measured.stepsPerRun && seconds * measured.stepsPerRun;
      return {
        mbps,
        secondsPerStep: seconds,
        secondsPerEpoch: measured.stepsPerEpoch && seconds * measured.stepsPerEpoch,
        secondsPerRun: perRun,
        costPerRun: perRun === undefined || perHour === null ? undefined : (perHour * perRun) / 3600,
        slowdown: seconds / unlimited,
        isKnee: knee.isReached && mbps === knee.mbps,
        isNow: mbps === current,
      };
    });
  const [{ runId } = { runId: "" }] = ranks;
  const advice = adviceOf(work, now, current, knee);
  const { parameters } = measured;
  const expected =
    parameters == null
      ? undefined
      : {
          parameters,
          computeSecondsPerStep: Number(computeSeconds.toPrecision(3)),
          // Of the other modes it follows from the parameters.
          ...(measured.sync === "powersgd" ? { payloadBytesPerStep: Math.round(payloadBytes) } : {}),
        };
  return {
    runId,
    ranks: zones.length,
    ...{ computeSeconds, payloadBytes, now, knee, currency, expected, rows, advice },
  };
}

type Measured = NonNullable<ReturnType<typeof measure>>;

/** Undefined where there are too few steps to tell. */
function measure(metrics: readonly RankMetrics[]) {
  const steady = metrics.map((rank) => ({ ...rank, steps: rank.steps.slice(unsteady) }));
  const means = steady.map(meanStep);
  const compute = means.flatMap((step) => step.compute ?? []);
  const seconds = mean(means.map((step) => step.seconds));
  const [first] = metrics;
  const payloads = (steady[0]?.steps ?? []).flatMap(({ gradientBytes }) => gradientBytes ?? []);
  const payloadBytes = mean(payloads);
  if (first === undefined || seconds === undefined || payloadBytes === undefined || compute.length === 0) {
    return undefined;
  }
  const epochs = first.epochs.flatMap(({ step }) => step ?? []);
  const start = first.starts.at(-1);
  const stepsPerEpoch = epochs.length === 0 ? undefined : Math.max(...epochs) / epochs.length;
  const averagings = payloads.filter((bytes) => bytes > 0).length / payloads.length;
  return {
    seconds,
    parameters: start?.parameters,
    sync: start?.sync,
    // The slowest rank's: the others wait for it.
    computeSeconds: Math.max(...compute),
    payloadBytes,
    averagings,
    hiding: hidingOf({
      averagings,
      gradientBytes: start?.gradientBytes ?? payloadBytes,
      bucketBytes: start?.bucketBytes,
      overlapSteps: start?.overlapSteps ?? 0,
    }),
    stepsPerEpoch,
    stepsPerRun: stepsPerEpoch && stepsPerEpoch * (start?.epochs ?? epochs.length),
  };
}

function verdictOf(mbps: number, knee: number): Verdict {
  if (mbps < knee) return "raise";
  return mbps >= 2 * knee ? "lower" : "leave";
}

function adviceOf(
  work: Work,
  now: BandwidthPlan["now"],
  current: number,
  knee: BandwidthPlan["knee"],
): string {
  const time = (mbps: number) => milliseconds(secondsPerStep(work, () => mbps));
  const set = now.mbps
    .map(
      (_, index) =>
        `npm run pulumi -- config set --path 'crosszone:zones[${index}].bandwidthMbps' ${knee.mbps}`,
    )
    .join("; ");
  const how = `at ${knee.mbps} Mbit/s a step takes ${time(knee.mbps)} instead of ${time(current)}. In place, while training goes on: ${set}; npm run pulumi -- up`;
  const differs =
    Math.abs(now.difference) > usual
      ? `The prediction is ${Math.round(Math.abs(now.difference) * 100)} % off: something else than the link takes time, or it was changed during the run. `
      : "";
  if (!knee.isReached) {
    const more = `Even ${mostMbps} Mbit/s would be worth doubling: the link is what takes the time. Send less: training.sync (docs/training.md)`;
    return now.verdict === "raise" ? `${differs}Raise: ${how}. ${more}` : `${differs}${more}`;
  }
  if (now.verdict === "raise")
    return `${differs}Raise: ${how}. Or send less: training.sync (docs/training.md)`;
  if (now.verdict === "lower") return `${differs}Lower, it costs little time: ${how}`;
  return `${differs}Leave it: ${current} Mbit/s is about the knee`;
}

/** As a terminal shows it. */
export function describe(plan: BandwidthPlan): string {
  const { rows, currency } = plan;
  const hasCosts = rows.some(({ costPerRun }) => costPerRun !== undefined);
  const heads = ["Mbit/s", "a step", "an epoch", "the run", ...(hasCosts ? [`${currency} a run`] : [])];
  const lines = rows.map((row) => [
    String(row.mbps),
    milliseconds(row.secondsPerStep),
    duration(row.secondsPerEpoch),
    duration(row.secondsPerRun),
    ...(hasCosts ? [row.costPerRun?.toPrecision(2) ?? ""] : []),
    `${row.slowdown.toFixed(2)} x`,
    [row.isNow ? "now" : "", row.isKnee ? "knee" : ""].filter((word) => word !== "").join(", "),
  ]);
  return [
    `run ${plan.runId}: ${plan.ranks} ranks; a step computes ${milliseconds(plan.computeSeconds)} and hands over ${Math.round(plan.payloadBytes / 1000)} kB`,
    describeNow(plan),
    "",
    table([[...heads, "to no limit", ""], ...lines]),
    "",
    ...(hasCosts
      ? ["The costs are those of the stack as it is: the API tells no price of another bandwidth."]
      : ["The API tells no prices of this stack, so there is no cost."]),
    plan.advice,
    ...(plan.expected === undefined
      ? []
      : [
          `For bandwidthMbps: auto: ${Object.entries(plan.expected)
            .map(([name, value]) => `crosszone:training.expected.${name} ${value}`)
            .join(", ")}`,
        ]),
  ].join("\n");
}

/**
 * What a run's steps took over the link and what they should take, in a line; undefined where no tunnel carries them, where
 * the ranks tell too few of them, or before the end of the first `up`.
 */
export function describeLink(
  stateText: string,
  ranks: readonly RankOnNode[],
  metrics: readonly RankMetrics[],
): string | undefined {
  const stack = outputsIn(stateText);
  if (stack === undefined || stack.tunnels.length === 0) return undefined;
  const measured = measure(metrics);
  return measured && describeNow(planFrom(stack, ranks, measured, []));
}

/** What a step took and what it should take, in a line, with the word for more or less bandwidth. */
function describeNow({ now, knee }: BandwidthPlan): string {
  const difference = Math.round(now.difference * 100);
  const where = knee.isReached ? "is at" : "lies beyond";
  return `at ${now.mbps.map(({ zone, mbps }) => `${zone} ${mbps}`).join(", ")} Mbit/s a step should take ${milliseconds(now.predictedSeconds)}, and took ${milliseconds(now.measuredSeconds)} (${difference >= 0 ? "+" : ""}${difference} %); the knee ${where} ${knee.mbps} Mbit/s: ${now.verdict} it`;
}

function milliseconds(seconds: number): string {
  return seconds < 10 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

function duration(seconds: number | undefined): string {
  if (seconds === undefined) return "";
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return seconds < 6000 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
