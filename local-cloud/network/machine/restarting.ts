/** How soon a daemon that died is started again: at once, then with growing pauses while it goes on dying. */

const pausesMs = [0, 200, 1000, 5000, 15_000];
const healthyAfterMs = 60_000;

export class RestartPauses {
  #failures = 0;

  /** Milliseconds to wait after a daemon's end. @param startedAt by `performance.now()` */
  next(startedAt: number): number {
    if (performance.now() - startedAt > healthyAfterMs) this.#failures = 0;
    return pausesMs[Math.min(this.#failures++, pausesMs.length - 1)] ?? 0;
  }
}
