/** Child processes of the set-up. */
import { type ChildProcess, spawn } from "node:child_process";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Options {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
  /** It is ended when it takes longer. */
  readonly timeoutMs?: number;
  /** Sees every line of standard output as it comes. */
  onLine?(line: string): void;
  /** As `onLine`, of standard error. */
  onErrorLine?(line: string): void;
  /** Ctrl-C for it, where it is not this user's. */
  interrupt?(child: ChildProcess): void;
}

/** The children that run, each with its Ctrl-C. */
const running = new Map<ChildProcess, () => void>();

/** Runs a program to its end and keeps what it prints. */
export function capture(command: string, args: readonly string[], options: Options = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: "pipe",
      ...(options.timeoutMs !== undefined && { timeout: options.timeoutMs }),
    });
    running.set(child, () => (options.interrupt ? options.interrupt(child) : child.kill("SIGINT")));
    let stdout = "";
    let stderr = "";
    const onOutput = lineByLine((line) => options.onLine?.(line));
    const onError = lineByLine((line) => options.onErrorLine?.(line));
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      onOutput.add(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      onError.add(text);
    });
    child.on("error", (error) => {
      running.delete(child);
      reject(new Error(`${command} cannot be started: ${error.message}`));
    });
    child.on("close", (code, signal) => {
      running.delete(child);
      onOutput.end();
      onError.end();
      resolve({ code: code ?? (signal === "SIGINT" ? 130 : 143), stdout, stderr });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin ?? "");
  });
}

/** Hands over whole lines of a text that comes in parts. */
function lineByLine(onLine: (line: string) => void) {
  let partial = "";
  return {
    add(text: string) {
      const lines = (partial + text).split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines) onLine(line);
    },
    end() {
      if (partial !== "") onLine(partial);
    },
  };
}

/** Whether a process of this id runs, whoever's it is. */
export function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** As `capture`, but a failure is an error that ends with the program's own words. */
export async function succeed(
  command: string,
  args: readonly string[],
  options: Options = {},
): Promise<Finished> {
  const finished = await capture(command, args, options);
  if (finished.code === 0) return finished;
  const said = `${finished.stdout}\n${finished.stderr}`.trim().split("\n").slice(-15).join("\n");
  throw new Error(`${command} ${args.slice(0, 3).join(" ")} ended with ${finished.code}:\n${said}`);
}

/**
 * Ctrl-C and SIGTERM go to whatever runs, and the caller goes on when it has ended. A terminal's Ctrl-C reaches the
 * children directly: a second one would mean "at once" to the Pulumi CLI.
 * @returns whether a signal has come
 */
export function forwardSignals(): () => boolean {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      interrupted = true;
      if (signal === "SIGINT" && process.stdin.isTTY) return;
      for (const interrupt of running.values()) interrupt();
    });
  }
  return wasInterrupted;
}

let interrupted = false;

/** Whether a signal has come: whoever has a second way to do something does not begin it. */
export function wasInterrupted(): boolean {
  return interrupted;
}
