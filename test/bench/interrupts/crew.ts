/** Workers, which are started when they are needed and ended whatever happens. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Report, Task } from "./worker.ts";

/** What a cut-off command leaves in a worker's memory goes with it. */
const tasksOfWorker = 60;

export class Worker {
  #child: ChildProcess | undefined;
  #tasks = 0;

  /** @throws Error where the worker ends before it answers, or the task fails for no fault of the product */
  async do(task: Task): Promise<Exclude<Report, { readonly error: string }>> {
    if (this.#tasks === tasksOfWorker) await this.end();
    this.#child ??= fork(join(import.meta.dirname, "worker.ts"), {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const child = this.#child;
    this.#tasks += 1;
    const report = await new Promise<Report>((resolve, reject) => {
      const ended = () => reject(new Error("the worker has ended"));
      child.once("exit", ended);
      child.once("message", (message: Report) => {
        child.off("exit", ended);
        resolve(message);
      });
      child.send(task);
    });
    if ("error" in report) {
      await this.end();
      throw new Error(report.error);
    }
    return report;
  }

  /** Ends the process, which removes what it has made. */
  async end(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#tasks = 0;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    if (child.connected) child.disconnect();
    await ended;
  }
}
