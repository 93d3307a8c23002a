/** GetMonitor: what instances, EIPs and routers have used and carried. */
import { monitorSteps } from "../../../qingcloud/actions/monitor.ts";
import type * as actions from "../../../qingcloud/actions.ts";
import { fineFor, type Interval } from "../../store/measurements.ts";
import { type Context, type Handler, type Handlers, need } from "../context.ts";
import { badValue, malformed, notFound } from "../errors.ts";

/** A value as the API gives it: a number, or a pair such as [in, out]. */
type Value = number | readonly [number, number];

/** One meter of one resource. */
interface Meter {
  /** What the answer calls it. */
  readonly id: string;
  /** What it is measured as; absent where this cloud does not measure it. */
  readonly source?: string;
  readonly toValue?: (interval: Interval) => Value;
  readonly extra?: { readonly vxnet_id: string; readonly sequence: number };
}

const level = ({ first, seconds }: Interval): Value => Math.round(first / seconds);
const rates = ({ first, second, seconds }: Interval): Value => [
  Math.round(first / seconds),
  Math.round(second / seconds),
];
const amounts = ({ first, second }: Interval): Value => [Math.round(first), Math.round(second)];

const eipMeters: readonly Meter[] = [
  { id: "traffic", source: "traffic", toValue: rates },
  { id: "flow", source: "traffic", toValue: amounts },
];

/** The meters that a resource has, by the name that a request gives. */
function metersOf(context: Context, resource: string): ReadonlyMap<string, Meter> {
  const { store, zone } = context;
  if (resource.startsWith("eip-")) {
    need(context, "eip", resource);
    return new Map(eipMeters.map((meter) => [meter.id, meter]));
  }
  if (resource.startsWith("rtr-")) {
    need(context, "router", resource);
    const joined = store.list("vxnet", zone).filter(({ join }) => join?.routerId === resource);
    const ids = ["vxnet-0", ...joined.map(({ id }) => id)];
    return new Map(ids.map((id) => [id, { id, source: id, toValue: rates }]));
  }
  if (!resource.startsWith("i-")) throw notFound("instance, eip or router", resource);
  return instanceMeters(context, resource);
}

function instanceMeters(context: Context, id: string): ReadonlyMap<string, Meter> {
  const instance = need(context, "instance", id);
  const disks = context.store
    .list("volume", context.zone)
    .filter(({ attachment }) => attachment?.instanceId === id);
  const unmeasured = ["disk-iops-os", "disk-us-os", ...disks.map((disk) => `disk-us-${disk.id}`)];
  const meters: readonly (readonly [string, Meter])[] = [
    ["cpu", { id: "cpu", source: "cpu", toValue: level }],
    ["memory", { id: "memory", source: "memory", toValue: level }],
    ["disk-os", { id: "disk-os", source: "disk-os", toValue: rates }],
    ...disks
      .flatMap((disk) => [`disk-${disk.id}`, `disk-iops-${disk.id}`])
      .map((name): [string, Meter] => [name, { id: name, source: name, toValue: rates }]),
    ...unmeasured.map((name): [string, Meter] => [name, { id: name }]),
    ...instance.nics.map(({ mac, vxnetId }, sequence): [string, Meter] => {
      const source = `if-${mac}`;
      return [source, { id: mac, source, toValue: rates, extra: { vxnet_id: vxnetId, sequence } }];
    }),
  ];
  return new Map(meters);
}

/**
 * The documented compression. Nothing stands for what is before the first value.
 * @param times when anything was measured, oldest first: without a value of this meter that is "NA", other gaps are told
 * by their length
 */
export function compress(
  times: readonly number[],
  values: ReadonlyMap<number, Value>,
  step: number,
): unknown[] {
  const data: unknown[] = [];
  let previous: number | undefined;
  for (const time of times) {
    const value = values.get(time);
    const follows = previous !== undefined && time === previous + step;
    // "NA" can not be told with a time of its own: after a gap the next value is.
    if (value === undefined && !follows) continue;
    data.push(follows ? (value ?? "NA") : [previous === undefined ? time : time - previous, value]);
    previous = time;
  }
  return data;
}

function readTime(name: "start_time" | "end_time", given: string): number {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(given);
  const time = isTime ? Date.parse(given) : Number.NaN;
  if (Number.isNaN(time)) throw malformed(name, given, "a UTC time such as 2011-07-11T11:07:00Z");
  return Math.floor(time / 1000);
}

const getMonitor: Handler<typeof actions.GetMonitor> = (request, context) => {
  const meters = metersOf(context, request.resource);
  const from = readTime("start_time", request.start_time);
  const to = readTime("end_time", request.end_time);
  if (to <= from)
    throw badValue("end_time", request.end_time, `times after start_time [${request.start_time}]`);
  const step = monitorSteps[request.step];
  if (step < monitorSteps["2h"] && from < context.now / 1000 - fineFor) {
    throw badValue("step", request.step, "2h, 1d where start_time is more than 15 days ago");
  }
  const times = context.measurements.observed(step, from, to);
  const meter_set = request.meters.map((name, index) => {
    const meter = meters.get(name);
    if (meter === undefined) throw badValue(`meters.${index + 1}`, name, [...meters.keys()].join(", "));
    const { id, source, toValue, extra } = meter;
    const intervals =
      source === undefined ? [] : context.measurements.read(request.resource, source, step, from, to);
    const values = new Map(intervals.map((interval) => [interval.time, toValue?.(interval) ?? 0]));
    return { meter_id: id, data: compress(times, values, step), ...extra };
  });
  return { resource_id: request.resource, meter_set };
};

export const monitorHandlers = { GetMonitor: getMonitor } satisfies Partial<Handlers>;
