/**
 * Replacements of each kind of resource: by force, by a change, and of what others hold. After each, the whole state is
 * compared with the whole cloud: nothing is lost, doubled or left behind. Those that are cut short are in test/long.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { stateFile } from "../../../scripts/dev/state-file.ts";
import type { Stored } from "../../harness/checkpoint.ts";
import { up } from "../../harness/stack.ts";
import { ofRouter, Replacing, replaceable } from "./life.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** Every test goes on from the one before: the life of one stack. */
let life: Replacing;
beforeAll(async () => {
  life = await Replacing.start();
});
afterAll(async () => await life?.stack.remove());

const isInCloud = ({ type }: Stored) => type.startsWith("qingcloud:cloud:");

test.each([
  ["what nothing else needs", ["dns", "forward", "gre", "ipsec", "key", "rule"], []],
  ["a node", ["node"], []],
  ["what others need, which are replaced with it", ["vxnet", "tag"], ["node", "tagged"]],
  ["a router with all that is in it", ["router"], ofRouter],
  ["EIPs that are on routers", ["front", "spare"], []],
  ["a volume that is attached", ["volume"], ["attachment"]],
])("--replace of %s makes others, and the old ones go", async (_what, names, more) => {
  const replaced = await life.replacedBy(() => life.pulumi(...up, ...life.byForce(...names)));
  expect(replaced).toEqual([...names, ...more].toSorted());
});

test("--replace of what the cloud would not give up is said to be kept, and is", async () => {
  // Of the list of rules, which goes with its group, no deletion is asked for.
  const names = ["group", "key-pair", "open", "tagged"];
  let text = "";
  const replaced = await life.replacedBy(async () => {
    text = await life.pulumi(...up, ...life.byForce("rules", ...names));
  });
  expect(replaced).toEqual([]);
  const kept = names.map((name) => `${life.idsByName()[name]} is kept`);
  expect(kept.filter((words) => !text.includes(words))).toEqual([]);
  expect(text).toContain("For another one, change `generation`.");
});

test("what is at something else keeps the id of that, and is there again", async () => {
  expect(await life.replacedBy(() => life.pulumi(...up, ...life.byForce("attachment", "on-theirs")))).toEqual(
    [],
  );
});

test("another generation takes the place of a key pair and of a group, without a moment without them", async () => {
  life.choose({
    changed: { "key-pair": { generation: "2" }, group: { generation: "2" }, open: { generation: "2" } },
  });
  const replaced = await life.replacedBy(() => life.pulumi(...up));
  expect(replaced).toEqual(["group", "key-pair", "open", "rule", "rules"]);
});

test("changes that the cloud cannot make replace in one up", async () => {
  life.choose({
    changed: {
      node: { hostname: "other" },
      volume: { sizeGiB: 10, type: 3 },
      router: { vpcNetwork: "192.168.0.0/16", type: 2 },
    },
  });
  const replaced = await life.replacedBy(() => life.pulumi(...up));
  expect(replaced).toEqual(
    [...ofRouter, "attachment", "group", "key-pair", "open", "router", "rule", "rules", "volume"].toSorted(),
  );
});

test("everything that is tainted is replaced by the next up, but for what others hold", async () => {
  life.editState((resources) => resources.map((each) => (isInCloud(each) ? { ...each, taint: true } : each)));
  expect(await life.replacedBy(() => life.pulumi(...up, "--refresh"))).toEqual(replaceable);
});

test("--target-replace of a node, with what depends on it, touches nothing else", async () => {
  const target = ["--target-replace", life.urnOf("node"), "--target-dependents"];
  const replaced = await life.replacedBy(() => life.pulumi(...up, ...target));
  expect(replaced).toEqual(["node"]);
});

test("by a class that does not say that the old one must go first, a node is kept", async () => {
  life.choose({ isPlain: true });
  expect(await life.replacedBy(() => life.pulumi(...up, ...life.byForce("node")))).toEqual([]);
  life.choose({ isPlain: false });
});

test("an older state is brought up to what the cloud has", async () => {
  const older = readFileSync(stateFile(life.stack.workspace), "utf8");
  await life.pulumi(...up, ...life.byForce("node", "forward", "volume"));
  writeFileSync(stateFile(life.stack.workspace), older);
  expect(await life.replacedBy(() => life.pulumi(...up, "--refresh"))).toEqual([
    "attachment",
    "forward",
    "node",
    "volume",
  ]);
});

/** As a replacement leaves it that has found the old resource, and a CLI that was killed after that. */
function doubleInState(...names: readonly string[]): void {
  const doubled = names.map((name) => life.urnOf(name));
  life.editState((resources) => [
    ...resources,
    ...resources.filter(({ urn }) => doubled.includes(urn)).map((each) => ({ ...each, delete: true })),
  ]);
}

test("what the state holds as living and as to be deleted is not deleted", async () => {
  doubleInState("key-pair", "group", "node", "ipsec", "front");
  await life.pulumi(...up);
  await life.expectWhole();
});

test("after all of this there is nothing to change, and destroy leaves what was there before", async () => {
  await life.pulumi(...up, "--refresh", "--expect-no-changes");
  // The key pair cannot go before the node that holds it: the project's command forgets the entry first.
  doubleInState("key-pair");
  const { code, text } = await life.stack.start(
    "destroy",
    "--yes",
    "--skip-preview",
    "--color",
    "never",
    ...life.here(),
  ).ended;
  expect(code, text).toBe(0);
  expect(text).toContain("the state no longer wants");
  expect(await life.idsInCloud()).toEqual(life.before);
});
