/** The files that a run is made of. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type TrainingSettings, trainingSchema } from "./schema.ts";

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

export interface RunFiles {
  readonly script: RunFile;
  /** Beside the script. */
  readonly more: readonly RunFile[];
  /** Absent where the script has its own. */
  readonly data: RunFile | undefined;
}

/**
 * What is wrong with the files that the configuration names; nothing if they can be used, or if it is not known yet
 * which they are.
 * @param raw the configuration's `training`
 */
export function fileProblems(raw: unknown): string[] {
  const { data: training } = trainingSchema.safeParse(raw ?? {});
  if (training === undefined || training.mode === "none") return [];
  const problems: string[] = [];
  const { script } = training;
  if (script.source === "upload") {
    const found = tryRead(script.path);
    if (found === undefined) {
      problems.push(
        `crosszone:training.script.path: no such file (given: "${script.path}"); relative paths start at the project`,
      );
    } else if (script.sha256 !== undefined && sha256Of(found) !== script.sha256) {
      problems.push(
        `crosszone:training.script.sha256: ${script.path} has ${sha256Of(found)} (given: "${script.sha256}"); correct it, or take the file that was meant`,
      );
    }
  }
  for (const [index, path] of script.files.entries()) {
    if (tryRead(path) === undefined) {
      problems.push(`crosszone:training.script.files[${index}]: no such file (given: "${path}")`);
    }
  }
  if (training.data !== undefined && tryRead(training.data) === undefined) {
    problems.push(
      `crosszone:training.data: no such file (given: "${training.data}"); \`npm start\` writes the default one`,
    );
  }
  return problems;
}

/** The files with their SHA-256; `fileProblems` has found none. */
export function runFiles({ script, data }: TrainingSettings): RunFiles {
  return {
    script: scriptFile(script),
    more: script.files.map(localFile),
    data: data === undefined ? undefined : localFile(data),
  };
}

function scriptFile({ source, path, url, sha256 }: TrainingSettings["script"]): RunFile {
  if (source === "image") return { name: basename(path), sha256, from: { image: path } };
  const byUrl = source === "url" && url !== undefined && sha256 !== undefined;
  return byUrl ? { name: basename(new URL(url).pathname), sha256, from: { url } } : localFile(path);
}

/** Relative paths start at the project, wherever the program is run from. */
export function inProject(path: string): string {
  return resolve(join(import.meta.dirname, "..", ".."), path);
}

function localFile(path: string): RunFile {
  return {
    name: basename(path),
    sha256: sha256Of(readFileSync(inProject(path))),
    from: { path: inProject(path) },
  };
}

function tryRead(path: string): Buffer | undefined {
  try {
    return readFileSync(inProject(path));
  } catch {
    return undefined;
  }
}

function sha256Of(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
