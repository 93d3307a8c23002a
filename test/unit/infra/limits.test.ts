import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../infra/config.ts";
import { costProblem, costWarning, sumOf } from "../../../infra/plan/cost.ts";
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

  test("is that of what powersgd has handed over", () => {
    const training = { sync: "powersgd", expected: { ...expected, payloadBytesPerStep: 16_588 } };
    expect(planned({ ...auto, training }).mbps).toEqual([39, 39]);
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
      "auto needs training.expected.payloadBytesPerStep with sync powersgd, which depends on the model's layers: train once with a number, 1 to 1000; then `npm run train -- plan` tells it",
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

describe("limits.costPerHour", () => {
  const items = [
    { zone: "pek3a", resource: "rtr-1", perHour: 0.05 },
    { zone: "sh1a", resource: "i-1", perHour: 12.5 },
    { zone: "sh1a", resource: "eip-1", perHour: null },
  ];

  test("holds at what the stack costs, and is refused below that with every price", () => {
    const costs = sumOf(items);
    expect(costs).toEqual({ perHour: 12.55, currency: "CNY", items });
    expect(costProblem(costs, 12.55)).toBeUndefined();
    expect(costProblem(costs, 12.54)).toBe(
      "The stack costs 12.55 CNY an hour, more than crosszone:limits.costPerHour allows (given: 12.54): rtr-1 (pek3a) 0.05, i-1 (sh1a) 12.5. What has been made is kept, and no rank is started. Raise the limit, take smaller shapes (zones[].shape) or fewer nodes (zones[].nodes), or remove everything: npm run pulumi -- destroy",
    );
  });

  test("names what it leaves out, as the API tells no price of it", () => {
    expect(costWarning(sumOf(items))).toBe(
      "crosszone:limits.costPerHour leaves out what the API tells no price of: eip-1",
    );
    expect(costWarning(sumOf(items.slice(0, 1)))).toBeUndefined();
    expect(costProblem(sumOf(items.slice(2)), 1)).toBeUndefined();
  });

  test("holds where prices add up to it exactly, though their binary fractions do not", () => {
    const three = ["rtr-1", "rtr-2", "rtr-3"].map((resource) => ({ zone: "pek3a", resource, perHour: 0.05 }));
    expect(costProblem(sumOf(three), 0.15)).toBeUndefined();
  });

  test.each([0, -1, "much"])("of %j is refused", (costPerHour) => {
    expect(() => parseConfig({ ...plain, limits: { costPerHour } })).toThrow(
      `(given: ${JSON.stringify(costPerHour)})`,
    );
  });

  test("may be text, as the Pulumi CLI keeps numbers with a point", () => {
    expect(parseConfig({ ...plain, limits: { costPerHour: "0.05" } }).limits.costPerHour).toBe(0.05);
  });
});

test.each(["fast", 0, 1001, 2.5])("a bandwidth of %j is refused with what is allowed", (bandwidthMbps) => {
  const zones = [zoneOf("beijing", 1, { bandwidthMbps }), zoneOf("shanghai", 2)];
  expect(() => parseConfig({ ...plain, zones })).toThrow(
    `crosszone:zones[0].bandwidthMbps: must be a whole number of Mbit/s, 1 to 1000, or auto (given: ${JSON.stringify(bandwidthMbps)})`,
  );
});
