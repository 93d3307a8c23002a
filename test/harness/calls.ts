/** The API calls that a local cloud has answered, from its log. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** One line of calls.jsonl. */
export interface Call {
  readonly zone: string;
  readonly action: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly ret_code: number;
}

/** A call that changes something, as tests write it down. */
export type Change = readonly [action: string, parameters: object];

/** How far each log was read, and its calls up to there: tests ask often. */
const logs = new Map<string, { read: number; readonly calls: Call[] }>();

/** The API calls that a cloud has answered so far. */
export function callsOf(home: string): Call[] {
  const path = join(home, "calls.jsonl");
  if (!existsSync(path)) return [];
  const log = logs.get(path) ?? { read: 0, calls: [] };
  logs.set(path, log);
  const descriptor = openSync(path, "r");
  try {
    const added = Buffer.alloc(fstatSync(descriptor).size - log.read);
    const length = readSync(descriptor, added, 0, added.length, log.read);
    // The last line may still be written.
    const end = added.subarray(0, length).lastIndexOf("\n") + 1;
    const lines = added.toString("utf8", 0, end).split("\n").slice(0, -1);
    for (const line of lines) log.calls.push(JSON.parse(line) as Call);
    log.read += end;
  } finally {
    closeSync(descriptor);
  }
  return [...log.calls];
}

/** The calls that change something, in their order. */
export function changesAmong(calls: readonly Call[]): Change[] {
  return calls
    .filter(({ action }) => !/^(Describe|Get)/.test(action))
    .map(({ action, parameters }) => [action, parameters]);
}

/** Names of the actions that change something, sorted. */
export function changingActions(calls: readonly Call[]): string[] {
  return changesAmong(calls)
    .map(([action]) => action)
    .sort();
}
