/** Running life-cycle functions: their context, their deadline, and their end on Ctrl-C. */
import { abortableDelay } from "../qingcloud/delay.ts";
import { redactor } from "./redaction.ts";
import type { Context } from "./resource.ts";
import type { EngineLog } from "./rpc/engine.ts";
import type { Properties } from "./rpc/values.ts";
import type { Session } from "./session.ts";

/** Without `customTimeouts`. */
const defaultTimeoutMs = 10 * 60_000;
/** How long Ctrl-C waits for the answer of a call that makes something: with its id `destroy` finds it. */
const answerMs = 700;

export interface Begin {
  readonly urn: string;
  readonly session: Session;
  readonly engine: EngineLog | undefined;
  /** 0 or absent = the default. */
  readonly timeoutSeconds?: number;
  /** Left by an interrupted create. */
  readonly halfMadeId?: string | undefined;
  readonly importZone?: string | undefined;
  /** A call that makes something may be on its way: Ctrl-C waits a moment for the id. */
  readonly isCreate?: boolean;
  /** Values that no message may show. */
  readonly secrets?: readonly string[];
}

export interface Operation {
  /** What the cloud has made so far. */
  readonly madeId: string | undefined;
  readonly isAdopted: boolean;
  readonly noted: Properties | undefined;
  /** Ends with the function, or at once when the engine cancels. Errors show no secret. */
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
    isCreate = false,
    secrets = [],
  }: Begin): Operation {
    const { signal } = this.#cancelled;
    for (const secret of secrets) this.#secrets.add(secret);
    const redact = (text: string) => redactor(secrets, this.#secrets)(text);
    let madeId: string | undefined;
    let isAdopted = false;
    let noted: Properties | undefined;
    const { promise: isMade, resolve: tellMade } = Promise.withResolvers<void>();
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
      warn: (message) => engine?.log("warning", urn, redact(message)),
      made(id, adopted = false) {
        madeId = id;
        isAdopted ||= adopted;
        tellMade();
      },
      note(outputs) {
        noted = outputs;
      },
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
      async run(work) {
        try {
          const lastAnswer = isCreate ? () => Promise.race([isMade, abortableDelay(answerMs)]) : undefined;
          return await untilAborted(() => work(context), signal, lastAnswer);
        } catch (error) {
          throw redacted(error, redact);
        }
      },
    };
  }
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
  lastAnswer: () => Promise<void> = () => Promise.resolve(),
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
