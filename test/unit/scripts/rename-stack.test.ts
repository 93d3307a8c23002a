import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { moveSettings, newNameIn, removedIn, removeSettings } from "../../../scripts/dev/rename-stack.ts";
import { refreshAfterCut } from "../../../scripts/dev/repair-state.ts";
import { baseConfig, workingConfig, writeWorkingConfig } from "../../../scripts/dev/stack.ts";
import type { Workspace } from "../../../scripts/dev/workspace.ts";

let workspace: Workspace;
beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), "rename-"));
  workspace = { root: directory, pulumi: join(directory, "p"), cloud: join(directory, "c"), stack: "dev" };
  mkdirSync(workspace.pulumi);
});
afterEach(() => rmSync(workspace.root, { recursive: true }));

test.each([
  [["stack", "rename", "live"], "live"],
  [["--stack", "prod", "stack", "rename", "organization/crosszone/live"], "live"],
  [["stack", "rename", "live", "-s", "prod"], "live"],
  [["stack", "rename"], undefined],
  [["stack", "rename", "live", "--help"], undefined],
  [["stack", "ls"], undefined],
  [["state", "rename", "urn:a", "b"], undefined],
])("the new name in %j is %j", (args, name) => {
  expect(newNameIn(args)).toBe(name);
});

test.each([
  [["stack", "rm"], "dev"],
  [["stack", "remove", "live", "--yes"], "live"],
  [["--color", "never", "stack", "delete", "organization/crosszone/live"], "live"],
  [["stack", "rm", "--help"], undefined],
  [["stack", "rename", "rm"], undefined],
  [["config", "rm", "x"], undefined],
])("the stack that %j removes is %j", (args, name) => {
  expect(removedIn(args, workspace)).toBe(name);
});

test("the working settings of a stack that is removed go; the committed ones and those of others stay", () => {
  const committed = join(workspace.root, "Pulumi.dev.yaml");
  writeFileSync(committed, stringify({ config: { shared: 1 } }));
  const other = { ...workspace, stack: "live" };
  for (const each of [workspace, other]) {
    writeWorkingConfig(each, {});
    writeFileSync(join(workspace.pulumi, `${each.stack}.is-behind`), "");
  }
  removeSettings(workspace, "dev");
  const paths = [committed, ...[workspace, other].flatMap((each) => [workingConfig(each), baseConfig(each)])];
  expect(paths.map((path) => existsSync(path))).toEqual([true, false, false, true, true]);
  expect([workspace, other].map((each) => refreshAfterCut(["up"], each))).toEqual([[], ["--refresh"]]);
});

test("the settings of a stack go with it to its new name, all of them, and what was there is kept", () => {
  const committed = { "crosszone:zones": [{ name: "a" }], shared: 1 };
  writeFileSync(join(workspace.root, "Pulumi.dev.yaml"), stringify({ config: committed }));
  const path = writeWorkingConfig(workspace, { "qingcloud:configFile": "/x" });
  const file = parse(readFileSync(path, "utf8"));
  writeFileSync(path, stringify({ encryptionsalt: "s", config: { ...file.config, mine: true } }));
  const live = { ...workspace, stack: "live" };
  writeFileSync(workingConfig(live), "config: {left: 1}\n");
  writeFileSync(baseConfig(live), stringify({ config: committed }));

  writeFileSync(join(workspace.pulumi, "dev.is-behind"), "");

  const said = moveSettings(workspace, "live");
  expect(said[0]).toBe(`settings that an earlier stack live had are kept as ${workingConfig(live)}.before`);
  expect(said[1]).toContain("npm run pulumi -- up --stack live");
  expect(readFileSync(`${workingConfig(live)}.before`, "utf8")).toBe("config: {left: 1}\n");
  expect([existsSync(path), existsSync(baseConfig(workspace))]).toEqual([false, false]);
  expect(refreshAfterCut(["up"], live)).toEqual(["--refresh"]);
  for (const _ of ["first", "second"]) {
    writeWorkingConfig(live);
    expect(parse(readFileSync(workingConfig(live), "utf8"))).toEqual({
      encryptionsalt: "s",
      config: { ...committed, "qingcloud:configFile": "/x", mine: true },
    });
  }
});

test("a stack that keeps its name keeps its settings", () => {
  const path = writeWorkingConfig(workspace);
  expect(moveSettings(workspace, "dev")).toEqual([]);
  expect(existsSync(path)).toBe(true);
});
