/** Refusals of `npm run train`, on a stack with a run of two ranks whose nodes do not answer. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

const script = join(import.meta.dirname, "..", "..", "..", "scripts", "dev", "train.ts");
let directory: string;

/** Nobody listens at the discard port. */
const rank = (node: string, number: number) => ({
  urn: `urn:pulumi:dev::crosszone::crosszone:training:Training$command:remote:Command::${node}-rank-${number}`,
  type: "command:remote:Command",
  inputs: {
    connection: { host: "127.0.0.1", port: 9, user: "ubuntu", privateKey: "none", hostKey: "none" },
    stdin: JSON.stringify({ runId: "0123456789ab", rank: number, ranks: [number], argv: ["python"] }),
  },
});

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "crosszone-train-"));
  const bin = join(directory, ".pulumi", "bin");
  mkdirSync(bin, { recursive: true });
  const resources = [rank("beijing-1", 0), rank("shanghai-1", 1)];
  writeFileSync(join(directory, "state.json"), JSON.stringify({ deployment: { resources } }));
  // The command asks the CLI for `stack export` alone.
  writeFileSync(join(bin, "pulumi"), `#!/bin/sh\nexec cat '${join(directory, "state.json")}'\n`, {
    mode: 0o755,
  });
});

afterAll(() => rmSync(directory, { recursive: true }));

// The libraries that draw a report take their time to load on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

function train(...args: string[]): Promise<{ code: number; stderr: string }> {
  const env = { ...process.env, CROSSZONE_DIRECTORY: directory, PULUMI_STACK: "dev" };
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], { env }, (error, _, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stderr });
    });
  });
}

test("a rank that does not exist", async () => {
  expect(await train("logs", "--rank", "7")).toEqual({
    code: 2,
    stderr: "train: --rank 7: the run has the ranks 0, 1\n",
  });
});

test("a time that is none", async () => {
  expect(await train("logs", "--since", "soon")).toEqual({
    code: 2,
    stderr: "train: --since soon: must be a number of seconds, minutes or hours, e.g. 30s, 5m, 2h\n",
  });
});

test("a folder for the report that cannot be written, with what to do", async () => {
  const folder = join(directory, "a file");
  writeFileSync(folder, "");
  expect(await train("report", "--output", folder)).toEqual({
    code: 1,
    stderr: `train: the report can not be written to ${folder} (EEXIST); give another folder: --output FOLDER\n`,
  });
});
