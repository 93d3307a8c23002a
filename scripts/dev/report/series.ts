/** Lines and bars of the charts. Pure. */
import { ranges } from "./format.ts";

/** No value where there is none, or none that is a number. */
export type Point = readonly [x: number, y: number | null];

export interface Series {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly Point[];
  readonly width?: number;
  /** Each point with a dot. */
  readonly isDotted?: boolean;
  /** Filled, upon the series before it. */
  readonly isStacked?: boolean;
  readonly isFilled?: boolean;
}

interface Axis {
  readonly name: string;
  readonly min?: number;
  readonly max?: number;
}

export interface LinePanel {
  readonly kind: "lines";
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** A value that others are measured against. */
  readonly level?: { readonly name: string; readonly value: number };
  /** A part of the x axis. */
  readonly band?: { readonly name: string; readonly from: number; readonly to: number };
}

export interface BarPanel {
  readonly kind: "bars";
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly categories: readonly string[];
  /** Upon each other. */
  readonly series: readonly {
    readonly name: string;
    readonly colour: string;
    readonly values: readonly (number | null)[];
  }[];
}

export type Panel = LinePanel | BarPanel;

/** By Okabe and Ito: told apart with every kind of colour vision. */
export const palette = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#7a5195",
  "#6b6b6b",
] as const;
export const black = "#1f2328";

export function colour(index: number): string {
  return palette[index % palette.length] ?? black;
}

/** What a line is of. */
export interface Line {
  readonly ranks: readonly number[];
  readonly zone: string;
  readonly points: readonly Point[];
}

/** More lines than this can not be told apart by colour. */
export const mostLines = palette.length;

/**
 * Lines with the same values are one: what all ranks have agreed on would else hide all lines but the last. Each rank
 * has its own clock, so the times of the first are taken.
 */
export function mergeEqual(lines: readonly Line[]): Line[] {
  const found = new Map<string, Line>();
  for (const line of lines.filter(({ points }) => points.length > 0)) {
    const key = JSON.stringify(line.points.map(([, y]) => y));
    const before = found.get(key);
    found.set(key, before === undefined ? line : { ...before, ranks: [...before.ranks, ...line.ranks] });
  }
  return [...found.values()];
}

/**
 * A colour and a name for each line: of a rank where they are few, else of its zone.
 * @param worldSize number of ranks
 * @param zones names, in their order
 */
export function rankSeries(lines: readonly Line[], worldSize: number, zones: readonly string[]): Series[] {
  const areFew = lines.length <= mostLines;
  return lines.map(({ ranks, zone, points }, index): Series => {
    if (!areFew) {
      const own = lines.filter((line) => line.zone === zone).flatMap((line) => line.ranks).length;
      return {
        name: `${zone} (${own} ${own === 1 ? "rank" : "ranks"})`,
        colour: colour(zones.indexOf(zone)),
        points,
        width: 0.8,
      };
    }
    const name =
      ranks.length === 1
        ? `rank ${ranks[0]}`
        : ranks.length === worldSize
          ? `all ${worldSize} ranks`
          : `ranks ${ranges(ranks)}`;
    return { name, colour: colour(index), points, width: 1.4 };
  });
}

/**
 * Means of values with their x, in at most `most` parts of the same length.
 * @returns the middle of each part that has values, and their mean
 */
export function binned(values: readonly (readonly [number, number])[], most: number): [number, number][] {
  const xs = [...new Set(values.map(([x]) => x))].sort((one, other) => one - other);
  if (xs.length <= most) return grouped(values, (x) => x);
  const [first = 0, last = 0] = [xs[0], xs.at(-1)];
  const width = (last - first) / most;
  return grouped(values, (x) => first + (Math.min(most - 1, Math.floor((x - first) / width)) + 0.5) * width);
}

function grouped(values: readonly (readonly [number, number])[], placeOf: (x: number) => number) {
  const sums = new Map<number, { sum: number; count: number }>();
  for (const [x, y] of values) {
    const place = placeOf(x);
    const { sum, count } = sums.get(place) ?? { sum: 0, count: 0 };
    sums.set(place, { sum: sum + y, count: count + 1 });
  }
  return [...sums]
    .map(([x, { sum, count }]): [number, number] => [x, sum / count])
    .sort(([one], [other]) => one - other);
}

/** The unit of a time axis that is so long, in seconds. */
export function timeUnit(seconds: number): { readonly name: string; readonly seconds: number } {
  if (seconds <= 300) return { name: "s", seconds: 1 };
  return seconds <= 3 * 3600 ? { name: "min", seconds: 60 } : { name: "h", seconds: 3600 };
}
