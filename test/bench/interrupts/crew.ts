/** Workers, which are started when they are needed and ended whatever happens. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** How many tasks a worker has: with it goes the memory that cut-off commands still hold. */
const tasksOfWorker = 60;

/** @template Report what the worker answers; one with `error` is no answer */
export class Worker<Task extends object, Report extends object> {
  readonly #script: string;
  #child: ChildProcess | undefined;
  #tasks = 0;

  /** @param script path of its TypeScript */
  constructor(script: string) {
    this.#script = script;
  }

  /** @throws Error where the worker ends before it answers, or the task fails for no fault of the product */
  async do(task: Task): Promise<Exclude<Report, { readonly error: string }>> {
    if (this.#tasks === tasksOfWorker) await this.end();
    this.#child ??= fork(this.#script, {
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
      throw new Error(String(report.error));
    }
    return report as Exclude<Report, { readonly error: string }>;
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
