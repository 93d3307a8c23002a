import { expect, test } from "vitest";
import { periodOf } from "../../../../scripts/dev/report/data.ts";
import { isEmpty, meanStep, readMetrics } from "../../../../scripts/dev/report/metrics.ts";
import { metricsLines, sampleRun, startTime, twoZones } from "./samples.ts";

const step = (number: number, more: object) => ({ event: "step", time: number, step: number, ...more });

test("of a step that a later attempt did again the last one counts, and steps are in their order", () => {
  const { starts, steps } = readMetrics([
    { event: "start", time: 1 },
    step(1, { loss: 2 }),
    step(2, { loss: 1.5 }),
    step(3, { loss: 9 }),
    { event: "start", time: 5 },
    step(2, { loss: 1.4 }),
  ]);
  expect(starts).toHaveLength(2);
  expect(steps.map(({ step: number, loss }) => [number, loss])).toEqual([
    [1, 2],
    [2, 1.4],
    [3, 9],
  ]);
});

test("a loss that is no number is a step without one; lines of another form are counted", () => {
  const { steps, unreadable } = readMetrics([
    step(1, { loss: null }),
    { event: "note" },
    "text",
    step(1.5, {}),
  ]);
  expect(steps.map(({ loss }) => loss)).toEqual([null]);
  expect(unreadable).toBe(3);
});

test("what the guide's scripts write is read whole", () => {
  const metrics = readMetrics(metricsLines(1, 2, twoZones));
  expect(metrics).toMatchObject({ unreadable: 0, result: { accuracy: 0.75, finalLoss: 2 / 3, epochs: 3 } });
  expect([metrics.starts.length, metrics.steps.length, metrics.epochs.length]).toEqual([1, 12, 3]);
  const { seconds, compute, communication } = meanStep(metrics);
  expect([seconds, compute, communication].map((value) => value?.toFixed(6))).toEqual([
    "0.100000",
    "0.060000",
    "0.040000",
  ]);
});

test("a rank that wrote nothing has nothing", () => {
  const nothing = readMetrics([]);
  expect(isEmpty(nothing)).toBe(true);
  expect(meanStep(nothing)).toEqual({ seconds: undefined, compute: undefined, communication: undefined });
});

test("a run lasts from its first start to its last line, to now while it runs, by its launch where it tells nothing", () => {
  const run = sampleRun();
  expect(periodOf(run)).toEqual({ from: startTime, to: startTime + 2.201 });
  const [first, ...others] = run.launches;
  const summary = { state: "running" as const, attempt: 1, lines: [], results: [], seconds: 4 };
  const launches = first === undefined ? [] : [{ ...first, summary }, ...others];
  expect(periodOf({ ...run, launches })).toEqual({ from: startTime, to: startTime + 20 });
  const silent = sampleRun(twoZones, () => []);
  expect(periodOf(silent)).toEqual({ from: startTime - 1, to: startTime + 3 });
  expect(periodOf({ ...silent, launches: [] })).toBeUndefined();
});
