/** Commands of the machine and of the project as child processes, and waiting for what they say. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const root = join(import.meta.dirname, "..", "..");

/** The beginning of a command line that starts a program of the project, as npm's commands do, without npm. */
export function startOf(file: string, ...nodeOptions: readonly string[]): [string, ...string[]] {
  return [join(root, "toolchain", "start"), ...nodeOptions, file];
}

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
  /** Its output so far. */
  text(): string;
}

interface Options {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Standard input as text; null keeps it open. */
  readonly stdin?: string | null;
}

/** Starts a program in its own process group. */
export function startProcess(program: string, args: readonly string[], options: Options = {}): Running {
  const child = spawn(program, args, {
    cwd: options.cwd ?? root,
    detached: true,
    env: options.env ?? userEnvironment(),
    stdio: "pipe",
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
  if (options.stdin !== null) child.stdin.end(options.stdin ?? "");
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr, text }));
  });
  return { child, ended, text: () => text };
}

/** Standard output of a command that must succeed. @throws Error with everything that it printed */
export function succeeded({ code, stdout, text }: Ended, args: readonly string[]): string {
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}:\n${text}`);
  return stdout;
}

/** The caller's environment without what a test runner, npm or a user's shell would add to the commands' own choices. */
export function userEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isForeign(name)));
}

/** Whether a variable would be a test runner's, npm's or a shell's choice for the commands. */
export function isForeign(name: string): boolean {
  return /^(npm_|VITEST|PULUMI_|QINGCLOUD_|CROSSZONE_|NODE_ENV$|NODE_OPTIONS$|TEST$|FORCE_COLOR$)/.test(name);
}

/** Waits until a condition holds. @throws Error with `what` after the deadline */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  seconds = 60,
  pauseMs = 50,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`no ${what} within ${seconds} s`);
    await sleep(pauseMs);
  }
}

/** Waits until a command has printed something. @throws Error with its output where it ends before */
export async function waitForText(running: Running, pattern: RegExp, seconds = 120): Promise<void> {
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

/** Awaits a promise for some seconds at most. @throws Error with `what` where it is not settled by then */
export async function within<T>(what: string, awaited: Promise<T>, seconds: number): Promise<T> {
  const deadline = new AbortController();
  const late = sleep(seconds * 1000, undefined, { signal: deadline.signal }).then(() => {
    throw new Error(`no ${what} within ${seconds} s`);
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

/** The lines of a file, without empty ones. */
export function readLines(file: string): string[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** Whether a process runs; a zombie does not. */
export function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
