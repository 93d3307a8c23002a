/** Subprocesses with deadlines, and the few things `/proc` tells about processes. */

import { spawn } from "node:child_process";
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** What every program here is started with: nothing of the caller's environment reaches a node or a daemon. */
export const environment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
};

/** Runs a program to its end and returns its standard output; throws with its standard error otherwise. */
export function run(
  program: string,
  args: readonly string[],
  { input = "", timeoutMs = 15_000 }: { input?: string; timeoutMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: environment, timeout: timeoutMs, killSignal: "SIGKILL" });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(stdout);
      const how = signal
        ? `was ended by ${signal} (its time limit is ${timeoutMs} ms)`
        : `exited with ${code}`;
      reject(
        new Error(
          `\`${[program, ...args].join(" ")}\` ${how}: ${stderr.trim() || stdout.trim() || "no output"}`,
        ),
      );
    });
    // A program that ends before it has read its input is reported by its exit status.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** Waits until a condition holds; throws when it does not within the deadline. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let pause = 2; !(await condition()); pause = Math.min(pause * 1.5, 50)) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await delay(pause);
  }
}

/** Path that names a network namespace. */
export function namespacePath(namespace: string): string {
  return `/run/netns/${namespace}`;
}

/** The processes whose network namespace is one of these. */
export function processesIn(namespaces: readonly string[]): number[] {
  const wanted = new Set<string>();
  for (const namespace of namespaces) {
    const status = statSync(namespacePath(namespace), { throwIfNoEntry: false });
    if (status) wanted.add(`net:[${status.ino}]`);
  }
  if (wanted.size === 0) return [];
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && wanted.has(networkNamespaceOf(pid)));
}

function networkNamespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return ""; // ended, or a kernel thread
  }
}

/** Kills every process in these network namespaces and waits until none is left. */
export async function killProcessesIn(namespaces: readonly string[]): Promise<void> {
  await until(`the end of the processes in ${namespaces.join(", ")}`, () => {
    const pids = processesIn(namespaces);
    for (const pid of pids) kill(pid);
    return pids.length === 0;
  });
}

/** SIGKILL to a process that may have ended meanwhile. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
