/**
 * How long it is until something is due. The store has the machine's time of that, for a cloud that starts again; while a
 * cloud runs, a machine's clock that is set makes nothing late or early.
 */
export class Due {
  /** By ids, as `performance.now` counts. */
  readonly #ends = new Map<string, number>();

  /**
   * @param time when it is due, in milliseconds since the epoch
   * @param longest milliseconds that it takes at most: the clock may have been set while no cloud ran
   * @returns milliseconds, 0 or less once it is due
   */
  left(id: string, time: number, longest: number): number {
    const now = performance.now();
    const end = this.#ends.get(id) ?? now + Math.min(time - Date.now(), longest);
    this.#ends.set(id, end);
    return end - now;
  }

  forget(id: string): void {
    this.#ends.delete(id);
  }
}
