/**
 * A file that says that the state may be behind the cloud: written before a run's first change or deletion, and removed by the
 * project's command once that has ended well. A run that is killed, or whose deletion fails, leaves it, since no state tells
 * what it has done.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Properties } from "./rpc/values.ts";

/** Environment variable with the file's path; where it is not set there is none. */
export const behindVariable = "CROSSZONE_BEHIND_FILE";

/** A renaming of a resource that is found by its name: the file has a line of JSON for each. */
export interface Renaming {
  readonly id: string;
  /** The URN that the new name is of. */
  readonly urn: string;
  /** The inputs that are wanted. */
  readonly last: Properties;
}

export class BehindFile {
  readonly #path: string | undefined;
  /** Whether an earlier run has left it. */
  readonly wasThere: boolean;
  /** Renamings that the earlier run began. */
  readonly #renamings: readonly Renaming[];
  #isWritten: boolean;

  constructor(path = process.env[behindVariable]) {
    this.#path = path;
    this.wasThere = path !== undefined && existsSync(path);
    this.#renamings = path !== undefined && this.wasThere ? renamingsIn(readFileSync(path, "utf8")) : [];
    this.#isWritten = this.wasThere;
  }

  /** @throws Error where it cannot be written: then nothing is to be changed */
  write(renaming?: Renaming): void {
    if (this.#path === undefined || (this.#isWritten && renaming === undefined)) return;
    appendFileSync(this.#path, renaming === undefined ? "" : `\n${JSON.stringify(renaming)}`);
    this.#isWritten = true;
  }

  /** The last renaming that an earlier run began of the resource with this id. */
  renamingOf(id: string): Renaming | undefined {
    return this.#renamings.findLast((each) => each.id === id);
  }
}

/** Skips a line that is no JSON: its writing was cut off, before the renaming began. */
function renamingsIn(text: string): Renaming[] {
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as Renaming];
    } catch {
      return [];
    }
  });
}
