/** How often and for how long a host is dialed. */
import { setTimeout as delay } from "node:timers/promises";
import type { Hop } from "./connection.ts";
import type { Context } from "./resource.ts";

/** How long a key that a server refuses is offered again: a new node may get its keys after its SSH server has started. */
const refusedForMs = 30_000;
const adviceOnKeys =
  "The server has refused the key: does this user exist there, and does its authorized_keys hold the key?";
const retryDelay = { firstMs: 100, factor: 1.5, longestMs: 5_000 };

/** A dial that was tried as often as it may be: whoever dials through it need not try that again. */
class DialError extends Error {}

/** The server knows the user's key, and does not take it: waiting helps only where the node gets its keys yet. */
export class RefusedKeyError extends Error {}

/**
 * Tries until it works, `dialErrorLimit` errors were seen, a key is refused for too long or the engine cancels, waiting a
 * little longer each time.
 * @param refusedMs how long a refused key is offered again, whatever the limit is
 */
export async function retry<Dialed>(
  hop: Hop,
  context: Pick<Context, "log" | "redact" | "signal">,
  dial: () => Promise<Dialed>,
  refusedMs = refusedForMs,
): Promise<Dialed> {
  const limit = hop.dialErrorLimit;
  let pause = retryDelay.firstMs;
  let refusedAt: number | undefined;
  for (let errors = 1; ; errors++) {
    try {
      return await dial();
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof DialError) throw error;
      const isRefused = error instanceof RefusedKeyError;
      refusedAt = isRefused ? (refusedAt ?? performance.now()) : undefined;
      const isRefusedForGood = refusedAt !== undefined && performance.now() - refusedAt + pause > refusedMs;
      const message = error instanceof Error ? error.message : String(error);
      if (isRefusedForGood || (limit >= 0 && errors > limit)) {
        const why = isRefused ? `${message}. ${adviceOnKeys}` : message;
        throw new DialError(
          `cannot connect to ${nameOf(hop)} as ${hop.user} after ${errors} attempts: ${context.redact(why)}`,
        );
      }
      context.log.line(`Dial ${errors}/${limit < 0 ? "inf" : limit} failed: retrying`);
      await delay(pause, undefined, { signal: context.signal });
      pause = Math.min(pause * retryDelay.factor, retryDelay.longestMs);
    }
  }
}

/** For messages: host and port. */
export function nameOf(hop: Hop): string {
  return `${hop.host}:${hop.port}`;
}
