import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isBehind } from "../../../scripts/dev/repair-state.ts";
import { backend, stateFile } from "../../../scripts/dev/state-file.ts";
import { restoreState } from "../../../scripts/dev/whole-state.ts";
import type { Workspace } from "../../../scripts/dev/workspace.ts";

let workspace: Workspace;
beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), "whole-state-"));
  workspace = { root, pulumi: join(root, "p"), cloud: join(root, "c"), stack: "dev" };
});
afterEach(() => rmSync(workspace.root, { recursive: true }));

/** A state as the CLI writes it, with so many resources, taken in that minute. */
function stateOf(resources: number, minute: number): string {
  const latest = {
    manifest: { time: `2026-11-30T09:0${minute}:00.123456789Z` },
    resources: Array.from({ length: resources }, (_, index) => ({ urn: `urn:${index}` })),
  };
  return JSON.stringify({ version: 3, checkpoint: { stack: "organization/crosszone/dev", latest } });
}

function put(path: string, text: string): string {
  const file = join(backend(workspace), path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}
const state = "stacks/crosszone/dev.json";
const cut = () => put(state, stateOf(4000, 9).slice(0, 12_288));
const readBack = () => readFileSync(stateFile(workspace), "utf8");

test("a state that is cut off makes way for the newest whole one, and is kept next to it", () => {
  const text = readFileSync(cut(), "utf8");
  const bak = put(`${state}.bak`, stateOf(3, 4));
  put("history/crosszone/dev/dev-1796030822221269800.checkpoint.json", stateOf(2, 2));
  put("history/crosszone/dev/dev-1796030822221269800.history.json", "{}");
  put("backups/crosszone/dev/dev.1796030822223439534.json", stateOf(2, 2));
  put("history/crosszone/other/other-1796030822221269800.checkpoint.json", stateOf(9, 9));
  // When a copy was made says nothing about how new it is.
  utimesSync(bak, 0, 0);
  const [first, second, ...rest] = restoreState(workspace);
  expect(first).toMatch(
    /^the state of stack dev could not be read \(12,288 bytes, not written to its end\). It is kept as /,
  );
  expect(second).toBe(
    `the newest whole state was taken: ${bak} of 2026-11-30T09:04:00.123Z, with 3 resources. What was done later is missing in it: the next \`up\` finds what was made, and continues`,
  );
  expect(rest).toEqual([]);
  expect(readBack()).toBe(stateOf(3, 4));
  const kept = / kept as (\S+)$/.exec(first ?? "")?.[1] ?? "";
  expect(readFileSync(kept, "utf8")).toBe(text);
  expect(readdirSync(dirname(kept)).sort()).toEqual(["dev.json", "dev.json.bak", basename(kept)].sort());
  expect(restoreState(workspace)).toEqual([]);
});

test.each([
  ["empty", ""],
  ["of another kind", "[]"],
])("a state that is %s is replaced from history where the backup is cut off too", (_, text) => {
  put(state, text);
  put(`${state}.bak`, stateOf(4000, 4).slice(0, 4096));
  put("backups/crosszone/dev/dev.1.json", stateOf(1, 1));
  put("history/crosszone/dev/dev-2.checkpoint.json", stateOf(2, 2));
  expect(restoreState(workspace)).toHaveLength(2);
  expect(readBack()).toBe(stateOf(2, 2));
});

test("a state with two living resources of one URN, which the CLI refuses to read, makes way for a sound one", () => {
  const doubled = JSON.parse(stateOf(2, 6)) as { checkpoint: { latest: { resources: object[] } } };
  const { resources } = doubled.checkpoint.latest;
  resources.push({ urn: "urn:1", delete: true });
  put(state, JSON.stringify(doubled));
  expect(restoreState(workspace)).toEqual([]);
  resources.push({ urn: "urn:1" });
  put(state, JSON.stringify(doubled));
  put(`${state}.bak`, JSON.stringify(doubled));
  put("history/crosszone/dev/dev-2.checkpoint.json", stateOf(2, 2));
  expect(restoreState(workspace)[0]).toMatch(
    /could not be read \(\d+ bytes, it has urn:1 twice\)\. It is kept as /,
  );
  expect(readBack()).toBe(stateOf(2, 2));
  // What was done since is not in it.
  expect(isBehind(workspace)).toBe(true);
});

test("a state that was written whole and did not come into its place is the newest", () => {
  cut();
  put(`${state}.bak`, stateOf(3, 4));
  put(`${state}.18acf0b2c1d3e4f5.tmp`, stateOf(4, 5));
  expect(restoreState(workspace)).toHaveLength(2);
  expect(readBack()).toBe(stateOf(4, 5));
});

test("without any whole state the command ends, says what to do, and nothing changes", () => {
  const path = cut();
  expect(() => restoreState(workspace)).toThrow(
    `the state of stack dev cannot be read (${path}, 12,288 bytes, not written to its end), and no earlier whole one is there. Put a copy of yours in its place`,
  );
  expect(readdirSync(dirname(path))).toEqual(["dev.json"]);
});

test("nothing is done to a whole state, to a stack that is locked, and where there is none", () => {
  expect(restoreState(workspace)).toEqual([]);
  put(`${state}.bak`, stateOf(3, 4));
  expect(restoreState(workspace)).toEqual([]);
  cut();
  const lock = put("locks/organization/crosszone/dev/1234.json", "{}");
  expect(restoreState(workspace)).toEqual([]);
  rmSync(lock);
  put(state, JSON.stringify({ version: 3, checkpoint: { stack: "dev", latest: null } }));
  expect(restoreState(workspace)).toEqual([]);
});

test("what an interrupted writing left, and stands in the way or takes room, is removed", () => {
  put(state, stateOf(1, 1));
  put(`${state}.18acf0b2c1d3e4f5.tmp`, "");
  put(`${state}.18acf0b2c1d3e4f6.tmp`, stateOf(1, 1).slice(0, 20));
  put("meta.yaml", "");
  expect(restoreState(workspace)).toEqual([
    "removed dev.json.18acf0b2c1d3e4f5.tmp, whose writing was cut off",
    "removed dev.json.18acf0b2c1d3e4f6.tmp, whose writing was cut off",
    "removed meta.yaml, whose writing was cut off",
  ]);
  put("meta.yaml", "version: 1\n");
  expect(restoreState(workspace)).toEqual([]);
});
