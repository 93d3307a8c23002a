import { expect, test } from "vitest";
import type { RunData } from "../../../../scripts/dev/report/data.ts";
import { trafficPanels, trainingPanels } from "../../../../scripts/dev/report/panels.ts";
import { binned, type LinePanel, timeUnit } from "../../../../scripts/dev/report/series.ts";
import { metricsLines, type Shape, sampleRun, startTime, twoZones } from "./samples.ts";

function panel(data: RunData, title: string) {
  const found = trainingPanels(data).find((each) => each.title === title);
  if (found === undefined) throw new Error(`there is no chart "${title}"`);
  return found;
}

function lines(data: RunData, title: string): LinePanel {
  const found = panel(data, title);
  if (found.kind !== "lines") throw new Error(`"${title}" has bars`);
  return found;
}

const names = (data: RunData, title: string) => lines(data, title).series.map(({ name }) => name);
const pointsOf = (data: RunData, title: string) =>
  Object.fromEntries(lines(data, title).series.map(({ name, points }) => [name, points]));

test("each rank has its loss, step by step, and all ranks the mean of each epoch", () => {
  const points = pointsOf(sampleRun(), "Loss over steps");
  expect(Object.keys(points)).toEqual(["rank 0", "rank 1", "mean of the epoch"]);
  expect(points["rank 1"]?.slice(0, 3)).toEqual([
    [1, 2.01],
    [2, 1.01],
    [3, 2 / 3 + 0.01],
  ]);
  expect(points["mean of the epoch"]).toEqual([
    [4, 2],
    [8, 1],
    [12, 2 / 3],
  ]);
});

test("over time, from the first rank's start, in seconds, minutes or hours", () => {
  expect(pointsOf(sampleRun(), "Loss over time")["rank 0"]?.slice(0, 2)).toEqual([
    [1.1, 2],
    [1.2, 1],
  ]);
  const long = sampleRun({ ...twoZones, seconds: 100 });
  expect(lines(long, "Loss over time").x.name).toBe("time since the start [min]");
  expect(pointsOf(long, "Loss over time")["rank 0"]?.[0]).toEqual([1.6833, 2]);
  expect([300, 301, 10_800, 10_801].map((seconds) => timeUnit(seconds).name)).toEqual([
    "s",
    "min",
    "min",
    "h",
  ]);
});

test("ranks that agree share a line, though their clocks differ", () => {
  const data = sampleRun();
  for (const title of ["Accuracy over steps", "Accuracy over time"]) {
    expect(names(data, title)).toEqual(["all 2 ranks"]);
  }
  expect(pointsOf(data, "Accuracy over steps")["all 2 ranks"]).toEqual([
    [4, 0.5],
    [8, 1 - 1 / 3],
    [12, 0.75],
  ]);
});

test("accuracy goes up to 1, or where a script tells per cent as far as it does", () => {
  expect(lines(sampleRun(), "Accuracy over steps").y).toEqual({ name: "accuracy", max: 1 });
  const line = { event: "epoch", time: startTime, epoch: 1, step: 4, accuracy: 97 };
  expect(
    lines(
      sampleRun(twoZones, () => [line]),
      "Accuracy over steps",
    ).y,
  ).toEqual({ name: "accuracy" });
});

test("a loss that diverged breaks the line", () => {
  const diverged = (step: number) => ({
    event: "step",
    time: startTime + step,
    step,
    loss: step === 2 ? null : 1,
  });
  const data = sampleRun({ ...twoZones, zones: ["a"] }, () => [1, 2, 3].map(diverged));
  expect(pointsOf(data, "Loss over steps")).toEqual({
    "rank 0": [
      [1, 1],
      [2, null],
      [3, 1],
    ],
  });
});

test("the time of a step is split into compute and communication, over the steps and by rank", () => {
  const data = sampleRun();
  const points = pointsOf(data, "Time of a step, mean of the ranks");
  expect(Object.keys(points)).toEqual(["compute", "communication"]);
  expect(points.compute?.map(([x, y]) => [x, y?.toFixed(3)])[0]).toEqual([1, "60.000"]);
  expect(points.communication).toHaveLength(12);
  expect(panel(data, "Time of a step by rank, mean of all steps")).toMatchObject({
    kind: "bars",
    categories: ["0", "1"],
    series: [
      { name: "compute", values: [60, 60] },
      { name: "communication", values: [40, 40] },
    ],
  });
});

const fourZones: Shape = {
  ...twoZones,
  zones: ["beijing", "tianjin", "shanghai", "guangdong"],
  nodesPerZone: 6,
};

