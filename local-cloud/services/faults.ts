/**
 * Faults that the next calls of an action meet, so that clients can be tried: refusals, lost requests and answers,
 * delays, failing jobs. They live in the server's memory.
 */
import { setTimeout as delay } from "node:timers/promises";
import { actionsByName } from "../../qingcloud/actions.ts";
import { retCodeMeanings, retCodes } from "../../qingcloud/errors.ts";
import { ApiError } from "./errors.ts";
import { zones } from "./zones.ts";

/** What a fault does, and which of its own settings it takes. */
const kinds = {
  /** Answers `code` with `message`, in place of doing a valid call. */
  refuse: ["code", "message"],
  /** Closes the connection before anything is done. */
  "lose-request": [],
  /** Does the call, then closes the connection without an answer. Met by calls that succeed. */
  "lose-answer": [],
  /** Does the call and answers after `seconds`. */
  delay: ["seconds"],
  /** Lets the job of the call end failed, with `code` and `message`. */
  "fail-job": ["code", "message"],
  /** Answers the HTTP status `code` before anything is done. */
  http: ["code"],
} as const;
export type FaultKind = keyof typeof kinds;

/** A fault as it is asked for; numbers may be text, as on a command line. */
export interface FaultRequest {
  /** An action's name, or `*` for any. */
  readonly action: string;
  readonly kind: FaultKind;
  /** Absent for calls in any zone. */
  readonly zone?: string;
  /** How many calls meet it; 1 where it is not given. */
  readonly times?: number | string;
  /** A ret_code, or the HTTP status of kind http. */
  readonly code?: number | string;
  readonly message?: string;
  readonly seconds?: number | string;
}

interface Common {
  readonly action: string;
  readonly zone?: string;
  /** How many calls are still to meet it. */
  readonly times: number;
}
interface Refusal {
  readonly code: number;
  readonly message: string;
}
export type Fault = Common &
  (
    | ({ readonly kind: "refuse" | "fail-job" } & Refusal)
    | { readonly kind: "lose-request" | "lose-answer" }
    | { readonly kind: "delay"; readonly seconds: number }
    | { readonly kind: "http"; readonly code: number }
  );

/** A fault that can not be; the message says what is allowed. */
export class FaultError extends Error {
  override readonly name = "FaultError";
}

/** What becomes of a call. */
export type Fate<Answer> = { readonly answer: Answer } | { readonly status: number } | "lost";

export class Faults {
  private faults: Fault[] = [];

  /** @throws FaultError */
  add(request: Readonly<Record<string, unknown>>): Fault {
    const fault = readFault(request);
    this.faults.push(fault);
    return fault;
  }

  /** What is still to be met, oldest first: a call meets the first that is for it. */
  list(): readonly Fault[] {
    return this.faults;
  }

  clear(): void {
    this.faults = [];
  }

  /**
   * Lets a call meet its fault, if there is one.
   * @param perform does the call; it runs its argument, which may throw, once it has found the call valid
   * @param gone aborted when the client has gone
   */
  async meet<Answer extends { readonly ret_code: number }>(
    call: { readonly action: string; readonly zone: string },
    perform: (beforeWork: () => void) => Answer,
    gone: AbortSignal,
  ): Promise<Fate<Answer>> {
    const fault = this.faults.find((candidate) => candidate.kind !== "fail-job" && isFor(candidate, call));
    const nothing = (): void => undefined;
    switch (fault?.kind) {
      case "lose-request":
        this.use(fault);
        return "lost";
      case "http":
        this.use(fault);
        return { status: fault.code };
      case "refuse":
        return {
          answer: perform(() => {
            this.use(fault);
            throw new ApiError(fault.code, fault.message);
          }),
        };
      case "lose-answer": {
        const answer = perform(nothing);
        if (answer.ret_code !== retCodes.ok) return { answer };
        this.use(fault);
        return "lost";
      }
      case "delay": {
        this.use(fault);
        const answer = perform(nothing);
        await delay(fault.seconds * 1000, undefined, { signal: gone }).catch(nothing);
        return { answer };
      }
      default:
        return { answer: perform(nothing) };
    }
  }

