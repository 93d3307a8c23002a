/** `npm run train -- plan` beside what the steps of a run have taken. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { mean, meanStep, type RankMetrics, readMetrics } from "../../scripts/dev/report/metrics.ts";
import type { Place } from "../harness/place.ts";
import { readLines } from "../harness/process.ts";

export interface Plan {
  readonly runId: string;
  readonly ranks: number;
  readonly computeSeconds: number;
  readonly now: {
    readonly mbps: readonly { readonly mbps: number }[];
    readonly predictedSeconds: number;
    readonly measuredSeconds: number;
    readonly difference: number;
  };
  readonly expected: { readonly parameters: number; readonly computeSecondsPerStep: number };
  readonly knee: { readonly mbps: number; readonly isReached: boolean };
  readonly rows: readonly { readonly mbps: number; readonly isNow: boolean }[];
  readonly advice: string;
}

/** Steps in which connections and processes find their pace. */
const unsteady = 5;
/** Asks for the plan of the stack's last run. */
export async function planOf(place: Place): Promise<Plan> {
  const asked = await place.train("plan", "--json").ended;
  expect(asked.code, asked.text).toBe(0);
  return JSON.parse(asked.stdout) as Plan;
}

/** The metrics of a run's ranks, of their steady steps. */
function metricsOf(place: Place, { runId, ranks }: Plan): RankMetrics[] {
  const nodes = join(place.cloudHome, "nodes");
  const files = readdirSync(nodes, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.includes(`/${runId}/`),
  );
  return Array.from({ length: ranks }, (_, rank) => {
    const file = files.find((path) => path.endsWith(`/metrics/rank-${rank}.jsonl`)) ?? "";
    const metrics = readMetrics(readLines(join(nodes, file)).map((line): unknown => JSON.parse(line)));
    return { ...metrics, steps: metrics.steps.slice(unsteady) };
  });
}

/**
 * How long an average takes on the link: in a step, of the rank that comes to it last and waits for nobody; of all steps
 * the median, since what else runs on the machine holds some of them up.
 */
function secondsOnLink(ranks: readonly RankMetrics[]): number {
  const ofRanks = ranks.map(
    ({ steps }) => new Map(steps.map(({ step, communicationSeconds }) => [step, communicationSeconds])),
  );
  // While a run goes on, one rank may be a step ahead.
  const inAll = [...(ofRanks[0]?.keys() ?? [])].filter((step) => ofRanks.every((steps) => steps.has(step)));
  const seconds = inAll.map((step) => Math.min(...ofRanks.map((steps) => steps.get(step) ?? Number.NaN)));
  expect(seconds.length).toBeGreaterThanOrEqual(10);
  return seconds.sort((one, other) => one - other)[Math.floor(seconds.length / 2)] ?? Number.NaN;
}

/**
 * That a step of a run that has ended takes what the plan says, within 15 %: the plan has its computation from this run, so
 * that what it predicts is the rest, the link's part, which alone must be as close.
 * @param mbps of each zone
 */
export function expectCloseTo(place: Place, plan: Plan, mbps: readonly number[]): void {
  const steps = metricsOf(place, plan).map(meanStep);
  const { predictedSeconds, measuredSeconds, difference } = plan.now;
  expect(plan.computeSeconds).toBeCloseTo(Math.max(...steps.map(({ compute }) => compute ?? Number.NaN)), 9);
  expect(measuredSeconds).toBeCloseTo(mean(steps.map(({ seconds }) => seconds)) ?? Number.NaN, 9);
  expect(difference).toBeCloseTo(predictedSeconds / measuredSeconds - 1, 9);
  expectLinkCloseTo(place, plan, mbps);
}

/** As `expectCloseTo`, also of a run that goes on. */
export function expectLinkCloseTo(place: Place, plan: Plan, mbps: readonly number[]): void {
  expect(plan.ranks).toBe(mbps.length);
  expect(plan.now.mbps.map((each) => each.mbps)).toEqual(mbps);
  const predicted = plan.now.predictedSeconds - plan.computeSeconds;
  const measured = secondsOnLink(metricsOf(place, plan));
  expect(Math.abs(predicted / measured - 1), `predicted ${predicted} s, measured ${measured} s`).toBeLessThan(
    0.15,
  );
  expect(plan.rows.filter(({ isNow }) => isNow).map((row) => row.mbps)).toEqual([Math.min(...mbps)]);
  expect(plan.advice).toMatch(/^(The prediction is \d+ % off: .*\. )?(Raise: at|Even 1000 Mbit)/);
}
