/** The files of a run's data. */
import { readdirSync, statSync } from "node:fs";
import { basename, join, posix } from "node:path";
import { inProject, localFile, nameInUrl, type RunFile } from "./local-files.ts";
import type { DataSource, TrainingSettings } from "./schema.ts";

export interface RunData {
  /** What is brought to the nodes, into the run's folder; none of data that they have. */
  readonly files: readonly RunFile[];
  /** Where the script finds it: a file of the run's folder, that folder, or a path on the nodes. */
  readonly at: { readonly file: string } | "folder" | { readonly node: string };
}

/** MNIST's files as their authors name them; each may be compressed, with `.gz` behind its name. */
const mnistFiles = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
] as const;
const mostFiles = 100;

type Wanted = Pick<TrainingSettings, "dataset" | "data">;

/** What is wrong with the data of this machine that the configuration names; undefined where it can be used. */
export function dataProblem({ dataset, data }: Wanted): string | undefined {
  if (data === undefined || data.source === "node") return undefined;
  if (data.source === "url") {
    const names = data.files.map(({ url }) => nameInUrl(url));
    return dataset === "mnist" ? lackOf(names, "the URLs") : undefined;
  }
  const stat = statSync(inProject(data.path), { throwIfNoEntry: false });
  if (stat === undefined) {
    return `no such file or folder (given: "${data.path}"); relative paths start at the project, \`npm start\` writes the default one`;
  }
  if (dataset === "mnist") {
    if (stat.isDirectory()) return lackOf(readdirSync(mnistFolder(data.path)), `"${data.path}"`);
    return `must be the folder that holds MNIST's four files (given: "${data.path}")`;
  }
  if (!stat.isDirectory()) return undefined;
  const entries = readdirSync(inProject(data.path), { withFileTypes: true });
  if (entries.length > 0 && entries.length <= mostFiles && entries.every((entry) => entry.isFile()))
    return undefined;
  return `a folder must hold 1 to ${mostFiles} files and nothing else (given: "${data.path}", with ${entries.length}); pack them into fewer files, or take {source: node, path} for what the nodes have`;
}

function lackOf(names: readonly string[], where: string): string | undefined {
  const lacking = mnistFiles.filter((name) => !names.includes(name) && !names.includes(`${name}.gz`));
  if (lacking.length === 0) return undefined;
  return `${where} must have MNIST's four files, plain or .gz; there is no ${lacking.join(", ")}`;
}

/** `dataProblem` has found nothing. */
export function runData({ dataset, data }: Wanted): RunData | undefined {
  if (data === undefined) return undefined;
  if (data.source === "node") return { files: [], at: { node: data.path } };
  const files = sourcesOf(dataset, data).map(
    (source): RunFile =>
      typeof source === "string"
        ? localFile(source)
        : { name: nameInUrl(source.url), sha256: source.sha256, from: { url: source.url } },
  );
  const [first] = files;
  const isOne = files.length === 1 && first !== undefined && dataset === "digits" && !isFolder(data);
  return { files, at: isOne ? { file: first.name } : "folder" };
}

/** Names of the files that are brought to the nodes; none is read for that. */
export function dataNames({ dataset, data }: Wanted): string[] {
  if (data === undefined || data.source === "node") return [];
  return sourcesOf(dataset, data).map((source) =>
    typeof source === "string" ? basename(source) : nameInUrl(source.url),
  );
}

/** Paths of this machine, or what is fetched from the web. */
function sourcesOf(
  dataset: Wanted["dataset"],
  data: Exclude<DataSource, { source: "node" }>,
): readonly (string | { readonly url: string; readonly sha256: string })[] {
  if (data.source === "url") return data.files;
  if (!isFolder(data)) return [data.path];
  if (dataset === "digits") return readdirSync(inProject(data.path)).map((name) => join(data.path, name));
  const folder = mnistFolder(data.path);
  const there = readdirSync(folder);
  return mnistFiles.map((name) => join(folder, there.includes(name) ? name : `${name}.gz`));
}

function isFolder(data: Exclude<DataSource, { source: "node" }>): boolean {
  return data.source === "upload" && statSync(inProject(data.path)).isDirectory();
}

/** torchvision keeps the files in a folder below. */
function mnistFolder(path: string): string {
  const below = join(inProject(path), "MNIST", "raw");
  return statSync(below, { throwIfNoEntry: false })?.isDirectory() ? below : inProject(path);
}

/** Of data that the nodes have. */
export function pathOnNodes(data: RunData | undefined): string | undefined {
  const at = data?.at;
  return typeof at === "object" && "node" in at ? at.node : undefined;
}

/** Where the script finds the data: `folder` is the run's, as the script sees it. */
export function pathIn(folder: string, data: RunData): string {
  const { at } = data;
  if (typeof at === "object" && "file" in at) return posix.join(folder, at.file);
  return pathOnNodes(data) ?? folder;
}