test("24 ranks are told apart by their zones, in the legend once each", () => {
  const data = sampleRun(fourZones);
  const { series } = lines(data, "Loss over steps");
  const legend = new Map(series.map(({ name, colour }) => [name, colour]));
  expect([...legend.keys()]).toEqual([
    "beijing (6 ranks)",
    "tianjin (6 ranks)",
    "shanghai (6 ranks)",
    "guangdong (6 ranks)",
    "mean of the epoch",
  ]);
  expect(new Set(legend.values()).size).toBe(5);
  expect(series).toHaveLength(25);
});

test("one rank alone: its own lines, and no communication", () => {
  const data = sampleRun({ ...twoZones, zones: ["beijing"] });
  expect(names(data, "Loss over steps")).toEqual(["rank 0", "mean of the epoch"]);
  expect(names(data, "Accuracy over time")).toEqual(["rank 0"]);
  expect(pointsOf(data, "Time of a step").communication?.every(([, y]) => y === 0)).toBe(true);
});

test("a script that writes nothing has no charts, one that writes steps alone has theirs", () => {
  expect(trainingPanels(sampleRun(twoZones, () => []))).toEqual([]);
  const some = sampleRun(twoZones, (rank, worldSize, shape) =>
    metricsLines(rank, worldSize, shape).flatMap(({ event, ...line }) =>
      event === "step" && "step" in line
        ? [{ event, time: line.time, step: line.step, loss: 1 / rank, seconds: 0.1 }]
        : [],
    ),
  );
  expect(trainingPanels(some).map(({ title }) => title)).toEqual([
    "Loss over steps",
    "Loss over time",
    "Time of a step, mean of the ranks",
    "Time of a step by rank, mean of all steps",
  ]);
  expect(names(some, "Time of a step, mean of the ranks")).toEqual(["whole step"]);
});

test("an EIP's traffic stands against its rate, with the run marked, and what the zone's node sent itself", () => {
  const [first] = trafficPanels(sampleRun());
  expect(first).toEqual({
    kind: "lines",
    title: "EIP of beijing, 203.0.113.10",
    x: { name: "time since the start [s]" },
    y: { name: "Mbit/s", min: 0 },
    level: { name: "rate 20 Mbit/s", value: 20 },
    band: { name: "run", from: 0, to: 2.201 },
    series: [
      expect.objectContaining({
        name: "received, mean of 5 min",
        // The interval is not over yet: it is shown until now.
        points: [
          [-240, 2],
          [20, 2],
        ],
      }),
      expect.objectContaining({
        name: "sent, mean of 5 min",
        points: [
          [-240, 1],
          [20, 1],
        ],
      }),
      expect.objectContaining({
        name: "sent by its node in steps",
        points: Array.from({ length: 12 }, (_, index) => [
          expect.closeTo(1.1 + index / 10),
          expect.closeTo(14.24),
        ]),
      }),
    ],
  });
});

test("where nothing was counted the line has a gap; over an intranet nothing of the nodes passes the EIP", () => {
  const data = sampleRun();
  const traffic = data.traffic.map((each) => ({
    ...each,
    intervals: [0, 600].map((from) => ({ from: startTime + from, seconds: 300, received: 0, sent: 0 })),
  }));
  const tunnels = data.network.tunnels.map((tunnel) => ({ ...tunnel, over: "intranet" as const }));
  const later = { ...data, madeAt: startTime + 1000, traffic, network: { ...data.network, tunnels } };
  const [first] = trafficPanels(later);
  expect(first?.series.map((series) => "points" in series && series.points)).toEqual(
    [1, 2].map(() => [
      [0, 0],
      [300, 0],
      [300, null],
      [600, 0],
      [900, 0],
    ]),
  );
});

test("GPUs by their nodes, each sampled once though two ranks were launched on the node", () => {
  const data = sampleRun();
  const gpus = [0, 1].map((index) => ({ time: startTime + 5, index, utilizationPercent: 50 + index }));
  const launches = data.launches.map((launch) => ({ ...launch, node: "beijing-1", gpus }));
  expect(pointsOf({ ...data, launches }, "GPU use")).toEqual({
    "beijing-1 GPU 0": [[5, 50]],
    "beijing-1 GPU 1": [[5, 51]],
  });
});

test("many values are means of equal parts, few are as they are", () => {
  expect(
    binned(
      [
        [1, 2],
        [1, 4],
        [3, 5],
      ],
      10,
    ),
  ).toEqual([
    [1, 3],
    [3, 5],
  ]);
  expect(
    binned(
      [
        [0, 1],
        [1, 3],
        [2, 5],
        [3, 7],
        [4, 9],
      ],
      2,
    ),
  ).toEqual([
    [1, 2],
    [3, 7],
  ]);
  expect(binned([], 2)).toEqual([]);
});
