import { expect, describe as group, test } from "vitest";
import { readMetrics } from "../../../scripts/dev/report/metrics.ts";
import { describe, describeLink, planOf, readOutputs } from "../../../scripts/dev/run/plan.ts";
import type { RankOnNode } from "../../../scripts/dev/run/ranks.ts";

const zone = (name: string, bandwidthMbps: number) => ({
  name,
  bandwidthMbps,
  nodes: [{ name: `${name}-1` }],
});
const stackWith = (changes: object = {}) => ({
  zones: [zone("beijing", 20), zone("shanghai", 20)],
  tunnels: [{ zones: ["beijing", "shanghai"], kind: "ipsec", over: "internet", mtu: 1400, rttMs: 1 }],
  cost: { perHour: 36, currency: "CNY" },
  ...changes,
});
/** What `pulumi stack export --show-secrets` prints of a stack with these outputs. */
const stateOf = (outputs: object) =>
  JSON.stringify({
    deployment: {
      resources: [
        {
          urn: "urn:pulumi:dev::crosszone::pulumi:pulumi:Stack::crosszone-dev",
          type: "pulumi:pulumi:Stack",
          outputs,
        },
      ],
    },
  });
const outputsOf = (changes: object = {}) => readOutputs(stateOf(stackWith(changes)));

const rank = (number: number, node: string): RankOnNode => ({
  ...{ rank: number, ranks: [number], node, runId: "0123456789ab", launchedAt: undefined, launch: {} },
  connection: { host: "h", port: 22, user: "u", privateKey: "k", hostKey: "k" },
});
const ranks = [rank(0, "beijing-1"), rank(1, "shanghai-1")];

/** Of a rank: the first 5 steps are slow, as those of a new process; then each takes 0.1 s, 0.04 of it to compute. */
function metricsOf(steps: number, compute = 0.04, ofStart: object = {}) {
  const step = (number: number) => ({
    ...{ event: "step", time: number, step: number, seconds: number <= 5 ? 9 : 0.1 },
    ...{ computeSeconds: number <= 5 ? 9 : compute, gradientBytes: 134_800 },
  });
  return readMetrics([
    { event: "start", time: 0, parameters: 33_700, gradientBytes: 134_800, epochs: 3, ...ofStart },
    ...Array.from({ length: steps }, (_, index) => step(index + 1)),
    { event: "epoch", time: 1, epoch: 1, step: 10 },
    { event: "epoch", time: 2, epoch: 2, step: 20 },
  ]);
}

/** 155,700 bytes of wire at 20 Mbit/s, and a round trip of 1 ms. */
const stepAt20 = 0.05 + 0.06228 + 0.001;

