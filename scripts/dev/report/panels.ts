/** The charts of a run: what they show, not how they are drawn. Pure. */
import { type LaunchData, periodOf, type RankData, type RunData } from "./data.ts";
import { type Epoch, meanStep, type Step } from "./metrics.ts";
import {
  type BarPanel,
  binned,
  black,
  colour,
  type Line,
  type LinePanel,
  mergeEqual,
  type Panel,
  type Point,
  palette,
  rankSeries,
  type Series,
  timeUnit,
} from "./series.ts";
import { type Period, stepName, type Traffic } from "./traffic.ts";

const mostBins = 100;
/** Epochs that are seen as dots. */
const mostDots = 40;
const [blue, orange] = [palette[0], palette[4]];

export function trainingPanels(data: RunData): Panel[] {
  const clock = clockOf(data);
  const loss = { name: "loss" };
  const isShare = data.ranks.flatMap(judged).every((each) => (each.accuracy ?? 0) <= 1);
  // A script of one's own may tell per cent.
  const accuracy = { name: "accuracy", ...(isShare ? { max: 1 } : {}) };
  const step = { name: "step" };
  const stepOf = (item: Step | Epoch) => item.step;
  const timeOf = (item: Step | Epoch) => clock.at(item.time);
  const losses = (x: Read<Step | Epoch>) => [
    ...seriesOf(data, ({ metrics }) => metrics.steps, x, lossOf),
    ...epochMean(data, x),
  ];
  const accuracies = (x: Read<Epoch>) => dotted(seriesOf(data, judged, x, (each) => each.accuracy));
  const panels = [
    lines("Loss over steps", step, loss, losses(stepOf)),
    lines("Loss over time", clock.axis, loss, losses(timeOf)),
    lines("Accuracy over steps", step, accuracy, accuracies(stepOf)),
    lines("Accuracy over time", clock.axis, accuracy, accuracies(timeOf)),
    stepTimes(data),
    stepTimeOfRanks(data),
    gpuUse(data, clock),
  ];
  return panels.filter((panel) => panel.series.some(hasValues));
}

const epochsOf = ({ metrics }: RankData) => metrics.epochs;
const judged = (rank: RankData) =>
  epochsOf(rank).filter(({ accuracy }) => accuracy !== null && accuracy !== undefined);
const lossOf = ({ loss }: Step | Epoch) => loss;

function hasValues(series: Series | BarPanel["series"][number]): boolean {
  return "points" in series ? series.points.length > 0 : series.values.some((value) => value !== null);
}

function lines(
  title: string,
  x: LinePanel["x"],
  y: LinePanel["y"],
  series: readonly Series[],
  more: Pick<LinePanel, "level" | "band"> = {},
): LinePanel {
  return { kind: "lines", title, x, y, series, ...more };
}

interface Clock {
  readonly axis: { readonly name: string };
  /** From seconds since 1970 to the axis. */
  at(time: number): number;
}

function clockOf(data: RunData): Clock {
  const { from, to } = periodOf(data) ?? { from: 0, to: 0 };
  const unit = timeUnit(to - from);
  return {
    axis: { name: `time since the start [${unit.name}]` },
    at: (time) => Math.round(((time - from) / unit.seconds) * 1e4) / 1e4,
  };
}

type Read<Item> = (item: Item) => number | null | undefined;

/** A line for each rank, or one for those that have the same values. */
function seriesOf<Item>(
  data: RunData,
  items: (rank: RankData) => readonly Item[],
  x: Read<Item>,
  y: Read<Item>,
): Series[] {
  const found = data.ranks.map((rank): Line => {
    const points = items(rank).flatMap((item): Point[] => {
      const place = x(item);
      return place === null || place === undefined ? [] : [[place, y(item) ?? null]];
    });
    return { ranks: [rank.rank], zone: zoneOf(data, rank.node), points };
  });
  const zones = data.network.zones.map(({ name }) => name);
  return rankSeries(mergeEqual(found), data.ranks.length, zones);
}

/** Of what all ranks have agreed on. */
function epochMean(data: RunData, x: Read<Epoch>): Series[] {
  const told = seriesOf(data, epochsOf, x, lossOf);
  const [series] = told;
  if (series === undefined || told.length > 1) return [];
  return dotted([{ ...series, name: "mean of the epoch", colour: black, width: 2 }]);
}

function dotted(series: readonly Series[]): Series[] {
  return series.map((each) => ({ ...each, isDotted: each.points.length <= mostDots }));
}

function zoneOf({ network }: RunData, node: string): string {
  return network.zones.find(({ nodes }) => nodes.some(({ name }) => name === node))?.name ?? "";
}

const milliseconds = { name: "ms a step", min: 0 };

/** Over the steps, mean of all ranks. */
function stepTimes({ ranks }: RunData): LinePanel {
  const steps = ranks.flatMap(({ metrics }) => metrics.steps);
  const part = (of: (step: Step) => number | null | undefined): Point[] =>
    binned(
      steps.flatMap((step): [number, number][] => {
        const seconds = of(step);
        return seconds === null || seconds === undefined ? [] : [[step.step, seconds * 1000]];
      }),
      mostBins,
    );
  const compute = part(({ computeSeconds }) => computeSeconds);
  const communication = part(({ communicationSeconds }) => communicationSeconds);
  const filled = { isStacked: true, isFilled: true, width: 1 };
  const isSplit = compute.length > 0 && compute.length === communication.length;
  const whole = part(({ seconds }) => seconds);
  return lines(
    ranks.length > 1 ? "Time of a step, mean of the ranks" : "Time of a step",
    { name: "step" },
    milliseconds,
    isSplit
      ? [
          { name: "compute", colour: blue, points: compute, ...filled },
          { name: "communication", colour: orange, points: communication, ...filled },
        ]
      : [{ name: "whole step", colour: blue, points: whole, width: 1.4 }],
  );
}

