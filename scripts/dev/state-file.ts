/** The file of the stack's state and its lock, as a CLI that was killed at work leaves them. */
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Workspace } from "./workspace.ts";

/** Where the CLI keeps the state of the stack; what it was before the last write is beside it, as `.bak`. */
export function stateFile({ pulumi, stack }: Workspace): string {
  return join(pulumi, "state", ".pulumi", "stacks", "crosszone", `${stack}.json`);
}

/**
 * Clears the state lock that a killed CLI left (of this host, and its process is dead), and where the CLI was killed
 * while it wrote the state, takes the state from before that write. What that one write would have told is not lost:
 * resources are found again by their mark.
 * @returns what was done, for the user
 */
export function clearStaleLock(workspace: Workspace): string[] {
  const { pulumi, stack } = workspace;
  const directory = join(pulumi, "state", ".pulumi", "locks", "organization", "crosszone", stack);
  if (!existsSync(directory)) return [];
  const locks = readdirSync(directory).filter((file) => file.endsWith(".json"));
  return locks.flatMap((file) => {
    const path = join(directory, file);
    const lock = readJson(path) as Lock | undefined;
    if (lock === undefined) {
      if (Date.now() - statSync(path).mtimeMs < halfWrittenMs) return [];
      removeLock(path);
      return ["cleared a state lock that was not written to its end"];
    }
    if (lock.hostname !== hostname() || lock.pid === undefined || isAlive(lock.pid)) return [];
    const restored = restoreState(stateFile(workspace));
    removeLock(path);
    return [
      `cleared the state lock of process ${lock.pid}, which ended at work (${lock.timestamp ?? "time unknown"})`,
      ...restored,
    ];
  });
}

/** A lock that cannot be read is being written, unless it is older than this. */
const halfWrittenMs = 60_000;

interface Lock {
  readonly pid?: number;
  readonly hostname?: string;
  readonly timestamp?: string;
}

function removeLock(path: string): void {
  for (const each of [path, `${path}.attrs`]) rmSync(each, { force: true });
}

function restoreState(path: string): string[] {
  const before = `${path}.bak`;
  if (readJson(path) !== undefined || readJson(before) === undefined) return [];
  copyFileSync(before, path);
  return ["took the state from before the write that was cut off"];
}

/** @returns what the file holds; undefined where it is missing or was not written to its end */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** The pid may be another program's by now, or a zombie: only a Pulumi process that lives keeps the lock. */
function isAlive(pid: number): boolean {
  try {
    return /^\d+ \(pulumi\) [^ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
