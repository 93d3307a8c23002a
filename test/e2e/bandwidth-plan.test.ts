/**
 * The limit of a stack's costs, and the plan of a step compared with measurements, at two bandwidths, with two and with
 * three zones; each test goes on where the one before ended.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mean, meanStep, type RankMetrics, readMetrics } from "../../scripts/dev/report/metrics.ts";
import { outputsOf, ranksStarted } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";
import { readLines } from "../harness/process.ts";

let place: Place;

beforeAll(async () => {
  place = new Place();
  await place.cloudOk("start");
  place.configure({ "training.epochs": 1 });
});

afterAll(() => place.remove());

interface Plan {
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
/** Dozens of steps, in seconds at either bandwidth. */
const batchSizes = { 20: 10, 5: 30 } as const;

/** Trains again and asks for the plan. */
async function planAt(mbps: 5 | 20, zones: number): Promise<Plan> {
  for (let index = 0; index < zones; index += 1) {
    place.configure({ [`zones[${index}].bandwidthMbps`]: mbps });
  }
  place.configure({ "training.batchSize": batchSizes[mbps] });
  const started = await place.up();
  expect(started.code, started.text).toBe(0);
  const asked = await place.train("plan", "--json").ended;
  expect(asked.code, asked.text).toBe(0);
  return JSON.parse(asked.stdout) as Plan;
}

/** The metrics of a run's ranks, of their steady steps. */
function metricsOf({ runId, ranks }: Plan): RankMetrics[] {
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
  const [first] = ranks;
  const seconds = (first?.steps ?? []).map(({ step }) =>
    Math.min(
      ...ranks.map(
        ({ steps }) => steps.find((each) => each.step === step)?.communicationSeconds ?? Number.NaN,
      ),
    ),
  );
  expect(seconds.length).toBeGreaterThanOrEqual(10);
  return seconds.sort((one, other) => one - other)[Math.floor(seconds.length / 2)] ?? Number.NaN;
}

/**
 * That a step takes what the plan says, within 15 %: the plan has its computation from this run, so that what it predicts
 * is the rest, the link's part, which alone must be as close.
 */
function expectCloseTo(plan: Plan, mbps: number, zones: number): void {
  expect(plan.ranks).toBe(zones);
  expect(plan.now.mbps.map((each) => each.mbps)).toEqual(Array.from({ length: zones }, () => mbps));
  const { predictedSeconds, measuredSeconds, difference } = plan.now;
  const ranks = metricsOf(plan);
  const steps = ranks.map(meanStep);
  expect(plan.computeSeconds).toBeCloseTo(Math.max(...steps.map(({ compute }) => compute ?? Number.NaN)), 9);
  expect(measuredSeconds).toBeCloseTo(mean(steps.map(({ seconds }) => seconds)) ?? Number.NaN, 9);
  expect(difference).toBeCloseTo(predictedSeconds / measuredSeconds - 1, 9);
  const [predicted, measured] = [predictedSeconds - plan.computeSeconds, secondsOnLink(ranks)];
  expect(Math.abs(predicted / measured - 1), `predicted ${predicted} s, measured ${measured} s`).toBeLessThan(
    0.15,
  );
  expect(plan.rows.filter(({ isNow }) => isNow).map((row) => row.mbps)).toEqual([mbps]);
  expect(plan.advice).toMatch(/^(The prediction is \d+ % off: .*\. )?(Raise: at|Even 1000 Mbit)/);
}

test("what costs more than limits.costPerHour fails with every price, before a rank is started", async () => {
  place.configure({ "limits.costPerHour": 0.05 });
  const { code, text } = await place.start();
  expect(code, text).not.toBe(0);
  expect(text).toMatch(
    /error: The stack costs 0\.1 CNY an hour, more than crosszone:limits\.costPerHour allows \(given: 0\.05\): rtr-\w+ \(gpu1a\) 0\.05, rtr-\w+ \(gpu2a\) 0\.05\. What has been made is kept, and no rank is started\./,
  );
  // Only of routers the API tells a price.
  expect(text).toMatch(
    /limits\.costPerHour leaves out what the API tells no price of: eip-\w+, i-\w+, eip-\w+, i-\w+/,
  );
  expect(ranksStarted(place)).toEqual([]);
  place.configure({ "limits.costPerHour": 0.15 });
});

test("two zones at 20 Mbit/s: a step takes what the plan says, within 15 %", async () => {
  expectCloseTo(await planAt(20, 2), 20, 2);
});

test("two zones at 5 Mbit/s: a step takes what the plan says, within 15 %", async () => {
  expectCloseTo(await planAt(5, 2), 5, 2);
});

test("three zones at 5 Mbit/s: a step takes what the plan says, within 15 %", async () => {
  const third = { name: "tianjin", zoneId: "gpu1a", network: "192.168.3.0/24", imageId: "img-deeplearning" };
  // Else the two in one zone would be joined over its intranet.
  place.configure({ "zones[2]": third, "tunnel.intranet": "off" });
  expectCloseTo(await planAt(5, 3), 5, 3);
  expect(outputsOf(place).tunnels).toHaveLength(3);
});

test("three zones at 20 Mbit/s: a step takes what the plan says, within 15 %, and auto takes the limit below the knee, in place", async () => {
  const plan = await planAt(20, 3);
  expectCloseTo(plan, 20, 3);
  const shown = await place.train("plan").ended;
  expect(shown.code, shown.text).toBe(0);
  expect(shown.stdout).toContain(`run ${plan.runId}: 3 ranks; `);
  const { expected, knee } = plan;
  expect(expected.parameters).toBe(38_282);
  expect(knee.mbps).toBeGreaterThan(50);
  place.configure({ "training.expected": expected, "limits.bandwidthMbps": 50 });
  for (const index of [0, 1, 2]) place.configure({ [`zones[${index}].bandwidthMbps`]: "auto" });
  const changes = await place.changesBy(async () => expect(await place.up()).toMatchObject({ code: 0 }));
  expect(changes).toEqual(Array.from({ length: 3 }, () => "ChangeEipsBandwidth"));
  const { zones, training } = outputsOf(place);
  expect(zones.map(({ bandwidthMbps }) => bandwidthMbps)).toEqual([50, 50, 50]);
  expect(training.runId).toBe(plan.runId);
  expect(training.tuning[0]).toMatchObject({
    setting: "zones[].bandwidthMbps",
    value: "50",
    reason: expect.stringMatching(
      /^auto: the most that there may be \(limits\.bandwidthMbps\); a step takes /,
    ),
  });
});
