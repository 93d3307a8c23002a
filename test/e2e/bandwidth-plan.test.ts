/**
 * What a stack may cost, and the model of a step beside what was measured, at two bandwidths, with two and with three
 * zones; each test goes on where the one before ended.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { outputsOf, ranksStarted } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";

let place: Place;

beforeAll(async () => {
  place = new Place();
  // Some hundred steps: a stall or two of the machine are no part of their mean.
  place.configure({ "training.epochs": 12 });
});

afterAll(() => place.remove());

/** Trains anew and asks for the plan. */
async function planAt(mbps: number, zones: number, seed: number): Promise<{ plan: Plan; shown: string }> {
  for (let index = 0; index < zones; index += 1) {
    place.configure({ [`zones[${index}].bandwidthMbps`]: mbps });
  }
  place.configure({ "training.seed": seed });
  const started = await place.start();
  expect(started.code, started.text).toBe(0);
  const [asJson, asText] = [await place.train("plan", "--json").ended, await place.train("plan").ended];
  expect([asJson.code, asText.code], asJson.text).toEqual([0, 0]);
  return { plan: JSON.parse(asJson.stdout) as Plan, shown: asText.stdout };
}

interface Plan {
  readonly runId: string;
  readonly ranks: number;
  readonly now: { readonly mbps: readonly { readonly mbps: number }[]; readonly difference: number };
  readonly expected: { readonly parameters: number; readonly computeSecondsPerStep: number };
  readonly knee: { readonly mbps: number; readonly isReached: boolean };
  readonly rows: readonly { readonly mbps: number; readonly isNow: boolean }[];
  readonly advice: string;
}

function expectCloseTo({ plan, shown }: { plan: Plan; shown: string }, mbps: number, zones: number): void {
  expect(plan.ranks).toBe(zones);
  expect(plan.now.mbps.map((each) => each.mbps)).toEqual(Array.from({ length: zones }, () => mbps));
  expect(Math.abs(plan.now.difference), shown).toBeLessThan(0.15);
  expect(plan.rows.filter(({ isNow }) => isNow).map((row) => row.mbps)).toEqual([mbps]);
  expect(plan.advice).toMatch(/^(Raise: at|Even 1000 Mbit)/);
  expect(shown).toContain(`run ${plan.runId}: ${zones} ranks; `);
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
  expectCloseTo(await planAt(20, 2, 2), 20, 2);
});

test("two zones at 5 Mbit/s: a step takes what the plan says, within 15 %", async () => {
  expectCloseTo(await planAt(5, 2, 3), 5, 2);
});

test("three zones at 5 Mbit/s: a step takes what the plan says, within 15 %", async () => {
  const third = { name: "tianjin", zoneId: "gpu1a", network: "192.168.3.0/24", imageId: "img-deeplearning" };
  for (const [key, value] of Object.entries(third)) place.configure({ [`zones[2].${key}`]: value });
  // Else the two in one zone would be joined over its intranet.
  place.configure({ "tunnel.intranet": "off" });
  expectCloseTo(await planAt(5, 3, 4), 5, 3);
  const { tunnels } = outputsOf(place);
  expect(tunnels).toHaveLength(3);
});

test("three zones at 20 Mbit/s: a step takes what the plan says, within 15 %, and auto takes the limit below the knee, in place", async () => {
  const planned = await planAt(20, 3, 5);
  expectCloseTo(planned, 20, 3);
  const { expected, knee } = planned.plan;
  expect(expected.parameters).toBe(38_282);
  expect(knee.mbps).toBeGreaterThan(50);
  for (const [key, value] of Object.entries(expected)) {
    place.configure({ [`training.expected.${key}`]: value });
  }
  place.configure({ "limits.bandwidthMbps": 50 });
  for (const index of [0, 1, 2]) place.configure({ [`zones[${index}].bandwidthMbps`]: "auto" });
  const changes = await place.changesBy(async () => expect(await place.start()).toMatchObject({ code: 0 }));
  expect(changes).toEqual(Array.from({ length: 3 }, () => "ChangeEipsBandwidth"));
  const { zones, training } = outputsOf(place);
  expect(zones.map(({ bandwidthMbps }) => bandwidthMbps)).toEqual([50, 50, 50]);
  expect(training.runId).toBe(planned.plan.runId);
  expect(training.tuning[0]).toMatchObject({
    setting: "zones[].bandwidthMbps",
    value: "50",
    reason: expect.stringMatching(
      /^auto: the most that there may be \(limits\.bandwidthMbps\); a step takes /,
    ),
  });
});
