/** The folder of a node's disk, as far as it is made outside the node: the boot program makes the rest. */

import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../machine/shell.ts";

const copyMs = 300_000;

/** Makes a new disk a copy of another one, where that is there; a disk that is there already stays. */
export async function copyDisk(source: string, target: string): Promise<void> {
  const upper = join(target, "upper");
  const mark = join(target, "generation");
  if (existsSync(mark) || !existsSync(join(source, "upper"))) return;
  await rm(upper, { recursive: true, force: true });
  await run("cp", ["--archive", "--reflink=auto", join(source, "upper"), upper], { timeoutMs: copyMs });
  // The boot program takes a disk without this mark for one that was never whole.
  await writeFile(mark, "1", { mode: 0o600 });
}
