/** Room for what a command writes while it makes resources: what it cannot write down, nobody knows of. */
import { existsSync, type StatsFs, statfsSync, statSync } from "node:fs";
import { stateFile } from "./state-file.ts";
import type { Workspace } from "./workspace.ts";

const mib = 2 ** 20;
/** State, lock, history, log and report of a run of two zones take some MiB. */
const minimumMiB = 32;
/** The CLI holds the state in up to five files at a time, of which it may become larger. */
const statesNeeded = 8;
/** Files that a run adds, with room. */
const filesNeeded = 200;

/** Commands of the CLI that make resources. */
export const makes: ReadonlySet<string> = new Set(["import", "up", "update", "watch"]);

type Room = Pick<StatsFs, "bavail" | "bsize" | "blocks" | "files" | "ffree">;

/** @throws Error where the file system of the state has too little room; nothing has been created then */
export function requireSpace(workspace: Workspace, look: (path: string) => Room = statfsSync): void {
  const file = stateFile(workspace);
  const state = existsSync(file) ? statSync(file).size : 0;
  const needed = Math.max(minimumMiB, Math.ceil((statesNeeded * state) / mib));
  const { bavail, bsize, blocks, files, ffree } = look(workspace.pulumi);
  const found = Math.floor((bavail * bsize) / mib);
  const short = [
    // Some file systems do not say how large they are.
    ...(blocks > 0 && found < needed ? [`${needed} MiB of free space, and there are ${found}`] : []),
    ...(files > 0 && ffree < filesNeeded
      ? [`${filesNeeded} more files, and there is room for ${ffree}`]
      : []),
  ];
  if (short.length === 0) return;
  throw new Error(
    `${workspace.pulumi} holds the state of stack ${workspace.stack}, which is written at each step. It needs ${short.join("; it needs ")}. Make room on that file system (\`df -h\` and \`df -i\` show it) and run the command again. Nothing has been created or changed`,
  );
}
