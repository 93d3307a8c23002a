/** Who runs a home: the process, by its id and start time, so that a stale record is recognised. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Failure } from "./failure.ts";

export interface PidRecord {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: a later process with the same id has another one. */
  readonly startTime: string;
  readonly port: number;
  /** Opens `/_cloud/`. */
  readonly token: string;
}

/** The process that runs the home, if it lives. */
export function readRunning(file: string): PidRecord | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const record = JSON.parse(readFileSync(file, "utf8")) as PidRecord;
    return isAlive(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

export function isAlive(record: Pick<PidRecord, "pid" | "startTime">): boolean {
  return startTimeOf(record.pid) === record.startTime;
}

/** Registers this process as the one that runs the home; refuses if another one does. */
export function register(file: string, record: Omit<PidRecord, "pid" | "startTime">): void {
  const running = readRunning(file);
  if (running !== undefined) {
    throw new Failure(
      `the local cloud of this home runs already with process id ${running.pid}: stop it first`,
    );
  }
  rmSync(file, { force: true });
  const startTime = startTimeOf(process.pid) ?? "";
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
  if (readRunning(file)?.pid === process.pid) rmSync(file, { force: true });
}

function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
