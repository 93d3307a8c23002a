/** Who runs a home: the process, by its id and start time, so that a stale record is recognised. */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { send } from "./admin-client.ts";
import { Failure } from "./failure.ts";

export interface PidRecord {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: a later process with the same id has another one. Empty where there is no /proc. */
  readonly startTime: string;
  readonly port: number;
  /** Opens `/_cloud/`. */
  readonly token: string;
}

/** Folder of the processes; there is none on macOS. */
const processes = "/proc";

/** The process that runs the home, if it lives. */
export async function findRunning(file: string, folder = processes): Promise<PidRecord | undefined> {
  const record = readRecord(file);
  return record !== undefined && (await isAlive(record, folder)) ? record : undefined;
}

/** The record as it was written, whether or not its process lives. */
export function readRecord(file: string): PidRecord | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, "utf8")) as PidRecord;
  } catch {
    return undefined;
  }
}

/** Where the system does not show the process, its server is asked. */
export async function isAlive(record: PidRecord, folder = processes): Promise<boolean> {
  return livesBySystem(record, folder) ?? (await answers(record));
}

/** Whether the process is there, whatever its server answers: it may be ending. */
export function exists(record: PidRecord, folder = processes): boolean {
  return livesBySystem(record, folder) ?? true;
}

/** @returns undefined where a process of this id exists and the system does not say which */
function livesBySystem({ pid, startTime }: PidRecord, folder: string): boolean | undefined {
  const found = startTimeOf(pid, folder);
  if (found !== undefined && startTime !== "") return found === startTime;
  const isHidden = found === undefined && stateOf(pid) === "another user's";
  const isUnknown = startTimeOf(process.pid, folder) === undefined || isHidden;
  return isUnknown && stateOf(pid) !== "none" ? undefined : false;
}

function stateOf(pid: number): "ours" | "another user's" | "none" {
  try {
    process.kill(pid, 0);
    return "ours";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? "another user's" : "none";
  }
}

/** Whether this record's own API answers: another program may hold the port, and may never say a word. */
export async function answers(record: PidRecord): Promise<boolean> {
  try {
    const { body } = await send(record, "GET", "ping", undefined, AbortSignal.timeout(1000));
    return typeof body === "object" && body !== null && "pid" in body && body.pid === record.pid;
  } catch {
    return false;
  }
}

/** Registers this process as the one that runs the home; refuses if another one does. */
export async function register(file: string, record: Omit<PidRecord, "pid" | "startTime">): Promise<void> {
  const isLeft = existsSync(file);
  const running = await findRunning(file);
  if (running !== undefined) {
    throw new Failure(
      `the local cloud of this home runs already with process id ${running.pid}: wait until it is ready (npm run cloud -- status), or stop it (npm run cloud -- stop)`,
    );
  }
  // Not one that another start has written since.
  if (isLeft) rmSync(file, { force: true });
  const startTime = startTimeOf(process.pid, processes) ?? "";
  try {
    writeFileSync(file, JSON.stringify({ pid: process.pid, startTime, ...record }), {
      mode: 0o600,
      flag: "wx",
    });
  } catch (error) {
    throw new Failure(`${file} was written by another start at this moment: try again`, { cause: error });
  }
}

/** Whether this process's record is no longer there, because its home was deleted or is another process's now. */
export function isLost(file: string): boolean {
  if (!existsSync(file)) return true;
  const record = readRecord(file);
  return record !== undefined && record.pid !== process.pid;
}

/** How long a deleted home's server may take to end. */
const lostDeadline = 60_000;

/**
 * Waits for servers whose home at this path was deleted while they ran: they are ending, and have namespaces and ports of the
 * same names. @param state the home's file that such a server has open
 */
export async function endOfLost(state: string, folder = processes): Promise<void> {
  const isOpenIn = (pid: number): boolean => openFiles(pid, folder).includes(`${state} (deleted)`);
  const home = dirname(state);
  const lost = processesNaming(home, folder).filter(isOpenIn);
  const deadline = Date.now() + lostDeadline;
  for (const pid of lost) {
    while (isOpenIn(pid)) {
      if (Date.now() > deadline) {
        throw new Failure(
          `${home} was deleted, and process ${pid}, the local cloud that ran in it, has not ended within ${lostDeadline / 1000} s: end it (kill -KILL ${pid}) and try again`,
        );
      }
      await sleep(20);
    }
  }
}

function processesNaming(home: string, folder: string): number[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && commandLineOf(pid, folder).includes(home));
}

function commandLineOf(pid: number, folder: string): readonly string[] {
  try {
    return readFileSync(`${folder}/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/** Paths of the files that a process has open; none where it is another user's. */
export function openFiles(pid: number, folder = processes): string[] {
  try {
    return readdirSync(`${folder}/${pid}/fd`).flatMap((each) => {
      try {
        return [readlinkSync(`${folder}/${pid}/fd/${each}`)];
      } catch {
        return []; // it was closed meanwhile
      }
    });
  } catch {
    return [];
  }
}

export function unregister(file: string): void {
  if (readRecord(file)?.pid === process.pid) rmSync(file, { force: true });
}

function startTimeOf(pid: number, folder: string): string | undefined {
  try {
    const stat = readFileSync(`${folder}/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
