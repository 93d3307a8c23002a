/** What GetMonitor tells of an EIP. */
import { monitorSteps } from "../../../qingcloud/actions/monitor.ts";

export type MonitorStep = keyof typeof monitorSteps;

/** E.g. `5 min`. */
export function stepName(step: MonitorStep): string {
  return step.replace("m", " min").replace("h", " h").replace("1d", "a day");
}

/** Received and sent, as the EIP sees it. */
type Pair = readonly [number, number];

export interface Interval {
  /** Seconds since 1970. */
  readonly from: number;
  readonly seconds: number;
  /** Means, bits a second. */
  readonly received: number;
  readonly sent: number;
}

/** Of one zone's EIP during the run. */
export interface Traffic {
  readonly zone: string;
  readonly eipId: string;
  readonly address: string;
  /** Bandwidth of the EIP, Mbit/s. */
  readonly rateMbps: number;
  readonly intervals: readonly Interval[];
  /** Bytes in all of the intervals. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export interface Period {
  /** Seconds since 1970. */
  readonly from: number;
  readonly to: number;
}

/** Days that steps of less than 2 hours are kept for (QingCloud's documentation of GetMonitor). */
const fineDays = 15;
const mostIntervals = 500;

/** The finest step that the cloud has for a period, and that is not too many values for a picture. */
export function stepFor({ from, to }: Period, now: number): MonitorStep {
  const isOld = from < now - fineDays * 86_400;
  const names = Object.keys(monitorSteps) as MonitorStep[];
  const fits = (name: MonitorStep) =>
    (!isOld || monitorSteps[name] >= monitorSteps["2h"]) && (to - from) / monitorSteps[name] <= mostIntervals;
  return names.find(fits) ?? "1d";
}

/**
 * Compressed data: `[epoch, value]`, then a value a step, `[seconds, value]` after a gap, `"NA"` without a value.
 * @returns values by the beginning of their step, seconds since 1970
 */
export function decompress(data: readonly unknown[], step: MonitorStep): Map<number, Pair> {
  const values = new Map<number, Pair>();
  let time = 0;
  for (const item of data) {
    const isTimed = Array.isArray(item) && !isPair(item);
    time += isTimed ? Number(item[0]) : monitorSteps[step];
    const value: unknown = isTimed ? item[1] : item;
    if (isPair(value)) values.set(time, value);
  }
  return values;
}

function isPair(value: unknown): value is Pair {
  return Array.isArray(value) && value.length === 2 && value.every((each) => typeof each === "number");
}

export interface Meters {
  /** Means in bytes a second. */
  readonly traffic: readonly unknown[];
  /** Bytes. */
  readonly flow: readonly unknown[];
}

/** The intervals that a period lies in, and how much passed in them. */
export function trafficIn(period: Period, step: MonitorStep, meters: Meters) {
  const seconds = monitorSteps[step];
  const within = (data: readonly unknown[]) =>
    [...decompress(data, step)].filter(([from]) => from < period.to && from + seconds > period.from);
  const flows = within(meters.flow).map(([, pair]) => pair);
  return {
    intervals: within(meters.traffic).map(
      ([from, [received, sent]]): Interval => ({ from, seconds, received: received * 8, sent: sent * 8 }),
    ),
    receivedBytes: flows.reduce((sum, [received]) => sum + received, 0),
    sentBytes: flows.reduce((sum, [, sent]) => sum + sent, 0),
  };
}