  /** How the job that a call starts has to fail, if it has to. */
  failureOfJob(call: { readonly action: string; readonly zone: string }): Refusal | undefined {
    const fault = this.faults.find((candidate) => candidate.kind === "fail-job" && isFor(candidate, call));
    if (fault?.kind !== "fail-job") return undefined;
    this.use(fault);
    return { code: fault.code, message: fault.message };
  }

  private use(fault: Fault): void {
    const used = { ...fault, times: fault.times - 1 };
    this.faults = this.faults.flatMap((each) => (each !== fault ? [each] : used.times > 0 ? [used] : []));
  }
}

function isFor(fault: Fault, call: { readonly action: string; readonly zone: string }): boolean {
  return (
    (fault.action === "*" || fault.action === call.action) &&
    (fault.zone === undefined || fault.zone === call.zone)
  );
}

const defaultMessage = "InjectedFault, a fault that was added to the local cloud";
const longest = 600;

function readFault(request: Readonly<Record<string, unknown>>): Fault {
  const { zone } = request;
  const kind = oneOf("kind", request.kind, Object.keys(kinds)) as FaultKind;
  const action = readAction(request.action, kind);
  if (zone !== undefined) {
    oneOf(
      "zone",
      zone,
      zones.map(({ id }) => id),
    );
  }
  for (const name of ["code", "message", "seconds"] as const) {
    const takers = Object.entries(kinds).filter(([, takes]) => (takes as readonly string[]).includes(name));
    if (request[name] !== undefined && !takers.some(([taker]) => taker === kind)) {
      throw new FaultError(
        `--${name} ${request[name]}: is for --kind ${takers.map(([taker]) => taker).join(", ")} only, not for ${kind}`,
      );
    }
  }
  const times = readNumber("times", request.times ?? 1, "a whole number from 1 to 1000000", isTimes);
  const common = { action, ...(zone === undefined ? {} : { zone: String(zone) }), times };
  switch (kind) {
    case "refuse":
    case "fail-job": {
      const code = oneOf("code", request.code ?? retCodes.internal, Object.keys(retCodeMeanings));
      return { ...common, kind, code: Number(code), message: String(request.message ?? defaultMessage) };
    }
    case "http":
      return {
        ...common,
        kind,
        code: readNumber("code", request.code ?? 502, "an HTTP status from 400 to 599", isErrorStatus),
      };
    case "delay":
      return {
        ...common,
        kind,
        seconds: readNumber("seconds", request.seconds, `more than 0, at most ${longest}`, isDelay),
      };
    default:
      return { ...common, kind };
  }
}

const isTimes = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 1_000_000;
const isErrorStatus = (value: number): boolean => Number.isInteger(value) && value >= 400 && value <= 599;
const isDelay = (value: number): boolean => value > 0 && value <= longest;

function readAction(given: unknown, kind: FaultKind): string {
  const described = [...actionsByName.values()].filter(
    ({ response }) => kind !== "fail-job" || "job_id" in response.shape,
  );
  return oneOf("action", given, ["*", ...described.map(({ name }) => name).sort()]);
}

function oneOf(name: string, given: unknown, allowed: readonly string[]): string {
  const found = allowed.find((value) => value === String(given));
  if (found === undefined) throw new FaultError(describe(name, given, `one of ${allowed.join(", ")}`));
  return found;
}

function readNumber(
  name: string,
  given: unknown,
  allowed: string,
  isAllowed: (value: number) => boolean,
): number {
  const value = typeof given === "string" && !/^\d+(?:\.\d+)?$/.test(given) ? Number.NaN : Number(given);
  if (!isAllowed(value)) throw new FaultError(describe(name, given, allowed));
  return value;
}

function describe(name: string, given: unknown, allowed: string): string {
  return given === undefined
    ? `--${name} is missing: must be ${allowed}`
    : `--${name} ${String(given)}: must be ${allowed}`;
}
