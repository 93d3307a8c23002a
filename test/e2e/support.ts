/** The project's commands as a user runs them, each test file with state, cloud, ports and namespaces of its own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { checkPrerequisites } from "../../local-cloud/network/machine/prerequisites.ts";
import type { CloudStatus } from "../../local-cloud/status.ts";

export const root = join(import.meta.dirname, "..", "..");

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, as a terminal shows them. */
  readonly text: string;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has printed so far. */
  text(): string;
}

/** One line of calls.jsonl. */
export interface Call {
  readonly zone: string;
  readonly action: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly ret_code: number;
}

/** Folders of this run alone, and the commands that work in them. */
export class Place {
  readonly directory = mkdtempSync(join(tmpdir(), "crosszone-e2e-"));
  readonly pulumiHome = join(this.directory, ".pulumi");
  readonly cloudHome = join(this.directory, ".local-cloud");
  readonly #running = new Set<Running>();

  /** @throws Error with what the machine lacks */
  constructor() {
    const missing = checkPrerequisites();
    if (missing.length === 0) return;
    rmSync(this.directory, { recursive: true });
    throw new Error(`This machine cannot run the end-to-end tests:\n${missing.join("\n")}`);
  }

  /** `npm start`. */
  start(): Promise<Ended> {
    return this.run(["start"]).ended;
  }

  /** `npm run pulumi -- ARGS`. */
  pulumi(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return this.run(["run", "--silent", "pulumi", "--", ...args], options).ended;
  }

  /** `npm run pulumi -- ARGS` that must succeed; what it printed on standard output. */
  async pulumiOk(...args: string[]): Promise<string> {
    return succeeded(await this.pulumi(args), args);
  }

  /** `npm run cloud -- ARGS` that must succeed; what it printed on standard output. */
  async cloudOk(...args: string[]): Promise<string> {
    const command = ["run", "--silent", "cloud", "--", ...args, "--home", this.cloudHome];
    return succeeded(await this.run(command).ended, args);
  }

  async status(): Promise<CloudStatus> {
    return JSON.parse(await this.cloudOk("status", "--json")) as CloudStatus;
  }

  /** Sets a value of the stack's configuration; text in quotes and booleans keep their type. */
  async configure(key: string, value: string): Promise<void> {
    const args = ["config", "set", "--path", `crosszone:${key}`];
    // By standard input: a value such as `--timeout` would be taken for a flag.
    succeeded(await this.pulumi(args, { stdin: value }), args);
  }

  async unset(key: string): Promise<void> {
    await this.pulumiOk("config", "rm", "--path", `crosszone:${key}`);
  }

  /** The API calls so far. */
  calls(): Call[] {
    return readLines(join(this.cloudHome, "calls.jsonl")).map((line) => JSON.parse(line) as Call);
  }

  /** Actions that `work` had called which change something, sorted. */
  async changesBy(work: () => Promise<unknown>): Promise<string[]> {
    const before = this.calls().length;
    await work();
    return changesAmong(this.calls().slice(before));
  }

  /** Runs npm in a process group of its own. */
  run(args: readonly string[], { stdin = "", wrapper = [], env = {} }: RunOptions = {}): Running {
    const [program = "npm", ...rest] = [...wrapper, "npm", ...args];
    const child = spawn(program, rest, {
      cwd: root,
      detached: true,
      env: { ...userEnvironment(), CROSSZONE_DIRECTORY: this.directory, ...env },
    });
    let [stdout, stderr, text] = ["", "", ""];
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      text += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
      text += chunk;
    });
    child.stdin.on("error", () => {});
    if (wrapper.length === 0) child.stdin.end(stdin);
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => {
        this.#running.delete(running);
        resolve({ code: code ?? -1, stdout, stderr, text });
      });
    });
    const running: Running = { child, ended, text: () => text };
    this.#running.add(running);
    return running;
  }

  /** Ends what still runs, destroys, stops the cloud, removes the folders: also after a failure, and twice. */
  async remove(): Promise<void> {
    for (const { child, ended } of [...this.#running]) {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      await ended;
    }
    // The cloud's own reset: quick, and it works whatever the stack's state is.
    await this.run(["run", "--silent", "cloud", "--", "reset", "--home", this.cloudHome]).ended;
    await this.run(["run", "--silent", "cloud", "--", "stop", "--home", this.cloudHome]).ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

interface RunOptions {
  readonly stdin?: string;
  /** A program that runs npm; standard input stays open then. */
  readonly wrapper?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export function changesAmong(calls: readonly Call[]): string[] {
  return calls
    .map(({ action }) => action)
    .filter((action) => !/^(Describe|Get)/.test(action))
    .sort();
}

export function readLines(file: string): string[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

function succeeded({ code, stdout, text }: Ended, args: readonly string[]): string {
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}:\n${text}`);
  return stdout;
}

/** Without what a test runner, npm or a user's shell would add to the commands' own choices. */
function userEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(npm_|VITEST|PULUMI_|QINGCLOUD_|CROSSZONE_|NODE_ENV$|NODE_OPTIONS$|TEST$|FORCE_COLOR$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** Waits until a condition holds. @throws Error with `what` after the deadline */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  seconds = 60,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await sleep(100);
  }
}

/** Waits until a command has printed something. @throws Error with its output where it ends before */
export async function waitForText(running: Running, pattern: RegExp, seconds = 90): Promise<void> {
  let hasEnded = false;
  void running.ended.then(() => {
    hasEnded = true;
  });
  await waitFor(
    `${pattern} in the output`,
    () => {
      if (pattern.test(running.text())) return true;
      if (hasEnded) throw new Error(`the command ended without ${pattern}:\n${running.text()}`);
      return false;
    },
    seconds,
  );
}

/** What is awaited, if it comes within the seconds. @throws Error with `what` where it does not */
export async function within<T>(what: string, awaited: Promise<T>, seconds: number): Promise<T> {
  const deadline = new AbortController();
  const late = sleep(seconds * 1000, undefined, { signal: deadline.signal }).then(() => {
    throw new Error(`waited ${seconds} s in vain for ${what}`);
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    late.catch(() => {});
    deadline.abort();
  }
}

/** Runs a program of this machine; what it printed. */
export function command(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
