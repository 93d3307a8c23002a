/** The API calls that a local cloud has answered, from its log. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One line of calls.jsonl. */
export interface Call {
  readonly zone: string;
  readonly action: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly ret_code: number;
}

/** The API calls so far. */
export function callsOf(home: string): Call[] {
  const path = join(home, "calls.jsonl");
  if (!existsSync(path)) return [];
  // The last line may still be written.
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Call);
}

/** Actions that change something, sorted. */
export function changesAmong(calls: readonly Call[]): string[] {
  return calls
    .map(({ action }) => action)
    .filter((action) => !/^(Describe|Get)/.test(action))
    .sort();
}
