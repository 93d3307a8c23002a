/**
 * A file that says that the state may be behind the cloud: written before a run's first change or deletion, and removed by the
 * project's command once that has ended well. A run that is killed, or whose deletion fails, leaves it, since no state tells
 * what it has done.
 */
import { existsSync, writeFileSync } from "node:fs";

/** Environment variable with the file's path; where it is not set there is none. */
export const behindVariable = "CROSSZONE_BEHIND_FILE";

export class BehindFile {
  readonly #path: string | undefined;
  /** Whether an earlier run has left it. */
  readonly wasThere: boolean;
  #isWritten: boolean;

  constructor(path = process.env[behindVariable]) {
    this.#path = path;
    this.wasThere = path !== undefined && existsSync(path);
    this.#isWritten = this.wasThere;
  }

  /** @throws Error where it cannot be written: then nothing is to be changed */
  write(): void {
    if (this.#path === undefined || this.#isWritten) return;
    writeFileSync(this.#path, "");
    this.#isWritten = true;
  }
}
