/** Who runs a home: the process, by its id and start time, so that a stale record is recognised. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  const running = await findRunning(file);
  if (running !== undefined) {
    throw new Failure(
      `the local cloud of this home runs already with process id ${running.pid}: stop it first`,
    );
  }
  rmSync(file, { force: true });
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
