import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../infra/config.ts";
import { makePlan } from "../../../infra/plan/plan.ts";
import { plain, zoneOf } from "./configurations.ts";

const auto = {
  ...plain,
  zones: [zoneOf("beijing", 1, { bandwidthMbps: "auto" }), zoneOf("shanghai", 2, { bandwidthMbps: "auto" })],
};
const expected = { parameters: 38_282, computeSecondsPerStep: 0.006 };

/** The bandwidths that a plan has, and what it says of them. */
function planned(settings: object) {
  const plan = makePlan(parseConfig(settings));
  return { mbps: plan.zones.map(({ bandwidthMbps }) => bandwidthMbps), chosen: plan.chosen };
}

describe("bandwidthMbps: auto", () => {
  test("is the knee of what the run is expected to do", () => {
    // 153,128 bytes become 1,557 / 1,348 of it on the wire, which the knee sends in 2/3 of 6 ms.
    expect(planned({ ...auto, training: { expected } })).toEqual({
      mbps: [354, 354],
      chosen: [
        {
          setting: "zones[].bandwidthMbps",
          value: "354",
          reason:
            "auto: the knee; a step takes 10 ms, 6 of them to compute, and twice the bandwidth would save less than a fifth",
        },
      ],
    });
  });

  test("is no more than limits.bandwidthMbps, and says so", () => {
    const { mbps, chosen } = planned({ ...auto, training: { expected }, limits: { bandwidthMbps: 50 } });
    expect(mbps).toEqual([50, 50]);
    expect(chosen[0]?.reason).toBe(
      "auto: the most that there may be (limits.bandwidthMbps); a step takes 34 ms, 6 of them to compute, and twice the bandwidth would save a fifth or more",
    );
  });

  test("is less where less is sent: a hundredth of it with diloco's int8 every 25 steps", () => {
    const training = { expected, sync: "diloco", syncOptions: { every: 25, precision: "int8" } };
    expect(planned({ ...auto, training }).mbps).toEqual([4, 4]);
  });

  test("leaves zones with a number alone", () => {
    const zones = [
      zoneOf("beijing", 1, { bandwidthMbps: "auto" }),
      zoneOf("shanghai", 2, { bandwidthMbps: 7 }),
    ];
    expect(planned({ ...plain, zones, training: { expected } }).mbps).toEqual([354, 7]);
  });

  test.each([
    [
      "nothing is expected",
      {},
      "auto needs training.expected {parameters, computeSecondsPerStep}: train once with a number, 1 to 1000; then `npm run train -- plan` tells both",
    ],
    [
      "nothing trains",
      { mode: "none", expected },
      "auto is for mode cross-zone (training.mode is none): give a number, 1 to 1000",
    ],
    [
      "it depends on the layers",
      { sync: "powersgd", syncOptions: { warmupSteps: 2 }, expected },
      "auto can not tell what sync powersgd sends, which depends on the model's layers: give the number that `npm run train -- plan` calls the knee",
    ],
  ])("is refused where %s", (_, training, message) => {
    expect(() => parseConfig({ ...auto, training })).toThrow(
      `crosszone:zones[0].bandwidthMbps: ${message} (given: "auto")`,
    );
  });

  test("is refused where ranks meet over an intranet alone", () => {
    const zones = [
      zoneOf("beijing", 1, { bandwidthMbps: "auto" }),
      zoneOf("tianjin", 2, { zoneId: "beijing1a" }),
    ];
    expect(() => parseConfig({ ...plain, zones, training: { expected } })).toThrow(
      "auto is for zones whose ranks meet over the internet; these do not: give a number, 1 to 1000",
    );
  });
});

test("a zone with more bandwidth than the limit is refused, one at the limit is not", () => {
  const zones = [zoneOf("beijing", 1, { bandwidthMbps: 51 }), zoneOf("shanghai", 2, { bandwidthMbps: 50 })];
  expect(() => parseConfig({ ...plain, zones, limits: { bandwidthMbps: 50 } })).toThrow(
    "has a problem; nothing was made:\n  - crosszone:zones[0].bandwidthMbps: must be at most limits.bandwidthMbps, 50; take less, or raise the limit (given: 51)\n",
  );
});

test("more GPUs than the limit are refused", () => {
  const zones = [zoneOf("beijing", 1, { nodes: 3 }), zoneOf("shanghai", 2)];
  const gpus = (limit: number) => parseConfig({ ...plain, zones, limits: { gpus: limit } }).limits.gpus;
  expect(() => gpus(3)).toThrow(
    "crosszone:limits.gpus: is less than the 4 GPUs of all nodes: fewer nodes (zones[].nodes), smaller shapes (zones[].shape), or a higher limit (given: 3)",
  );
  expect(gpus(4)).toBe(4);
});

test.each(["fast", 0, 1001, 2.5])("a bandwidth of %j is refused with what is allowed", (bandwidthMbps) => {
  const zones = [zoneOf("beijing", 1, { bandwidthMbps }), zoneOf("shanghai", 2)];
  expect(() => parseConfig({ ...plain, zones })).toThrow(
    `crosszone:zones[0].bandwidthMbps: must be a whole number of Mbit/s, 1 to 1000, or auto (given: ${JSON.stringify(bandwidthMbps)})`,
  );
});
