/**
 * The kinds of faults: when each is met, which settings it takes and what it does, in words. Another kind is another entry
 * here, its type in store/faults.ts, and the place that does it.
 */
import { actionsByName } from "../../../qingcloud/actions.ts";
import { retCodeMeanings, retCodes } from "../../../qingcloud/errors.ts";
import type { Exhaustible, Fault, FaultKind, FaultOfKind, StateFault } from "../../store/faults.ts";
import type { Store } from "../../store/store.ts";
import { type FaultRequest, isWhole, oneOf, readNumber, readResource, wrong } from "./settings.ts";
import { creators, isCrashed, isTunnel } from "./states.ts";
import { readZonePair, type ZonePair } from "./zone-pairs.ts";

/** What all faults of a sort take. */
const forCalls = ["action", "zone", "resource", "times", "nth"] as const;
const forStates = ["seconds"] as const;

/** What comes from the kind's own settings. */
type Own<F extends Fault> = F extends StateFault
  ? Omit<F, "kind" | "zone" | "until">
  : Omit<F, "kind" | "action" | "zone" | "resource" | "times" | "nth">;

export interface Kind<K extends FaultKind> {
  /**
   * When a call meets it: as it arrives, once it is found valid, once it has succeeded, or as it starts a job.
   * A `state` is not met by calls: it holds until it is cleared or over.
   */
  readonly met: "arrival" | "work" | "answer" | "job" | "state";
  readonly settings: readonly string[];
  /** Its own settings, beside those of its sort. */
  read(request: FaultRequest, store: Store): Own<FaultOfKind<K>>;
  /** What happens, as the end of a sentence. */
  describe(fault: FaultOfKind<K>): string;
}

const none = () => ({});

