import { expect, test } from "vitest";
import { decompress, stepFor, stepName, trafficIn } from "../../../../scripts/dev/report/traffic.ts";

test("GetMonitor's compressed data: epoch first, values a step apart, NA, and gaps by their length", () => {
  const data = [[600, [1, 2]], [3, 4], "NA", [5, 6], [2100, [7, 8]], [9, 10]];
  expect([...decompress(data, "5m")]).toEqual([
    [600, [1, 2]],
    [900, [3, 4]],
    [1500, [5, 6]],
    [3600, [7, 8]],
    [3900, [9, 10]],
  ]);
  expect(decompress([], "5m").size).toBe(0);
});

test("only intervals that the run lies in count: rates in bits a second, amounts in bytes", () => {
  const meters = {
    traffic: [
      [600, [1, 2]],
      [10, 20],
      [30, 40],
      [5, 5],
    ],
    flow: [
      [600, [300, 600]],
      [3000, 6000],
      [9000, 12000],
      [1, 1],
    ],
  };
  expect(trafficIn({ from: 900, to: 1201 }, "5m", meters)).toEqual({
    intervals: [
      { from: 900, seconds: 300, received: 80, sent: 160 },
      { from: 1200, seconds: 300, received: 240, sent: 320 },
    ],
    receivedBytes: 12_000,
    sentBytes: 18_000,
  });
  expect(trafficIn({ from: 0, to: 600 }, "5m", meters)).toEqual({
    intervals: [],
    receivedBytes: 0,
    sentBytes: 0,
  });
});

test.each([
  ["5m", 60],
  ["5m", 500 * 300],
  ["15m", 500 * 300 + 1],
  ["1h", 500 * 1800 + 1],
  ["2h", 500 * 3600 + 1],
  ["1d", 500 * 7200 + 1],
])("step %s for a run of %i seconds that has just ended", (step, seconds) => {
  const now = 1e9;
  expect(stepFor({ from: now - seconds, to: now }, now)).toBe(step);
});

test("of a run of three weeks ago there are steps of 2 hours at the least", () => {
  const from = 1e9 - 21 * 86_400;
  expect(stepFor({ from, to: from + 60 }, 1e9)).toBe("2h");
});

test("steps by name", () => {
  expect((["5m", "2h", "1d"] as const).map(stepName)).toEqual(["5 min", "2 h", "a day"]);
});
