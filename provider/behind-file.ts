/**
 * A file that says that the state may be behind the cloud. It is there while this process changes or deletes what the stack
 * has, and stays if it is killed at that, or where a deletion fails: what has been done then no state tells.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";

/** Environment variable with the file's path; where it is not set there is none. */
export const behindVariable = "CROSSZONE_BEHIND_FILE";

export class BehindFile {
  readonly #path: string | undefined;
  #working = 0;
  #stays = false;

  constructor(path = process.env[behindVariable]) {
    this.#path = path;
  }

  /** @throws Error of the work, and before it where the file cannot be written */
  async changing<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#begin();
    try {
      return await work();
    } finally {
      this.#end();
    }
  }

  async deleting(work: () => Promise<void>): Promise<void> {
    await this.changing(async () => {
      try {
        await work();
      } catch (error) {
        this.#stays = true;
        throw error;
      }
    });
  }

  /** What another resource of the state has is about to change. */
  stay(): void {
    this.#stays = true;
    if (this.#path !== undefined) writeFileSync(this.#path, "");
  }

  #begin(): void {
    this.#working += 1;
    if (this.#path === undefined || this.#working > 1) return;
    this.#stays ||= existsSync(this.#path);
    writeFileSync(this.#path, "");
  }

  #end(): void {
    this.#working -= 1;
    if (this.#path !== undefined && this.#working === 0 && !this.#stays) rmSync(this.#path, { force: true });
  }
}
