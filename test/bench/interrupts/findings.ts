/** Finds faults after a command: the whole state is compared with the whole cloud. */
import { readState } from "../../../scripts/dev/state-file.ts";
import { differencesOf, idsInZones } from "../../harness/whole-cloud.ts";
import type { Lab, Outcome } from "./lab.ts";
import { zoneIds } from "./operations.ts";

export const kinds = [
  "orphan",
  "double",
  "lost",
  "stuck",
  "unsettled",
  "left",
  "trace",
  "wait",
  "bench",
] as const;
export type Kind = (typeof kinds)[number];

export interface Finding {
  readonly kind: Kind;
  readonly detail: string;
}

export async function idsOf(lab: Lab): Promise<string[]> {
  return await idsInZones(lab.cloud.client, zoneIds);
}

/** How many of each kind of id there are, e.g. {rtr: 2}. */
export function countsOf(ids: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const id of ids) counts[prefixOf(id)] = (counts[prefixOf(id)] ?? 0) + 1;
  return counts;
}

const prefixOf = (id: string) => id.split("-", 1)[0] ?? "";

/**
 * After a command that has succeeded.
 * @param before ids of what is not the stack's @param expected counts of all ids, where they are known
 */
export async function compare(
  lab: Lab,
  before: readonly string[],
  expected?: Readonly<Record<string, number>>,
): Promise<Finding[]> {
  const { resources, pending } = lab.checkpoint;
  const differences = await differencesOf(lab.cloud.client, zoneIds, resources, before);
  const found = differences.map((detail): Finding => ({ kind: kindOf(detail), detail }));
  const left = (detail: string) => found.push({ kind: "left", detail });
  if (pending.length > 0) left(`${pending.length} pending operations in the state`);
  for (const { urn, initErrors = [] } of resources)
    if (initErrors.length > 0) left(`${urn}: ${initErrors[0]}`);
  for (const each of readState(lab.workspace)?.resources ?? [])
    if (each.delete === true) left(`${each.urn} (${each.id}) is still to be deleted`);
  const counts = countsOf(await idsOf(lab));
  const names = new Set([...Object.keys(counts), ...Object.keys(expected ?? {})]);
  for (const name of expected === undefined ? [] : names) {
    const [wanted = 0, there = 0] = [expected?.[name], counts[name]];
    if (wanted !== there)
      found.push({ kind: there > wanted ? "double" : "lost", detail: `${there} ${name}, not ${wanted}` });
  }
  return found;
}

function kindOf(difference: string): Kind {
  if (difference.endsWith("is not in the state")) return "orphan";
  return difference.endsWith("stands twice in the state") ? "double" : "lost";
}

/** After a `destroy` that has succeeded. */
export async function compareWithNothing(lab: Lab, before: readonly string[]): Promise<Finding[]> {
  const stored = lab.checkpoint.resources.filter(({ type }) => type.startsWith("qingcloud:"));
  const there = await idsOf(lab);
  return [
    ...stored.map(({ urn }): Finding => ({ kind: "left", detail: `${urn} is in the state` })),
    ...there
      .filter((id) => !before.includes(id))
      .map((id): Finding => ({ kind: "orphan", detail: `${id} is left` })),
    ...before
      .filter((id) => !there.includes(id))
      .map((id): Finding => ({ kind: "lost", detail: `${id}, of somebody else, is gone` })),
  ];
}

const trace = /^(panic: .*|goroutine \d+ .*|.*Unhandled exception.*|Node\.js v\d.*|\s+at .*\.[tj]s:\d+.*)$/m;

/** A command's words: none shows a stack trace, and one that fails says why. */
export function findInWords(what: string, { code, text, isLate }: Outcome, mayFail: boolean): Finding[] {
  const [shown] = trace.exec(text) ?? [];
  const last = reasonsIn(text);
  return [
    ...(isLate ? [{ kind: "stuck" as const, detail: `${what} did not end: ${last}` }] : []),
    ...(shown === undefined
      ? []
      : [{ kind: "trace" as const, detail: `${what}: ${shown.trim().slice(0, 200)}` }]),
    ...(code === 0 || isLate || mayFail
      ? []
      : [
          {
            kind: "stuck" as const,
            detail: `${what} ended with ${code}: ${last}`,
          },
        ]),
  ];
}

/** Errors of a command's output, or its end: what the rest of a finding's line has room for. */
function reasonsIn(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const errors = lines.filter((line) => /^error: (?!update failed)/.test(line));
  const refusals = lines.filter((line) => /was refused with/.test(line) && !/ \(\d+s\) /.test(line));
  const shown = [errors, refusals, lines.slice(-6)].find(({ length }) => length > 0) ?? [];
  return [...new Set(shown)]
    .slice(0, 4)
    .map((line) => line.slice(0, 400))
    .join(" | ");
}

/** How long nothing need be said, by the fast clock; and how much longer than usual a busy machine takes for the work itself. */
const unsaidSeconds = 180;
const busy = 4;

/** No wait is longer than its message says. @param speed of the clock @param usual seconds of the command without a fault */
export function findWait(
  what: string,
  { seconds, text, weight }: Outcome,
  speed: number,
  usual: number,
): Finding[] {
  const waited = Math.max(0, seconds - usual * weight * busy) * speed;
  const said = [...text.matchAll(/\b(\d+) s\b/g)].map(([, given]) => Number(given));
  const allowed = Math.max(0, ...said) * 1.5 + unsaidSeconds;
  if (waited <= allowed) return [];
  return [
    {
      kind: "wait",
      detail: `${what} waited ${Math.round(waited)} s and said at most ${Math.max(0, ...said)} s`,
    },
  ];
}
