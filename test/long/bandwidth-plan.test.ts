/** The plan of three zones at two bandwidths; each test goes on where the one before ended. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectCloseTo, type Plan, planOf } from "../e2e/plan.ts";
import { outputsOf } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";

let place: Place;

beforeAll(async () => {
  place = new Place();
  await place.cloudOk("start", "--port", "0");
  const third = { name: "tianjin", zoneId: "gpu1a", network: "192.168.3.0/24", imageId: "img-deeplearning" };
  // Else the two in one zone would be joined over its intranet.
  place.configure({ "zones[2]": third, "tunnel.intranet": "off", "training.epochs": 1 });
});

afterAll(() => place.remove());

/** Dozens of steps, in seconds at either bandwidth. */
const batchSizes = { 20: 10, 5: 30 } as const;

/** Trains again and asks for the plan. */
async function planAt(mbps: 5 | 20): Promise<Plan> {
  for (const index of [0, 1, 2]) place.configure({ [`zones[${index}].bandwidthMbps`]: mbps });
  place.configure({ "training.batchSize": batchSizes[mbps] });
  const started = await place.up();
  expect(started.code, started.text).toBe(0);
  return await planOf(place);
}

test("three zones at 5 Mbit/s: a step takes what the plan says, within 15 %", async () => {
  expectCloseTo(place, await planAt(5), [5, 5, 5]);
  expect(outputsOf(place).tunnels).toHaveLength(3);
});

test("three zones at 20 Mbit/s: a step takes what the plan says, within 15 %, and auto takes the limit below the knee, in place", async () => {
  const plan = await planAt(20);
  expectCloseTo(place, plan, [20, 20, 20]);
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
