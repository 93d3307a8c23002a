/** Work that serves everybody who asked before it began: applying a router's or a firewall's changes. */

export class Coalesced {
  readonly #work: (deadline: number) => Promise<void>;
  readonly #gather: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: { promise: Promise<void>; deadline: number } | undefined;

  /**
   * @param work is given the latest deadline of those that it serves, milliseconds since the epoch
   * @param gather comes before each work: whoever asks until it ends is served; by default one turn of the event loop
   */
  constructor(work: (deadline: number) => Promise<void>, gather = turn) {
    this.#work = work;
    this.#gather = gather;
  }

  /**
   * Resolves when work that started after this call has succeeded. One is under way at a time; whoever comes meanwhile
   * joins the next.
   * @param deadline milliseconds since the epoch
   */
  run(deadline: number): Promise<void> {
    if (this.#next !== undefined) {
      this.#next.deadline = Math.max(this.#next.deadline, deadline);
      return this.#next.promise;
    }
    const next = { promise: Promise.resolve(), deadline };
    next.promise = (this.#running ?? Promise.resolve())
      .catch(() => {})
      .then(() => this.#gather())
      .then(() => {
        this.#next = undefined;
        this.#running = this.#work(next.deadline);
        return this.#running;
      });
    this.#next = next;
    return next.promise;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