group("the plan of a run", () => {
  const plan = planOf(outputsOf(), ranks, [metricsOf(20), metricsOf(20, 0.05)], [10, 20]);

  test("reckons with the slowest rank's computation, and puts the prediction beside the measurement", () => {
    expect(plan.computeSeconds).toBeCloseTo(0.05, 12);
    expect(plan.now.predictedSeconds).toBeCloseTo(stepAt20, 12);
    expect(plan.now.measuredSeconds).toBeCloseTo(0.1, 12);
    expect(plan.now.difference).toBeCloseTo(stepAt20 / 0.1 - 1, 12);
    expect(plan.expected).toEqual({ parameters: 33_700, computeSecondsPerStep: 0.05 });
  });

  test("has a row for each bandwidth: epochs of 10 steps, 3 of them, at the stack's costs", () => {
    const [at10, at20, at37] = plan.rows;
    expect(plan.rows.map(({ mbps, isNow, isKnee }) => [mbps, isNow, isKnee])).toEqual([
      [10, false, false],
      [20, true, false],
      [37, false, true],
    ]);
    expect(at20?.secondsPerEpoch).toBeCloseTo(10 * stepAt20, 12);
    expect(at20?.secondsPerRun).toBeCloseTo(30 * stepAt20, 12);
    expect(at20?.costPerRun).toBeCloseTo((36 * 30 * stepAt20) / 3600, 12);
    expect(at20?.slowdown).toBeCloseTo(stepAt20 / 0.051, 12);
    expect(at10?.secondsPerStep).toBeGreaterThan(at20?.secondsPerStep ?? Infinity);
    expect(at37?.secondsPerStep).toBeLessThan(at20?.secondsPerStep ?? 0);
  });

  test("advises to raise what is below the knee, with the commands", () => {
    expect(plan.advice).toBe(
      "Raise: at 37 Mbit/s a step takes 85 ms instead of 113 ms. In place, while training goes on: npm run pulumi -- config set --path 'crosszone:zones[0].bandwidthMbps' 37; npm run pulumi -- config set --path 'crosszone:zones[1].bandwidthMbps' 37; npm run pulumi -- up. Or send less: training.sync (docs/training.md)",
    );
    expect(describe(plan)).toContain("crosszone:training.expected.parameters 33700, ");
  });

  test("advises to lower what is twice the knee, says where the prediction is off, and leaves alone what is about right", () => {
    const at = (mbps: number) =>
      planOf(
        outputsOf({ zones: [zone("beijing", mbps), zone("shanghai", mbps)] }),
        ranks,
        [metricsOf(20, 0.05)],
        [],
      );
    expect(at(74).advice).toMatch(
      /^The prediction is 32 % off: .*\. Lower, it costs little time: at 37 Mbit\/s a step takes 85 ms instead of 68 ms/,
    );
    expect(at(37).advice).toMatch(/ Leave it: 37 Mbit\/s is about the knee$/);
  });

  test("tells what auto needs: of powersgd also what a rank hands over", () => {
    const ofPowersgd = planOf(
      outputsOf(),
      ranks,
      [metricsOf(20, 0.05, { sync: "powersgd", bucketBytes: null })],
      [],
    );
    expect(ofPowersgd.expected).toEqual({
      parameters: 33_700,
      computeSecondsPerStep: 0.05,
      payloadBytesPerStep: 134_800,
    });
    expect(describe(ofPowersgd)).toMatch(
      /\nFor bandwidthMbps: auto: crosszone:training\.expected\.parameters 33700, crosszone:training\.expected\.computeSecondsPerStep 0\.05, crosszone:training\.expected\.payloadBytesPerStep 134800$/,
    );
  });

  test("lets what goes out during the backward pass hide, by the buckets that the run had", () => {
    // 4 MiB: in buckets of 1 MiB all but the last, 3/4, in 2/3 of the computation; none where they wait for its end.
    const gradientBytes = 4 * 2 ** 20;
    const secondsWith = (bucketBytes: number | null) =>
      planOf(outputsOf(), ranks, [metricsOf(20, 0.05, { gradientBytes, bucketBytes })], []).now
        .predictedSeconds;
    expect(secondsWith(null)).toBeCloseTo(stepAt20, 12);
    expect(secondsWith(2 ** 20)).toBeCloseTo(stepAt20 - (0.05 * (2 / 3) * 3) / 4, 12);
    expect(secondsWith(25 * 2 ** 20)).toBeCloseTo(stepAt20 - (0.05 * (2 / 3)) / 4, 12);
  });

  test("has no costs where the API tells no prices", () => {
    const free = planOf(
      outputsOf({ cost: { perHour: null, currency: "CNY" } }),
      ranks,
      [metricsOf(20)],
      [10],
    );
    expect(free.rows.map(({ costPerRun }) => costPerRun)).toEqual([undefined, undefined, undefined]);
    expect(describe(free)).toContain("The API tells no prices of this stack, so there is no cost.");
  });
});

test("a line tells of a run what the link has to do with it, and none where there is nothing to tell", () => {
  const metrics = [metricsOf(20, 0.05)];
  expect(describeLink(stateOf(stackWith()), ranks, metrics)).toBe(
    "at beijing 20, shanghai 20 Mbit/s a step should take 113 ms, and took 100 ms (+13 %); the knee is at 37 Mbit/s: raise it",
  );
  expect(describeLink(stateOf(stackWith({ tunnels: [] })), ranks, metrics)).toBeUndefined();
  expect(describeLink(stateOf(stackWith()), ranks, [metricsOf(5)])).toBeUndefined();
  expect(describeLink(stateOf({}), ranks, metrics)).toBeUndefined();
});

test("too few steps are no ground for a plan, which is said with what to do", () => {
  expect(() => planOf(outputsOf(), ranks, [metricsOf(5)], [])).toThrow(
    "there is nothing to plan from: the run has written 5 steps of metrics, and more than 5 are needed. Wait for some; a script of your own writes them as docs/training.md says",
  );
});

test("a stack whose `up` has not ended yet says so", () => {
  expect(() => readOutputs(stateOf({}))).toThrow("the stack has no outputs yet");
});
