import { expect, test } from "vitest";
import { median } from "../../bench/measuring.ts";
import { asJson, asList, asTable, resultsOf } from "../../bench/report.ts";

const samples = {
  "deploy.up.callsWithoutZone": [1],
  "cloud.describe.20.perSecond": [1600.4],
  "provider.start.seconds": [0.4, 0.2, 0.312345],
  "cloud.idle.megabytes": [90, 80, 100, 70],
};

test("the median is the middle value, or the mean of the two in the middle", () => {
  expect(median([10, 9, 100])).toBe(10);
  expect(median([4, 1, 3, 100])).toBe(3.5);
  expect(median([7])).toBe(7);
  expect(() => median([])).toThrow("There is no median of no values.");
});

test("the table has each metric's median, unit, target where there is one, and number of runs", () => {
  expect(asTable(resultsOf(samples)).split("\n")).toEqual([
    "metric                       value   unit   target         median of",
    "provider.start.seconds       0.3123  s      at most 0.2    3",
    "cloud.idle.megabytes         85      MB     at most 80     4",
    "cloud.describe.20.perSecond  1600    1/s    at least 1500  1",
    "deploy.up.callsWithoutZone   1       calls                 1",
  ]);
});

test("the JSON form has the date, the machine, and metric, value and unit of each result", () => {
  const report: unknown = JSON.parse(asJson(resultsOf(samples), new Date(Date.UTC(2026, 10, 24))));
  expect(report).toEqual({
    date: "2026-11-24T00:00:00.000Z",
    machine: {
      cpu: expect.stringMatching(/\S/),
      cores: expect.toSatisfy((cores: number) => cores >= 1),
      memoryGiB: expect.toSatisfy((memory: number) => memory > 0),
      kernel: expect.stringMatching(/^\d+\./),
      node: process.version,
    },
    results: [
      { metric: "provider.start.seconds", value: 0.3123, unit: "s" },
      { metric: "cloud.idle.megabytes", value: 85, unit: "MB" },
      { metric: "cloud.describe.20.perSecond", value: 1600, unit: "1/s" },
      { metric: "deploy.up.callsWithoutZone", value: 1, unit: "calls" },
    ],
  });
});

test("the list says what each metric is", () => {
  expect(asList(["deploy.preview.seconds"])).toBe("deploy.preview.seconds  `preview` without changes");
});
