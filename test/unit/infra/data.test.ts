/** What a run trains on: files of this machine, of the web, or of the nodes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dataProblem, runData } from "../../../infra/training/data.ts";
import { fileProblems } from "../../../infra/training/files.ts";
import { sha256Of } from "../../../infra/training/local-files.ts";
import { trainingSchema } from "../../../infra/training/schema.ts";

const mnist = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte.gz",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
];
const sha256 = sha256Of(Buffer.from("x"));

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "data-"));
  mkdirSync(join(folder, "two"));
  for (const name of ["a.npy", "b.npy"]) writeFileSync(join(folder, "two", name), "x");
  mkdirSync(join(folder, "MNIST", "raw"), { recursive: true });
  for (const name of [...mnist, "t10k-labels-idx1-ubyte.gz"]) {
    writeFileSync(join(folder, "MNIST", "raw", name), "x");
  }
});

afterAll(() => rmSync(folder, { recursive: true }));

const settings = (training: object) => trainingSchema.parse(training);
const problem = (training: object) => dataProblem(settings(training));

test("a folder's files are brought into the run's folder", () => {
  const path = join(folder, "two");
  expect(problem({ data: path })).toBeUndefined();
  const files = ["a.npy", "b.npy"].map((name) => ({ name, sha256, from: { path: join(path, name) } }));
  expect(runData(settings({ data: path }))).toEqual({ files, at: "folder" });
});

test("MNIST's four files are found where torchvision keeps them, plain before compressed", () => {
  const training = { dataset: "mnist", data: folder };
  expect(problem(training)).toBeUndefined();
  const files = mnist.map((name) => ({ name, sha256, from: { path: join(folder, "MNIST", "raw", name) } }));
  expect(runData(settings(training))).toEqual({ files, at: "folder" });
});

test("data by URL is named by it; a single file is handed over as one", () => {
  const url = "https://example.org/dir/train.npz?x=1";
  const training = { data: { source: "url", files: [{ url, sha256 }] } };
  expect(problem(training)).toBeUndefined();
  expect(runData(settings(training))).toEqual({
    files: [{ name: "train.npz", sha256, from: { url } }],
    at: { file: "train.npz" },
  });
});

test("data that the nodes have is brought by nobody", () => {
  const training = { dataset: "mnist", data: { source: "node", path: "/data/mnist" } };
  expect(problem(training)).toBeUndefined();
  expect(runData(settings(training))).toEqual({ files: [], at: { node: "/data/mnist" } });
});

test("what can not be used is told with what to do", () => {
  expect(problem({ dataset: "mnist", data: join(folder, "two") })).toBe(
    `"${join(folder, "two")}" must have MNIST's four files, plain or .gz; there is no train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte`,
  );
  const url = "https://example.org/train-images-idx3-ubyte.gz";
  expect(problem({ dataset: "mnist", data: { source: "url", files: [{ url, sha256 }] } })).toBe(
    "the URLs must have MNIST's four files, plain or .gz; there is no train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte",
  );
  expect(problem({ dataset: "mnist", data: join(folder, "two", "a.npy") })).toBe(
    `must be the folder that holds MNIST's four files (given: "${join(folder, "two", "a.npy")}")`,
  );
  expect(problem({ data: folder })).toBe(
    `a folder must hold 1 to 100 files and nothing else (given: "${folder}", with 2); pack them into fewer files, or take {source: node, path} for what the nodes have`,
  );
});

test("MNIST without its files, and a path on the nodes that is none, are refused", () => {
  const told = (training: object) =>
    trainingSchema.safeParse(training).error?.issues.map(({ message }) => message);
  expect(told({ dataset: "mnist" })).toEqual([
    "must say where MNIST's four files are (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, plain or .gz): a folder of this machine, their URLs with SHA-256, or a folder on the nodes",
  ]);
  expect(told({ data: { source: "node", path: "data" } })).toEqual([
    "must be an absolute path on the nodes, e.g. /data/mnist",
  ]);
  expect(told({ data: 7 })).toEqual([
    "must be a path of this machine, {source: upload, path}, {source: url, files: [{url, sha256}]}, or {source: node, path} with an absolute path on the nodes",
  ]);
});

test("text is one file, or what the nodes have: several files would lie beside the script's own", () => {
  const problems = (given: unknown) =>
    fileProblems({ script: { path: "scripts/train/char_lm.py" }, data: given });
  const message =
    "crosszone:training.data: char_lm.py reads one file, or a folder that the nodes have: join the files, or take {source: node, path}";
  const urls = ["a.txt", "b.txt"].map((name) => ({ url: `https://example.org/${name}`, sha256 }));
  expect(problems(join(folder, "two"))).toEqual([message]);
  expect(problems({ source: "url", files: urls })).toEqual([message]);
  expect(problems({ source: "url", files: urls.slice(1) })).toEqual([]);
  expect(problems({ source: "node", path: "/data/text" })).toEqual([]);
  expect(problems(join(folder, "two", "a.npy"))).toEqual([]);
  expect(problems(undefined)).toEqual([]);
});
