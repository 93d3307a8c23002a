/** The files of the ranks of a run on their nodes' disks: cheap enough to be read again and again. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Place } from "./place.ts";
import { readLines } from "./process.ts";

const stateSchema = z.object({
  runId: z.string(),
  rank: z.number(),
  attempt: z.number(),
  state: z.string(),
  pid: z.number().nullable(),
  startedAt: z.number(),
});
export type RankState = z.output<typeof stateSchema>;

const stepSchema = z.object({
  step: z.number(),
  seconds: z.number(),
  communicationSeconds: z.number(),
  gradientBytes: z.number(),
});
export type Step = z.output<typeof stepSchema>;

/** The paths in a folder, none where there is no folder. */
function below(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

/** The folders of all ranks that were ever started; few folders are looked into, since this is asked often. */
export function ranksStarted(place: Place): string[] {
  return below(join(place.cloudHome, "nodes"))
    .flatMap((node) => below(join(node, "upper", "home", "ubuntu", ".crosszone", "runs")))
    .flatMap(below)
    .filter((path) => /\/rank-\d+$/.test(path))
    .sort();
}

interface RankOnDisk extends RankState {
  /** Where its log, its state and its checkpoints are. */
  readonly folder: string;
}

/** The ranks that were started last, by their number. */
export function ranksOnDisk(place: Place): RankOnDisk[] {
  const found = ranksStarted(place).flatMap((folder) => {
    const file = join(folder, "state.json");
    // One that is being started has none yet.
    return existsSync(file) ? [{ folder, ...stateSchema.parse(JSON.parse(readFileSync(file, "utf8"))) }] : [];
  });
  const last = found.toSorted((one, other) => one.startedAt - other.startedAt).at(-1);
  return found.filter(({ runId }) => runId === last?.runId).sort((one, other) => one.rank - other.rank);
}

/** The lines of each rank's log in its present attempt. */
export function logsOnDisk(place: Place): string[][] {
  return ranksOnDisk(place).map(({ folder }) => {
    const file = join(folder, "log");
    return existsSync(file) ? readLines(file) : [];
  });
}

/** The steps that each rank has noted, of all attempts. */
export function stepsOnDisk(place: Place): Step[][] {
  return ranksOnDisk(place).map(({ folder, rank }) => {
    const file = join(folder, "..", "metrics", `rank-${rank}.jsonl`);
    return (existsSync(file) ? readLines(file) : [])
      .filter((line) => line.startsWith('{"event": "step"') && line.endsWith("}"))
      .map((line) => stepSchema.parse(JSON.parse(line)));
  });
}
