/** Running life-cycle functions: their context, their deadline, and their end on Ctrl-C. */
import { setImmediate } from "node:timers/promises";
import { abortableDelay } from "../qingcloud/delay.ts";
import { redactor } from "./redaction.ts";
import type { Context } from "./resource.ts";
import type { EngineLog } from "./rpc/engine.ts";
import type { Properties } from "./rpc/values.ts";
import type { Session } from "./session.ts";

/** Without `customTimeouts`. */
const defaultTimeoutMs = 10 * 60_000;
/** An answer that comes sooner is waited for without a word. */
const silentMs = 1_000;

export interface Begin {
  readonly urn: string;
  readonly session: Session;
  readonly engine: EngineLog | undefined;
  /** 0 or absent = the default. */
  readonly timeoutSeconds?: number;
  /** Left by an interrupted create. */
  readonly halfMadeId?: string | undefined;
  readonly importZone?: string | undefined;
  outdating?(): void;
  /** Values that no message may show. */
  readonly secrets?: readonly string[];
}

export interface Operation {
  /** What the cloud has made so far. */
  readonly madeId: string | undefined;
  readonly isAdopted: boolean;
  readonly noted: Properties | undefined;
  /** Whether a call that changes something was sent. */
  readonly hasChanged: boolean;
  /**
   * Ends with the function. When the engine cancels it ends at once, or with the answer to a call that makes something: by
   * its id the next run finds that. Errors show no secret.
   */
  run<Result>(work: (context: Context) => Promise<Result>): Promise<Result>;
}

export class Operations {
  readonly #cancelled = new AbortController();
  /** Of all resources so far: one call may serve many of them, and its error reaches each. */
  readonly #secrets = new Set<string>();

  cancel(): void {
    this.#cancelled.abort(new Error("cancelled; the next run finishes what was begun"));
  }

  get isCancelled(): boolean {
    return this.#cancelled.signal.aborted;
  }

  begin({
    urn,
    session,
    engine,
    timeoutSeconds = 0,
    halfMadeId,
    importZone,
    outdating = () => {},
    secrets = [],
  }: Begin): Operation {
    const { signal } = this.#cancelled;
    for (const secret of secrets) this.#secrets.add(secret);
    const redact = (text: string) => redactor(secrets, this.#secrets)(text);
    let madeId: string | undefined;
    let isAdopted = false;
    let noted: Properties | undefined;
    let hasChanged = false;
    const { promise: isMade, resolve: tellMade } = Promise.withResolvers<void>();
    const making = new Making();
    const warn = (message: string) => engine?.log("warning", urn, redact(message));
    const context: Context = {
      session,
      urn,
      signal,
      deadline: Date.now() + (timeoutSeconds > 0 ? timeoutSeconds * 1000 : defaultTimeoutMs),
      halfMadeId,
      importZone() {
        const zone = importZone ?? session.zone;
        if (zone === undefined)
          throw new Error(
            "The zone is not known. Import with the id `zone/id`, e.g. `pek3a/eip-1234abcd`, or set qingcloud:zone.",
          );
        return zone;
      },
      progress: (message) => engine?.log("info", urn, redact(message), { ephemeral: true }),
      warn,
      making(what, work) {
        signal.throwIfAborted();
        return making.add(what, work());
      },
      made(id, adopted = false) {
        madeId = id;
        isAdopted ||= adopted;
        tellMade();
      },
      note(outputs) {
        noted = outputs;
      },
      changing() {
        hasChanged = true;
      },
      outdating,
    };
    return {
      get madeId() {
        return madeId;
      },
      get isAdopted() {
        return isAdopted;
      },
      get noted() {
        return noted;
      },
      get hasChanged() {
        return hasChanged;
      },
      async run(work) {
        try {
          return await untilAborted(
            () => work(context),
            signal,
            () => making.end(isMade, warn),
          );
        } catch (error) {
          throw redacted(error, redact);
        }
      },
    };
  }
}

/** The calls of an operation that make something and are on their way. */
class Making {
  readonly #underWay = new Map<Promise<unknown>, string>();

  async add<Value>(what: string, work: Promise<Value>): Promise<Value> {
    this.#underWay.set(work, what);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  /** Ends when something is made, or each is answered or known to have made nothing. */
  async end(isMade: Promise<void>, warn: (message: string) => void): Promise<void> {
    const answered = new AbortController();
    abortableDelay(silentMs, answered.signal).then(
      () => warn(patienceMessage([...this.#underWay.values()])),
      () => {},
    );
    await Promise.race([isMade, Promise.allSettled(this.#underWay.keys())]);
    answered.abort();
    // Whoever waits for the answer too takes it first.
    await setImmediate();
  }
}

function patienceMessage(what: readonly string[]): string {
  return `Cancelled; waiting for the cloud's answer, at most two minutes: it may be making ${what.join(" and ")}. A second Ctrl-C stops waiting; the state then does not know what was made, and the next \`up\` finds it by its name.`;
}

function redacted(error: unknown, redact: (text: string) => string): unknown {
  if (error instanceof Error) error.message = redact(error.message);
  return error;
}

/**
 * What goes on after an abort ends unheard: its outcome is in the cloud, and the next run looks there.
 * @param lastAnswer what is waited for all the same
 */
async function untilAborted<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal,
  lastAnswer: () => Promise<void>,
): Promise<Result> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => void lastAnswer().then(() => reject(signal.reason));
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
