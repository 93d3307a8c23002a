import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keptSingleRules } from "../../../scripts/dev/single-rules.ts";
import { stateFile } from "../../../scripts/dev/state-file.ts";
import type { Workspace } from "../../../scripts/dev/workspace.ts";

let workspace: Workspace;
beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), "single-rules-"));
  workspace = { root: directory, pulumi: join(directory, "p"), cloud: join(directory, "c"), stack: "dev" };
  mkdirSync(dirname(stateFile(workspace)), { recursive: true });
});
afterEach(() => rmSync(workspace.root, { recursive: true }));

const urnOf = (type: string, name: string) =>
  `urn:pulumi:dev::crosszone::Zone$qingcloud:cloud:${type}::${name}`;
function writeState(...resources: readonly (readonly [type: string, name: string])[]): void {
  const stored = resources.map(([type, name]) => ({
    type: `qingcloud:cloud:${type}`,
    urn: urnOf(type, name),
  }));
  writeFileSync(stateFile(workspace), JSON.stringify({ checkpoint: { latest: { resources: stored } } }));
}
const rules = [
  ["SecurityGroupRule", "beijing-esp-from-tianjin"],
  ["SecurityGroupRules", "beijing-peers"],
  ["SecurityGroupRule", "beijing-tcp-2201-from-203.0.113.1/32"],
] as const;

test.each([
  [["up", "--target", "urn:x"]],
  [["up", "--target=urn:x"]],
  [["preview", "-t", "urn:x"]],
  [["up", "--target-replace", "urn:x"]],
  [["up", "--exclude", "urn:x"]],
  [["up", "-turn:x"]],
  [["destroy", "--exclude-protected"]],
])("%j keeps the resources of single rules that the state has", (args) => {
  writeState(...rules);
  expect(keptSingleRules(args, workspace)).toEqual({
    CROSSZONE_SINGLE_RULES: "beijing-esp-from-tianjin beijing-tcp-2201-from-203.0.113.1/32",
  });
});

test.each([[["up"]], [["up", "--target-dependents"]], [["up", "--yes", "-s", "dev"]]])(
  "%j is for the whole stack, and keeps none",
  (args) => {
    writeState(...rules);
    expect(keptSingleRules(args, workspace)).toEqual({});
  },
);

test("a state without single rules, and no state, have none to keep", () => {
  expect(keptSingleRules(["up", "--target", "urn:x"], workspace)).toEqual({});
  writeState(["SecurityGroupRules", "beijing-peers"]);
  expect(keptSingleRules(["up", "--target", "urn:x"], workspace)).toEqual({});
});
