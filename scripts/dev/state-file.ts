/** The file of the stack's state and its lock, as a CLI that was killed at work leaves them. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { openFiles } from "../../local-cloud/pid-record.ts";
import { idsOf } from "../../provider/cloud/known-ids.ts";
import { isProcess } from "./process.ts";
import type { Workspace } from "./workspace.ts";

/** Where the CLI keeps the state of the stack. */
export function stateFile(workspace: Workspace): string {
  return join(backend(workspace), "stacks", "crosszone", `${workspace.stack}.json`);
}

/** There as long as the state may be behind the cloud. */
export function behindFile({ pulumi, stack }: Workspace): string {
  return join(pulumi, `${stack}.is-behind`);
}

/** Folder of the CLI's own files: stacks, locks, history, backups. */
export function backend({ pulumi }: Workspace): string {
  return join(pulumi, "state", ".pulumi");
}

function locksFolder(workspace: Workspace): string {
  return join(backend(workspace), "locks", "organization", "crosszone", workspace.stack);
}

/**
 * Clears the state lock that a killed CLI left, of this host, and its process is dead. The CLI replaces its files in one
 * step each, but not the attributes beside them: cut off, these keep it from reading the state ("failed to load
 * checkpoint: EOF"), missing they do no harm.
 * A machine without /proc does not say whether the process lives: there no lock is cleared.
 * @param processes folder of the processes
 * @returns what was cleared, or why nothing was, for the user
 */
export function clearStaleLock(workspace: Workspace, processes = "/proc"): string[] {
  const directory = locksFolder(workspace);
  const locks = lockFiles(workspace);
  if (locks.length === 0) return [];
  if (!existsSync(join(processes, "self", "stat"))) {
    return locks.map((file) => describeLock(workspace, readJson(join(directory, file)) as Lock | undefined));
  }
  return locks.flatMap((file) => {
    const path = join(directory, file);
    const lock = readJson(path) as Lock | undefined;
    if (lock === undefined) {
      if (isOpen(path, processes)) return [];
      removeLock(path);
      return ["cleared a state lock that was not written to its end"];
    }
    if (lock.hostname !== hostname() || lock.pid === undefined || isAlive(lock.pid, processes)) return [];
    const cutOff = clearCutAttributes(backend(workspace));
    removeLock(path);
    return [
      `cleared the state lock of process ${lock.pid}, which ended at work (${lock.timestamp ?? "time unknown"})`,
      ...cutOff,
    ];
  });
}

/**
 * Locks, and what the CLI writes before it becomes one: an interrupted writing leaves that, and the CLI takes it for the lock
 * of another.
 */
export function lockFiles(workspace: Workspace): string[] {
  const directory = locksFolder(workspace);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).filter((file) => /\.json(\.[0-9a-f]+\.tmp)?$/.test(file));
}

/** Whether a process has the file open, as one that is writing it; without /proc it may. */
export function isOpen(path: string, processes = "/proc"): boolean {
  if (!existsSync(processes)) return true;
  return readdirSync(processes).some(
    (name) => /^\d+$/.test(name) && openFiles(Number(name), processes).includes(path),
  );
}

/** Commands of the CLI that change a stack, and take its lock. */
export const changing: ReadonlySet<string> = new Set([
  ...["destroy", "dn", "down", "import", "refresh", "up", "update", "watch"],
]);

/** Only one command at a time changes a stack. @throws Error where another one does, once stale locks are cleared */
export function requireUnlocked(workspace: Workspace): void {
  const locked = otherCommand(workspace);
  if (locked !== undefined) throw new Error(locked);
}

