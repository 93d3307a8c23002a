import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import {
  forgetCutOff,
  isBehind,
  isRefreshing,
  keptDeletions,
  moveCutOff,
  noteCutOff,
  pendingCreates,
  refreshAfterCut,
  refuseDoubled,
} from "../../../scripts/dev/repair-state.ts";
import { stateFile } from "../../../scripts/dev/state-file.ts";
import type { Workspace } from "../../../scripts/dev/workspace.ts";

test("pending creates are found in the state; an update that was cut off makes the next up look first, unless it does anyway", () => {
  const root = mkdtempSync(join(tmpdir(), "repair-state-"));
  try {
    const workspace: Workspace = { root, pulumi: join(root, "p"), cloud: join(root, "c"), stack: "dev" };
    expect(pendingCreates(workspace)).toEqual([]);
    noteCutOff(workspace);
    expect(refreshAfterCut(["up"], workspace)).toEqual([]);
    mkdirSync(dirname(stateFile(workspace)), { recursive: true });
    const pending_operations = [
      { type: "creating", resource: { urn: "urn:a" } },
      { type: "updating", resource: { urn: "urn:b" } },
    ];
    writeFileSync(stateFile(workspace), JSON.stringify({ checkpoint: { latest: { pending_operations } } }));
    expect(pendingCreates(workspace)).toEqual(["urn:a"]);
    noteCutOff(workspace);
    // The next command that writes the state leaves none.
    writeFileSync(stateFile(workspace), JSON.stringify({ checkpoint: { latest: {} } }));
    expect(isBehind(workspace)).toBe(true);
    noteCutOff(workspace);
    expect(refreshAfterCut(["up", "--yes"], workspace)).toEqual(["--refresh"]);
    for (const asked of ["--refresh", "--refresh=false", "-r", "--replace", "--target=URN"])
      expect(refreshAfterCut(["up", asked], workspace)).toEqual([]);
    const live = { ...workspace, stack: "live" };
    moveCutOff(workspace, "live");
    expect([workspace, live].map((each) => refreshAfterCut(["up"], each))).toEqual([[], ["--refresh"]]);
    moveCutOff(workspace, "other");
    forgetCutOff(live);
    expect(refreshAfterCut(["up"], live)).toEqual([]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("two names of one id are refused to a run with --target, with what to do; what is being replaced is none of them", () => {
  const root = mkdtempSync(join(tmpdir(), "repair-state-"));
  try {
    const workspace: Workspace = { root, pulumi: join(root, "p"), cloud: join(root, "c"), stack: "dev" };
    mkdirSync(dirname(stateFile(workspace)), { recursive: true });
    const node = (name: string, more: object = {}) => ({
      urn: `urn:pulumi:dev::crosszone::qingcloud:cloud:Instance::${name}`,
      ...{ type: "qingcloud:cloud:Instance", id: "i-1", ...more },
    });
    const write = (...resources: object[]) =>
      writeFileSync(stateFile(workspace), JSON.stringify({ checkpoint: { latest: { resources } } }));
    const list = (name: string) => node(name, { type: "qingcloud:cloud:SecurityGroupRules", id: "sg-1/a" });
    write(
      ...[node("one"), node("one", { delete: true }), node("two", { id: "i-2" }), list("a"), list("b")],
      ...[node("three", { external: true }), node("four", { pendingReplacement: true })],
    );
    refuseDoubled(workspace);
    write(node("one"), node("two"));
    expect(() => refuseDoubled(workspace)).toThrow(
      "The state has i-1 twice, as one and as two, so a run with --target or --exclude could delete what the other one has. Run `up` as a whole with one of them in the program, or take one out of the state, which deletes nothing: npm run pulumi -- state delete 'urn:pulumi:dev::crosszone::qingcloud:cloud:Instance::two'",
    );
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("what is to be deleted although the same id of its type lives is found, also under another name", () => {
  const [type, other] = ["qingcloud:cloud:KeyPair", "qingcloud:cloud:Instance"];
  const resources = [
    { urn: "urn:stack", type: "pulumi:pulumi:Stack" },
    { urn: "urn:a", type, id: "kp-1" },
    { urn: "urn:a", type, id: "kp-1", delete: true },
    { urn: "urn:old-a", type, id: "kp-1", delete: true },
    { urn: "urn:a", type, id: "kp-0", delete: true },
    { urn: "urn:b", type: other, id: "kp-1", delete: true },
    { urn: "urn:c", type: "component", delete: true },
  ];
  expect(keptDeletions({ resources }).map(({ urn }) => urn)).toEqual(["urn:a", "urn:old-a"]);
  expect(keptDeletions({})).toEqual([]);
});

test.each([
  [["up", "--refresh"], true],
  [["up", "--yes", "-r"], true],
  [["preview", "--refresh=true"], true],
  [["up", "--refresh=false"], false],
  [["up", "--yes"], false],
])("whether %j compares state and cloud first: %j", (args, answer) => {
  expect(isRefreshing(args)).toBe(answer);
});
