/** Files of a run, and those of this machine. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

/** A file for the nodes: from this machine or a URL, or one that their image has. */
export type RunFile =
  | {
      readonly name: string;
      readonly sha256: string;
      readonly from: { readonly path: string } | { readonly url: string };
    }
  | {
      readonly name: string;
      readonly sha256?: string | undefined;
      readonly from: { readonly image: string };
    };

/** Relative paths start at the project, wherever the program is run from. */
export function inProject(path: string): string {
  return resolve(join(import.meta.dirname, "..", ".."), path);
}

export function localFile(path: string): RunFile {
  return {
    name: basename(path),
    sha256: sha256Of(readFileSync(inProject(path))),
    from: { path: inProject(path) },
  };
}

/** What a file of the web is named by. */
export function nameInUrl(url: string): string {
  return basename(new URL(url).pathname);
}

export function sha256Of(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
