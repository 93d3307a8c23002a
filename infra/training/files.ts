/** The files that a run is made of. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { dataNames, dataProblem, type RunData, runData } from "./data.ts";
import { inProject, localFile, nameInUrl, type RunFile, sha256Of } from "./local-files.ts";
import { readsText, type TrainingSettings, trainingSchema } from "./schema.ts";

export interface RunFiles {
  readonly script: RunFile;
  /** Beside the script. */
  readonly more: readonly RunFile[];
  /** Absent where the script has its own. */
  readonly data: RunData | undefined;
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
  const data = dataProblem(training) ?? textProblem(training);
  if (data !== undefined) problems.push(`crosszone:training.data: ${data}`);
  // Without any of these problems, since folders of data are looked into.
  const twice = problems.length === 0 ? nameTwice(training) : undefined;
  if (twice !== undefined) {
    problems.push(
      `crosszone:training: two files are named "${twice}"; script, script.files and data lie in one folder on the nodes: rename one`,
    );
  }
  return problems;
}

/** The files with their SHA-256; `fileProblems` has found none. */
export function runFiles({ script, dataset, data }: TrainingSettings): RunFiles {
  return {
    script: scriptFile(script),
    more: script.files.map(localFile),
    data: runData({ dataset, data }),
  };
}

/** Several files lie beside the script and its modules: they would be read too. */
function textProblem(training: TrainingSettings): string | undefined {
  if (!readsText(training.script) || runData(training)?.at !== "folder") return undefined;
  return "char_lm.py reads one file, or a folder that the nodes have: join the files, or take {source: node, path}";
}

function nameTwice(training: TrainingSettings): string | undefined {
  const { script } = training;
  const names = [nameOf(script), ...script.files.map((path) => basename(path)), ...dataNames(training)];
  return names.find((name, index) => names.indexOf(name) !== index);
}

function nameOf({ source, path, url }: TrainingSettings["script"]): string {
  return source === "url" && url !== undefined ? nameInUrl(url) : basename(path);
}

function scriptFile(script: TrainingSettings["script"]): RunFile {
  const { source, path, url, sha256 } = script;
  if (source === "image") return { name: nameOf(script), sha256, from: { image: path } };
  const byUrl = source === "url" && url !== undefined && sha256 !== undefined;
  return byUrl ? { name: nameOf(script), sha256, from: { url } } : localFile(path);
}

function tryRead(path: string): Buffer | undefined {
  try {
    return readFileSync(inProject(path));
  } catch {
    return undefined;
  }
}
