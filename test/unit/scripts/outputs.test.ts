import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stackOutputs } from "../../../scripts/dev/outputs.ts";
import { backendUrl } from "../../../scripts/dev/stack.ts";
import { stateFile } from "../../../scripts/dev/state-file.ts";
import { findWorkspace, type Workspace } from "../../../scripts/dev/workspace.ts";

let directory: string;
let workspace: Workspace;
/** The environment of a CLI that knows other outputs. */
let environment: NodeJS.ProcessEnv;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "crosszone-outputs-"));
  workspace = findWorkspace({ CROSSZONE_DIRECTORY: directory, PULUMI_STACK: "dev" });
  writeFileSync(join(directory, "pulumi"), `#!/bin/sh\necho '{"asked":"'"$*"'"}'\n`, { mode: 0o755 });
  environment = { PATH: `${directory}:${process.env.PATH}`, PULUMI_BACKEND_URL: backendUrl(workspace) };
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function writeState(latest: object | null): void {
  mkdirSync(dirname(stateFile(workspace)), { recursive: true });
  writeFileSync(stateFile(workspace), JSON.stringify({ version: 3, checkpoint: { stack: "dev", latest } }));
}

test("outputs are read from the state of this checkout, secrets hidden at any depth", async () => {
  const secret = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    ciphertext: "v1:a",
  };
  const outputs = { zones: [{ name: "beijing", key: secret }], operatorKey: secret, training: null };
  writeState({
    resources: [
      { type: "qingcloud:cloud:Eip", outputs: { address: "198.51.100.10" } },
      { type: "pulumi:pulumi:Stack", outputs },
    ],
  });
  expect(await stackOutputs(workspace, environment)).toEqual({
    zones: [{ name: "beijing", key: "[secret]" }],
    operatorKey: "[secret]",
    training: null,
  });
});

test("a stack without resources has no outputs", async () => {
  writeState(null);
  expect(await stackOutputs(workspace, environment)).toEqual({});
});

test("where the state is elsewhere the CLI is asked", async () => {
  const elsewhere = { ...environment, PULUMI_BACKEND_URL: "s3://states" };
  expect(await stackOutputs(workspace, elsewhere)).toEqual({ asked: "stack output --json" });
});
