/**
 * A Python program that handles packets inside a network namespace: told what to do by lines of JSON, each of which it
 * answers; restarted when it dies.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";
import { RestartPauses } from "./restarting.ts";
import { environment, namespacePath } from "./shell.ts";

const answerMs = 10_000;

export interface PacketDaemonOptions {
  /** How messages call it, e.g. `GRE of rtr-0a1b2c3d`. */
  readonly name: string;
  readonly namespace: string;
  /** Path of the program. */
  readonly program: string;
  readonly logFile: string;
  readonly log: (line: string) => void;
}

type Answer = Readonly<Record<string, unknown>>;

interface Running {
  readonly process: ChildProcess;
  readonly waiting: Map<number, (answer: Answer | Error) => void>;
}

export class PacketDaemon {
  readonly #options: PacketDaemonOptions;
  readonly #pauses = new RestartPauses();
  /** What it was last told to do; undefined when it need not run. */
  #orders: object | undefined;
  #running: Running | undefined;
  #restart: NodeJS.Timeout | undefined;
  #number = 0;
  #obeys = false;

  constructor(options: PacketDaemonOptions) {
    this.#options = options;
  }

  /** Whether it runs and does what it was last told. */
  get obeys(): boolean {
    return this.#obeys;
  }

  /** Starts it if need be and returns when it does what these orders say. */
  async order(orders: object): Promise<void> {
    this.#orders = orders;
    clearTimeout(this.#restart);
    this.#running ??= this.#start();
    await this.#obey(this.#running, orders);
  }

  /** Asks a running one; undefined when it does not run. */
  async ask(question: object): Promise<Answer | undefined> {
    return this.#running && (await this.#send(this.#running, question));
  }

  async stop(): Promise<void> {
    this.#orders = undefined;
    clearTimeout(this.#restart);
    const running = this.#running?.process;
    if (!running) return;
    const exit = once(running, "exit");
    running.kill("SIGKILL");
    await exit;
  }

  async #obey(running: Running, orders: object): Promise<void> {
    this.#obeys = false;
    await this.#send(running, orders);
    this.#obeys = this.#running === running && this.#orders === orders;
  }

  #send({ process: daemon, waiting }: Running, message: object): Promise<Answer> {
    const { name, logFile } = this.#options;
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const settle = (answer: Answer | Error) => {
        clearTimeout(deadline);
        waiting.delete(number);
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      };
      const deadline = setTimeout(
        () => settle(new Error(`${name} has not answered within ${answerMs} ms (its log: ${logFile})`)),
        answerMs,
      );
      waiting.set(number, settle);
      daemon.stdin?.write(`${JSON.stringify({ number, ...message })}\n`);
    });
  }

  #start(): Running {
    const { namespace, program, logFile, log, name } = this.#options;
    const errors = openSync(logFile, "a", 0o600);
    const args = [`--net=${namespacePath(namespace)}`, "--", "/usr/bin/python3", "-I", "-S", "-B", program];
    const daemon = spawn("nsenter", args, {
      env: environment,
      detached: true,
      stdio: ["pipe", "pipe", errors],
    });
    closeSync(errors);
    const running: Running = { process: daemon, waiting: new Map() };
    const startedAt = performance.now();
    if (daemon.stdout) {
      createInterface({ input: daemon.stdout }).on("line", (line) => {
        const answer = JSON.parse(line) as Answer;
        running.waiting.get(Number(answer.number))?.(answer);
      });
    }
    // A daemon that ends while it is written to is reported by its end.
    daemon.stdin?.on("error", () => {});
    daemon.on("error", (error) => log(`${name}: ${error.message}`));
    daemon.on("exit", (code, signal) => this.#ended(running, startedAt, signal ?? `status ${code}`));
    return running;
  }

  #ended(running: Running, startedAt: number, how: string): void {
    const { name, logFile, log } = this.#options;
    if (this.#running === running) this.#running = undefined;
    this.#obeys = false;
    for (const settle of [...running.waiting.values()]) {
      settle(new Error(`${name} ended (${how}): see ${logFile}`));
    }
    if (!this.#orders) return;
    const pause = this.#pauses.next(startedAt);
    log(`${name} ended (${how}): restart in ${pause} ms`);
    this.#restart = setTimeout(() => {
      if (!this.#orders) return;
      // Its end, if it came that far, has planned the next attempt.
      this.order(this.#orders).catch((error) => log(`${name} did not restart: ${String(error)}`));
    }, pause);
  }
}
