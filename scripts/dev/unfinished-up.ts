/**
 * A file that is there from the beginning of an `up` until one has ended well: what a killed run has made is found by its name
 * where the configuration still wants it, and by nobody where it does not.
 */
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "../../provider/strays.ts";
import { leftInAccount, sweepCommand } from "./strays.ts";
import type { Workspace } from "./workspace.ts";

export function unfinishedFile({ pulumi, stack }: Workspace): string {
  return join(pulumi, `${stack}.up-unfinished`);
}

/** Before an `up`. @returns whether an earlier one did not end well */
export function beginUp(workspace: Workspace): boolean {
  const wasThere = existsSync(unfinishedFile(workspace));
  if (!wasThere) writeFileSync(unfinishedFile(workspace), "");
  return wasThere;
}

/** Once an `up` of the whole stack has ended well, or the stack is gone. */
export function endUp(workspace: Workspace): void {
  rmSync(unfinishedFile(workspace), { force: true });
}

/** A stack that gets another name keeps it. */
export function moveUnfinished(workspace: Workspace, name: string): void {
  if (existsSync(unfinishedFile(workspace)))
    renameSync(unfinishedFile(workspace), unfinishedFile({ ...workspace, stack: name }));
}

/**
 * Ends an `up` that was the first to end well after others. Where something is left the next one looks again.
 * @returns what was left, for the user
 */
export async function endUpAfterOthers(workspace: Workspace, configFile: string): Promise<string[]> {
  try {
    const left = await leftInAccount(workspace, configFile);
    if (left.length > 0)
      return [
        `An earlier run that did not end has left what the configuration no longer wants and no state has: ${left.map(describe).join(", ")}. It may cost money. Remove it: ${sweepCommand(workspace, "--yes")}`,
      ];
    endUp(workspace);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}
