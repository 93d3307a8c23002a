/** A fault from what was asked for, checked against the table of kinds; and a fault in words. */
import type { Fault, FaultKind } from "../../store/faults.ts";
import type { Store } from "../../store/store.ts";
import { zones } from "../zones/zones.ts";
import { actionsFor, type Kind, kinds } from "./kinds.ts";
import { FaultError, type FaultRequest, isWhole, oneOf, readNumber, readResource } from "./settings.ts";

/** @throws FaultError that says what is allowed */
export function readFault(request: FaultRequest, store: Store, now: number): Fault {
  const kind = oneOf("kind", request.kind, Object.keys(kinds) as FaultKind[]);
  for (const [name, value] of Object.entries(request)) {
    if (name === "kind" || value === undefined || takes(kind, name)) continue;
    const takers = (Object.keys(kinds) as FaultKind[]).filter((each) => takes(each, name));
    throw new FaultError(
      takers.length === 0
        ? `${name}: is no setting of a fault`
        : `--${name} ${value}: is for --kind ${takers.join(", ")} only, not for ${kind}`,
    );
  }
  const common = kinds[kind].met === "state" ? readState(request, now) : readCalls(kind, request);
  return { ...common, ...readZone(request), ...kinds[kind].read(request, store), kind } as Fault;
}

function takes(kind: FaultKind, name: string): boolean {
  return kinds[kind].settings.includes(name);
}

function readZone({ zone }: FaultRequest): { zone?: string } {
  const ids = zones.map(({ id }) => id);
  return zone === undefined ? {} : { zone: oneOf("zone", zone, ids) };
}

function readCalls(kind: FaultKind, { action, resource, times = 1, nth = 1 }: FaultRequest) {
  const count = "a whole number from 1 to 1000000";
  return {
    action: oneOf("action", action, ["*", ...actionsFor(kind)]),
    ...(resource === undefined ? {} : { resource: readResource("resource", resource) }),
    times: readNumber("times", times, count, isWhole(1, 1_000_000)),
    nth: readNumber("nth", nth, count, isWhole(1, 1_000_000)),
  };
}

function readState({ seconds }: FaultRequest, now: number): { until?: number } {
  if (seconds === undefined) return {};
  const isTime = (value: number): boolean => value > 0 && value <= 86_400;
  return { until: now + readNumber("seconds", seconds, "more than 0, at most 86400", isTime) * 1000 };
}

/** One sentence. @param held how many jobs it holds */
export function describeFault(fault: Fault, now: number, held: number): string {
  const { describe } = kinds[fault.kind] as Kind<FaultKind>;
  const effect = describe(fault);
  if ("action" in fault) {
    if (fault.times === 0)
      return `${held} ${held === 1 ? "job does" : "jobs do"} not end until it is cleared.`;
    const calls = fault.times === 1 ? "The next call" : `The next ${fault.times} calls`;
    const later = fault.nth === 1 ? "" : `, from the ${ordinal(fault.nth)} on`;
    const of = fault.action === "*" ? "any action" : fault.action;
    const on = fault.resource === undefined ? "" : ` on ${fault.resource}`;
    return `${calls} of ${of}${on} in ${fault.zone ?? "any zone"}${later}: ${effect}.`;
  }
  const end =
    fault.until === undefined
      ? "until it is cleared"
      : `for ${Math.max(0, (fault.until - now) / 1000).toFixed(1)} s more`;
  return `${effect[0]?.toUpperCase()}${effect.slice(1)}, ${end}.`;
}

function ordinal(count: number): string {
  const isTeen = count % 100 >= 11 && count % 100 <= 13;
  return `${count}${isTeen ? "th" : (["th", "st", "nd", "rd"][count % 10] ?? "th")}`;
}