/** Who changes the stack, and what to do; undefined where nobody does, or the system does not say. */
export function otherCommand(workspace: Workspace): string | undefined {
  const [file] = lockFiles(workspace);
  if (file === undefined || !existsSync("/proc/self/stat")) return undefined;
  const { pid, hostname: host, timestamp } = (readJson(join(locksFolder(workspace), file)) ?? {}) as Lock;
  const isHere = host === undefined || host === hostname();
  const process = pid === undefined ? "another process" : `process ${pid}`;
  const since = timestamp === undefined ? "" : ` since ${timestamp}`;
  const end = isHere && pid !== undefined ? `where it runs (or: kill -INT ${pid})` : "where it runs";
  const lost = isHere
    ? ""
    : `. If ${host} or that process no longer runs: npm run pulumi -- cancel --yes --stack ${workspace.stack}`;
  return `another command is changing the stack ${workspace.stack}: ${process}${isHere ? "" : ` on the machine ${host}`}${since}. Wait until it has ended, or press Ctrl-C ${end}, and run this again${lost}`;
}

interface Lock {
  readonly pid?: number;
  readonly hostname?: string;
  readonly timestamp?: string;
}

function removeLock(path: string): void {
  for (const each of [path, `${path}.attrs`]) rmSync(each, { force: true });
}

function clearCutAttributes(directory: string): string[] {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" });
  const cutOff = files
    .filter((file) => file.endsWith(".attrs"))
    .map((file) => join(directory, file))
    .filter((path) => readJson(path) === undefined);
  for (const path of cutOff) rmSync(path, { force: true });
  return cutOff.map((path) => `removed ${basename(path)}, whose writing was cut off`);
}

export interface StoredState {
  readonly resources?: readonly {
    readonly urn: string;
    readonly type: string;
    /** URN; empty of the stack itself. */
    readonly parent?: string | undefined;
    readonly id?: string | undefined;
    /** It has been replaced, and is to be deleted. */
    readonly delete?: boolean | undefined;
    /** Read, and not the stack's. */
    readonly external?: boolean | undefined;
    readonly pendingReplacement?: boolean | undefined;
    readonly inputs?: Readonly<Record<string, unknown>> | undefined;
    readonly outputs?: unknown;
  }[];
  readonly pending_operations?: readonly {
    readonly type: string;
    readonly resource: { readonly urn: string };
  }[];
}

/** The stack's marks: one, and those that a replacement which was cut off has left to be deleted. */
export function stackMarksIn<Resource extends { readonly type: string }>(
  resources: readonly Resource[],
): Resource[] {
  return resources.filter(({ type }) => type === "qingcloud:state:StackMark");
}

/** @returns the stack's state in this checkout; undefined where there is none that can be read */
export function readState(workspace: Workspace): StoredState | undefined {
  const file = readJson(stateFile(workspace)) as { checkpoint?: { latest?: StoredState | null } } | undefined;
  return file === undefined ? undefined : (file.checkpoint?.latest ?? {});
}

/** The digits of the stack's marks. */
export function marksInState(workspace: Workspace): string[] {
  return stackMarksIn(readState(workspace)?.resources ?? []).flatMap(({ id }) => id ?? []);
}

/** Ids in the states of all stacks of this checkout, as a search of the account finds them. */
export function knownIds(workspace: Workspace): ReadonlySet<string> {
  const folder = dirname(stateFile(workspace));
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".json")) : [];
  const states = files.map((file) => readState({ ...workspace, stack: basename(file, ".json") }));
  return new Set(states.flatMap((state) => (state?.resources ?? []).flatMap(idsOf)));
}

/** @returns what the file holds; undefined where it is missing or was not written to its end */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function describeLock({ stack }: Workspace, { pid, hostname: host, timestamp }: Lock = {}): string {
  const process = pid === undefined ? "another process" : `process ${pid} on ${host ?? "an unknown host"}`;
  const since = timestamp === undefined ? "" : ` since ${timestamp}`;
  return `the state of stack ${stack} is locked by ${process}${since}. If that no longer runs: npm run pulumi -- cancel --yes --stack ${stack}`;
}

/**
 * The pid may be another program's by now, or a zombie: only a Pulumi process that lives keeps the lock. A process that
 * the system hides from this user lives too.
 */
function isAlive(pid: number, processes: string): boolean {
  try {
    return /^\d+ \(pulumi\) [^ZX]/.test(readFileSync(join(processes, String(pid), "stat"), "utf8"));
  } catch {
    return isProcess(pid);
  }
}