function stepTimeOfRanks({ ranks }: RunData): BarPanel {
  const means = ranks.map(({ metrics }) => meanStep(metrics));
  const values = (of: (mean: ReturnType<typeof meanStep>) => number | undefined) =>
    means.map((each) => {
      const seconds = of(each);
      return seconds === undefined ? null : Math.round(seconds * 1e6) / 1e3;
    });
  const isSplit = means.some(({ compute }) => compute !== undefined);
  return {
    kind: "bars",
    title: "Time of a step by rank, mean of all steps",
    x: { name: "rank" },
    y: milliseconds,
    categories: ranks.map(({ rank }) => String(rank)),
    series: isSplit
      ? [
          { name: "compute", colour: blue, values: values(({ compute }) => compute) },
          { name: "communication", colour: orange, values: values(({ communication }) => communication) },
        ]
      : [{ name: "whole step", colour: blue, values: values(({ seconds }) => seconds) }],
  };
}

function gpuUse(data: RunData, clock: Clock): LinePanel {
  // Launches of one node are told the same.
  const byNode = new Map(data.launches.map(({ node, gpus }) => [node, gpus]));
  const gpus = [...byNode].flatMap(([node, samples]) =>
    [...Map.groupBy(samples, ({ index }) => index)].map(([index, own]) => ({ node, index, own })),
  );
  const point = ({ time, utilizationPercent }: LaunchData["gpus"][number]): Point => [
    clock.at(time),
    utilizationPercent ?? null,
  ];
  const areFew = gpus.length <= palette.length;
  const series = gpus.map(({ node, index, own }, place) => ({
    name: areFew ? `${node} GPU ${index}` : node,
    colour: colour(areFew ? place : [...byNode.keys()].indexOf(node)),
    points: own.map(point),
    width: 1.4,
  }));
  return lines("GPU use", clock.axis, { name: "utilization [%]", min: 0, max: 100 }, series);
}

/** One of each EIP: what the cloud counted, and what the zone's nodes count themselves, which is finer. */
export function trafficPanels(data: RunData): Panel[] {
  const period = periodOf(data);
  return period === undefined ? [] : data.traffic.map((traffic) => trafficPanel(data, traffic, period));
}

function trafficPanel(data: RunData, traffic: Traffic, period: Period): LinePanel {
  const clock = clockOf(data);
  const steps = (of: "received" | "sent"): Point[] =>
    traffic.intervals.flatMap(({ from, seconds, [of]: bits }, index): Point[] => {
      const to = Math.min(from + seconds, data.madeAt);
      const next = traffic.intervals[index + 1];
      const gap: Point[] = next !== undefined && next.from > from + seconds ? [[clock.at(to), null]] : [];
      return [[clock.at(from), bits / 1e6], [clock.at(to), bits / 1e6], ...gap];
    });
  const mean = `mean of ${stepName(data.trafficStep)}`;
  return lines(
    `EIP of ${traffic.zone}, ${traffic.address}`,
    clock.axis,
    { name: "Mbit/s", min: 0 },
    [
      { name: `received, ${mean}`, colour: blue, points: steps("received"), isFilled: true, width: 3 },
      { name: `sent, ${mean}`, colour: orange, points: steps("sent"), isFilled: true, width: 1.4 },
      ...nodesSent(data, traffic.zone, clock),
    ].filter(({ points }) => points.length > 0),
    {
      level: { name: `rate ${traffic.rateMbps} Mbit/s`, value: traffic.rateMbps },
      band: { name: "run", from: clock.at(period.from), to: clock.at(period.to) },
    },
  );
}

/**
 * Of a zone's nodes together, where what they send leaves by the EIP; each node's interface is counted by one of its
 * ranks.
 */
function nodesSent(data: RunData, zone: string, clock: Clock): Series[] {
  const tunnels = data.network.tunnels.filter(({ zones }) => zones.includes(zone));
  if (tunnels.length === 0 || tunnels.some(({ over }) => over === "intranet")) return [];
  const own = data.ranks.filter(({ node }) => zoneOf(data, node) === zone);
  const counting = own.filter(({ node }, index) => own.findIndex((other) => other.node === node) === index);
  const steps = counting.flatMap(({ metrics }) => metrics.steps);
  const part = (read: (step: Step) => number) =>
    binned(
      steps
        .filter(({ seconds, sentBytes }) => seconds && typeof sentBytes === "number")
        .map((step) => [clock.at(step.time), read(step)]),
      mostBins,
    );
  const seconds = part((step) => step.seconds ?? 0);
  const points = part((step) => step.sentBytes ?? 0).map(([x, bytes], index): Point => {
    const bits = (bytes * 8) / (seconds[index]?.[1] ?? 1);
    return [x, (bits / 1e6) * counting.length];
  });
  const name =
    counting.length === 1 ? "sent by its node in steps" : "sent by its nodes in steps, also to each other";
  return [{ name, colour: palette[2], points, width: 1.2 }];
}
