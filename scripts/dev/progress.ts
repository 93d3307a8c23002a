/** Progress for people: one line that is rewritten on a terminal, now and then a line in a pipe. */

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Between two lines of progress in a pipe. */
const pauseMs = 10_000;
const clear = "\r\x1b[K";

export class Progress {
  readonly #output: Output;
  readonly #now: () => number;
  /** The text of each step that runs. */
  readonly #current = new Map<string, string>();
  #lastLine: number;

  /** @param now the time in milliseconds */
  constructor(output: Output = process.stdout, now = () => performance.now()) {
    this.#output = output;
    this.#now = now;
    this.#lastLine = now();
  }

  /** A line that stays. */
  readonly print = (line: string): void => {
    this.#output.write(this.#output.isTTY === true ? `${clear}${line}\n` : `${line}\n`);
    this.#redraw();
  };

  /** How far a step is. */
  update(step: string, text: string): void {
    this.#current.set(step, text);
    if (this.#output.isTTY === true) this.#redraw();
    else if (this.#now() - this.#lastLine >= pauseMs) {
      this.#lastLine = this.#now();
      this.#output.write(`${this.#line()}\n`);
    }
  }

  /** The step is no longer shown. */
  end(step: string): void {
    if (this.#current.delete(step) && this.#output.isTTY === true) {
      this.#output.write(clear);
      this.#redraw();
    }
  }

  #redraw(): void {
    if (this.#output.isTTY !== true || this.#current.size === 0) return;
    // A line that wraps could not be rewritten. A terminal that does not know its width says 0.
    const width = this.#output.columns || 80;
    this.#output.write(`${clear}${this.#line().slice(0, width - 1)}`);
  }

  #line(): string {
    return [...this.#current].map(([step, text]) => `${step}: ${text}`).join("; ");
  }
}

/** How far work of many equal parts is, and how long the rest takes at the same speed. */
export function describeShare(done: number, total: number, elapsedMs: number): string {
  const share = Math.min(done / Math.max(total, 1), 1);
  const percent = `${Math.floor(100 * share)} %`;
  // The first few parts say little.
  return share < 0.03 ? percent : `${percent}, ${describeTime((elapsedMs * (1 - share)) / share)} left`;
}

function describeTime(ms: number): string {
  if (ms < 10_000) return "a few seconds";
  const seconds = Math.ceil(ms / 10_000) * 10;
  return seconds < 90 ? `about ${seconds} s` : `about ${Math.round(seconds / 60)} min`;
}
