/** Running life-cycle functions: their context, their deadline, and their end on Ctrl-C. */
import type { Context } from "./resource.ts";
import type { EngineLog } from "./rpc/engine.ts";
import type { Session } from "./session.ts";

/** Without `customTimeouts`. */
const defaultTimeoutMs = 10 * 60_000;

export interface Operation {
  /** What the cloud has made so far. */
  readonly madeId: string | undefined;
  /** Ends with the function, or at once when the engine cancels. */
  run<Result>(work: (context: Context) => Promise<Result>): Promise<Result>;
}

export class Operations {
  readonly #cancelled = new AbortController();

  cancel(): void {
    this.#cancelled.abort(new Error("cancelled; the next run finishes what was begun"));
  }

  /** @param timeoutSeconds 0 = the default */
  begin(
    urn: string,
    timeoutSeconds: number,
    session: Session,
    engine: EngineLog | undefined,
    halfMadeId?: string,
    importZone?: string,
  ): Operation {
    const { signal } = this.#cancelled;
    let madeId: string | undefined;
    const context: Context = {
      session,
      urn,
      signal,
      deadline: Date.now() + (timeoutSeconds > 0 ? timeoutSeconds * 1000 : defaultTimeoutMs),
      halfMadeId,
      importZone() {
        const zone = importZone ?? session.client.profile.zone;
        if (zone === undefined)
          throw new Error("The zone is not known. Import with the id `zone/id`, e.g. `pek3a/eip-1234abcd`.");
        return zone;
      },
      progress: (message) => engine?.log("info", urn, message, { ephemeral: true }),
      warn: (message) => engine?.log("warning", urn, message),
      made(id) {
        madeId = id;
      },
    };
    return {
      get madeId() {
        return madeId;
      },
      run: (work) => untilAborted(() => work(context), signal),
    };
  }
}

/** What goes on after an abort ends unheard: its outcome is in the cloud, and the next run looks there. */
async function untilAborted<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
