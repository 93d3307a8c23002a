/**
 * The kinds of faults: when each is met, which settings it takes and what it does, in words. Another kind is another entry
 * here, its type in store/faults.ts, and the place that does it.
 */
import { actionsByName } from "../../../qingcloud/actions.ts";
import { retCodeMeanings, retCodes } from "../../../qingcloud/errors.ts";
import type { Exhaustible, FaultKind, FaultOfKind } from "../../store/faults.ts";
import { type FaultRequest, isWhole, oneOf, readNumber } from "./settings.ts";

/** What all faults of a sort take. */
const forCalls = ["action", "zone", "resource", "times", "nth"] as const;
const forStates = ["seconds"] as const;

/** What does not come from the kind's own settings. */
type Common = "kind" | "action" | "zone" | "resource" | "times" | "nth" | "until";

export interface Kind<K extends FaultKind> {
  /**
   * When a call meets it: as it arrives, once it is found valid, once it has succeeded, or as it starts a job.
   * A `state` is not met by calls: it holds until it is cleared or over.
   */
  readonly met: "arrival" | "work" | "answer" | "job" | "state";
  readonly settings: readonly string[];
  /** Its own settings, beside those of its sort. */
  read(request: FaultRequest): Omit<FaultOfKind<K>, Common>;
  /** What happens, as the end of a sentence. */
  describe(fault: FaultOfKind<K>): string;
}

const none = (): Record<string, never> => ({});

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
      `${zone ?? "every zone"} has no ${of} left, creating one is refused with 5200`,
  },
};

/** The action that creates what a zone can run out of; a GPU comes with an instance. */
export const creators: Readonly<Record<Exhaustible, string>> = {
  eip: "AllocateEips",
  instance: "RunInstances",
  gpu: "RunInstances",
  router: "CreateRouters",
  vxnet: "CreateVxnets",
  volume: "CreateVolumes",
};

/** Seconds of the longest delay. */
const longest = 600;

function readRefusal({ code = retCodes.internal, message }: FaultRequest): { code: number; message: string } {
  return {
    code: Number(oneOf("code", code, Object.keys(retCodeMeanings))),
    message: String(message ?? "InjectedFault, a fault that was added to the local cloud"),
  };
}

/** The actions that a kind can be for. */
export function actionsFor(kind: FaultKind): string[] {
  return [...actionsByName.values()]
    .filter(({ response }) => kinds[kind].met !== "job" || "job_id" in response.shape)
    .map(({ name }) => name)
    .sort();
}
