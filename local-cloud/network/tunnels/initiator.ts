/** Keeps one tunnel up from the side that initiates it. */

import { setTimeout as delay } from "node:timers/promises";
import { initiateChild, installedChildren, terminate } from "./associations.ts";
import { childNames, type TunnelPlan } from "./ipsec.ts";

const attemptMs = 5_000;
const retryPausesMs = [250, 500, 1000, 2000, 5000, 10_000];
/** The daemon reports what changes; this look is for a report that was lost. */
const lookMs = 15_000;
/** An attempt that is older than this waits for a retransmission: starting over is quicker. */
const stuckMs = 1500;
const holdMs = 300;

export interface Initiator {
  /** Something changed: look at once. */
  wake(): void;
  /** The peer changed: give up a stuck attempt and call again at once. */
  callAgain(): void;
  stop(): void;
}

/** Sets up the tunnel's child SAs, and again whenever one of them is missing, until stopped. */
export function keepUp(
  plan: TunnelPlan,
  socket: () => string | undefined,
  log: (line: string) => void,
): Initiator {
  const peer = plan.tunnel.remoteAddress;
  let stopped = false;
  let wakeup = new AbortController();
  let failures = 0;
  let attemptSince = Number.POSITIVE_INFINITY;

  const pause = async (ms: number) => {
    await delay(ms, undefined, { signal: wakeup.signal, ref: false }).catch(() => {});
    wakeup = new AbortController();
  };

  const attempt = async (path: string) => {
    const up = await installedChildren(path);
    const missing = childNames(plan).filter((name) => !up.has(name));
    try {
      for (const name of missing) await initiateChild(path, plan.id, name, attemptMs);
    } catch (error) {
      // A half-open IKE SA would go on retransmitting beside the next attempt's.
      if (up.size === 0 && !stopped) await terminate(path, plan.id);
      throw error;
    }
    return missing.length;
  };

  const loop = async () => {
    while (!stopped) {
      const path = socket();
      try {
        attemptSince = performance.now();
        const initiated = path ? await attempt(path) : 0;
        attemptSince = Number.POSITIVE_INFINITY;
        failures = 0;
        if (initiated > 0) {
          log(`tunnel ${plan.id} to ${peer} is up`);
          // A peer that drops the tunnel as soon as it is up must not be called without end.
          await delay(holdMs, undefined, { ref: false });
        }
      } catch (error) {
        if (stopped) return;
        if (failures++ === 0) log(`tunnel ${plan.id} to ${peer} is not up: ${String(error)}`);
      } finally {
        attemptSince = Number.POSITIVE_INFINITY;
      }
      await pause(retryPausesMs[Math.min(failures, retryPausesMs.length) - 1] ?? lookMs);
    }
  };
  void loop();

  return {
    // A failed attempt makes reports of its own: only success lets them end the pause.
    wake: () => failures === 0 && wakeup.abort(),
    callAgain: () => {
      const path = socket();
      if (path && performance.now() - attemptSince > stuckMs) terminate(path, plan.id).catch(() => {});
      failures = 0;
      wakeup.abort();
    },
    stop: () => {
      stopped = true;
      wakeup.abort();
    },
  };
}