export const kinds: { readonly [K in FaultKind]: Kind<K> } = {
  refuse: {
    met: "work",
    settings: [...forCalls, "code", "message"],
    read: readRefusal,
    describe: ({ code, message }) => `refused with ret_code ${code}, ${message}`,
  },
  "lose-request": {
    met: "arrival",
    settings: forCalls,
    read: none,
    describe: () => "the connection is closed before anything is done",
  },
  "lose-answer": {
    met: "answer",
    settings: forCalls,
    read: none,
    describe: () => "done, then the connection is closed without an answer",
  },
  delay: {
    met: "arrival",
    settings: [...forCalls, "seconds"],
    read: ({ seconds }) => ({
      seconds: readNumber(
        "seconds",
        seconds,
        `more than 0, at most ${longest}`,
        (value) => value > 0 && value <= longest,
      ),
    }),
    describe: ({ seconds }) => `answered after ${seconds} s`,
  },
  "fail-job": {
    met: "job",
    settings: [...forCalls, "code", "message"],
    read: readRefusal,
    describe: ({ code, message }) => `the job ends failed with ${code}, ${message}`,
  },
  "hang-job": {
    met: "job",
    settings: forCalls,
    read: none,
    describe: () => "the job does not end until this fault is cleared",
  },
  http: {
    met: "arrival",
    settings: [...forCalls, "code"],
    read: ({ code = 502 }) => ({
      code: readNumber("code", code, "an HTTP status from 400 to 599", isWhole(400, 599)),
    }),
    describe: ({ code }) => `answered with HTTP status ${code}`,
  },
  exhaust: {
    met: "state",
    settings: [...forStates, "zone", "of"],
    read: ({ of }) => ({ of: oneOf("of", of, Object.keys(creators) as Exhaustible[]) }),
    describe: ({ of, zone }) =>
      `${zone === undefined ? "every zone" : `zone ${zone}`} has no ${of} left, creating one is refused with 5200`,
  },
  "crash-node": {
    met: "state",
    settings: [...forStates, "resource"],
    read({ resource }, store) {
      const id = readResource("resource", resource);
      const node = store.list("instance").find((instance) => instance.id === id);
      if (node?.status !== "running" || isCrashed(store, node))
        throw notUp(id, "an instance that is running");
      return { resource: id, boot: node.boot };
    },
    describe: ({ resource }) =>
      `the node of ${resource} is down, its instance shows as running (a restart or a stop ends this)`,
  },
  "crash-router": {
    met: "state",
    settings: [...forStates, "resource"],
    read({ resource }, store) {
      const id = readResource("resource", resource);
      const router = store.list("router").find((each) => each.id === id);
      if (router?.status !== "active" || isCrashed(store, router)) throw notUp(id, "a router that is active");
      return { resource: id };
    },
    describe: ({ resource }) => `router ${resource} is down and shows as active (powering it off ends this)`,
  },
  "cut-link": {
    met: "state",
    settings: [...forStates, "between"],
    read: ({ between }) => ({ between: readBetween(between) }),
    describe: ({ between }) => `nothing passes between ${between.join(" and ")}`,
  },
  "lose-packets": {
    met: "state",
    settings: [...forStates, "between", "loss"],
    read: ({ between, loss }) => ({
      between: readBetween(between),
      loss: readNumber(
        "loss",
        loss,
        "a percentage more than 0, at most 100",
        (value) => value > 0 && value <= 100,
      ),
    }),
    describe: ({ between, loss }) => `${loss} % of the packets between ${between.join(" and ")} are lost`,
  },
  "delay-packets": {
    met: "state",
    settings: [...forStates, "between", "rtt"],
    read: ({ between, rtt }) => ({
      between: readBetween(between),
      rtt: readNumber(
        "rtt",
        rtt,
        "milliseconds more than 0, at most 10000",
        (value) => value > 0 && value <= 10_000,
      ),
    }),
    describe: ({ between, rtt }) => `a round trip between ${between.join(" and ")} takes ${rtt} ms more`,
  },
  "cut-tunnel": {
    met: "state",
    settings: [...forStates, "resource"],
    read({ resource }, store) {
      const id = readResource("resource", resource);
      if (!isTunnel(store, id)) throw wrong("resource", id, "a router static of type 6 or 7");
      return { resource: id };
    },
    describe: ({ resource }) => `nothing of the tunnel ${resource} passes its router`,
  },
  clock: {
    met: "state",
    settings: [...forStates, "offset"],
    read: ({ offset }) => ({
      offset: readNumber(
        "offset",
        offset,
        "seconds from -86400 to 86400, not 0",
        (value) => value !== 0 && Math.abs(value) <= 86_400,
      ),
    }),
    describe: ({ offset }) =>
      `the server's clock is ${Math.abs(offset)} s ${offset > 0 ? "ahead" : "behind"}`,
  },
};

/** Two zones joined by a comma, as on a command line, or a list. */
function readBetween(given: unknown): ZonePair {
  if (given === undefined) throw wrong("between", given, "two zones, e.g. gpu1a,gpu2a");
  return readZonePair("--between", typeof given === "string" ? given.split(",") : given);
}

function notUp(id: string, allowed: string): Error {
  return wrong("resource", id, `${allowed} and has not crashed`);
}

/** Seconds of the longest delay. */
const longest = 600;

function readRefusal({ code = retCodes.internal, message }: FaultRequest): { code: number; message: string } {
  return {
    code: Number(oneOf("code", code, Object.keys(retCodeMeanings))),
    message: String(message ?? "InjectedFault, a fault that was added to the local cloud"),
  };
}

/** Whether faults of a kind hold by themselves. */
export function isState(kind: unknown): boolean {
  return Object.entries(kinds).some(([name, { met }]) => name === kind && met === "state");
}

/** The actions that a kind can be for. */
export function actionsFor(kind: FaultKind): string[] {
  return [...actionsByName.values()]
    .filter(({ response }) => kinds[kind].met !== "job" || "job_id" in response.shape)
    .map(({ name }) => name)
    .sort();
}
