/**
 * Replacements of each kind of resource: by force, by a change, cut short, and of what others hold. After each, the whole
 * state is compared with the whole cloud: nothing is lost, doubled or left behind.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { stateFile } from "../../../scripts/dev/state-file.ts";
import { readCheckpoint, type Stored } from "../../harness/checkpoint.ts";
import { root, waitFor } from "../../harness/process.ts";
import { Stack, up } from "../../harness/stack.ts";
import { differencesOf, idsInZone } from "../../harness/whole-cloud.ts";
import { firstId } from "../../local-cloud/support.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
const zone = "gpu1a";
let choice: Readonly<Record<string, unknown>>;
/** What the zone has before the stack. */
let before: string[];
beforeAll(async () => {
  stack = await Stack.here();
  stack.useProgram(join(import.meta.dirname, "program.ts"));
  const { client } = stack.cloud;
  const theirs = await client.done("CreateRouters", { zone, vpc_network: "172.16.0.0/16" });
  choice = { zone, vpcId: firstId(theirs.routers) };
  before = await idsInZone(client, zone);
  stack.configure({ choice });
  await pulumi(...up);
  await expectWhole();
});
afterAll(async () => await stack?.remove());

/** The command on this folder's program instead of the project's. */
async function run(...args: readonly string[]) {
  return await stack.run(...args, ...here(args[0] !== "state"));
}

function here(isConfigured = true): string[] {
  const config = ["--config-file", join(stack.workspace.pulumi, "Pulumi.dev.yaml")];
  return ["-C", join(root, "test", "integration", "replacing"), ...(isConfigured ? config : [])];
}

async function pulumi(...args: readonly string[]): Promise<string> {
  const { code, text } = await run(...args);
  if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${text}`);
  return text;
}

const stored = () =>
  readCheckpoint(stack.workspace).resources.filter(({ type }) => type.startsWith("qingcloud:"));

function urnOf(name: string): string {
  const [found, ...others] = stored().filter(({ urn }) => urn.endsWith(`::${name}`));
  if (found === undefined || others.length > 0) throw new Error(`${others.length} others named ${name}`);
  return found.urn;
}

function editState(edit: (resources: readonly Stored[]) => readonly object[]): void {
  const file = JSON.parse(readFileSync(stateFile(stack.workspace), "utf8"));
  const { latest } = file.checkpoint;
  latest.resources = edit(latest.resources);
  writeFileSync(stateFile(stack.workspace), JSON.stringify(file));
}

const isInCloud = ({ type }: Stored) => type.startsWith("qingcloud:cloud:");

const expectWhole = async () =>
  expect(await differencesOf(stack.cloud.client, [zone], stored(), before)).toEqual([]);

const idsByName = () =>
  Object.fromEntries(stored().map(({ urn, id = "" }) => [urn.split("::").at(-1) ?? "", id]));

/** Names of what has another id afterwards; the same names are there, each once, and the cloud agrees. */
async function replacedBy(work: () => Promise<unknown>): Promise<string[]> {
  const ids = idsByName();
  await work();
  await expectWhole();
  const after = idsByName();
  expect(stored()).toHaveLength(Object.keys(ids).length);
  expect(Object.keys(after).toSorted()).toEqual(Object.keys(ids).toSorted());
  return Object.keys(after)
    .filter((name) => after[name] !== ids[name])
    .toSorted();
}

const byForce = (...names: readonly string[]) => names.flatMap((name) => ["--replace", urnOf(name)]);
function choose(more: object): void {
  choice = { ...choice, ...more };
  stack.configure({ choice });
}
const ofRouter = ["dns", "forward", "gre", "ipsec", "node", "tagged", "vxnet"];

test.each([
  ["what nothing else needs", ["dns", "forward", "gre", "ipsec", "key", "rule"], []],
  ["a node", ["node"], []],
  ["what others need, which are replaced with it", ["vxnet", "tag"], ["node", "tagged"]],
  ["a router with all that is in it", ["router"], ofRouter],
  ["EIPs that are on routers", ["front", "spare"], []],
  ["a volume that is attached", ["volume"], ["attachment"]],
])("--replace of %s makes others, and the old ones go", async (_what, names, more) => {
  const replaced = await replacedBy(() => pulumi(...up, ...byForce(...names)));
  expect(replaced).toEqual([...names, ...more].toSorted());
});

test("--replace of what the cloud would not give up is said to be kept, and is", async () => {
  // Of the list of rules, which goes with its group, no deletion is asked for.
  const names = ["group", "key-pair", "open", "tagged"];
  let text = "";
  const replaced = await replacedBy(async () => {
    text = await pulumi(...up, ...byForce("rules", ...names));
  });
  expect(replaced).toEqual([]);
  const kept = names.map((name) => `${idsByName()[name]} is kept`);
  expect(kept.filter((words) => !text.includes(words))).toEqual([]);
  expect(text).toContain("For another one, change `generation`.");
});

test("what is at something else keeps the id of that, and is there again", async () => {
  expect(await replacedBy(() => pulumi(...up, ...byForce("attachment", "on-theirs")))).toEqual([]);
});

test("another generation takes the place of a key pair and of a group, without a moment without them", async () => {
  choose({
    changed: { "key-pair": { generation: "2" }, group: { generation: "2" }, open: { generation: "2" } },
  });
  const replaced = await replacedBy(() => pulumi(...up));
  expect(replaced).toEqual(["group", "key-pair", "open", "rule", "rules"]);
});

test("changes that the cloud cannot make replace in one up", async () => {
  choose({
    changed: {
      node: { hostname: "other" },
      volume: { sizeGiB: 10, type: 3 },
      router: { vpcNetwork: "192.168.0.0/16", type: 2 },
    },
  });
  const replaced = await replacedBy(() => pulumi(...up));
  expect(replaced).toEqual(
    [...ofRouter, "attachment", "group", "key-pair", "open", "router", "rule", "rules", "volume"].toSorted(),
  );
});

/** Each can go and be made again. */
const replaceable = [
  ...ofRouter,
  "attachment",
  "front",
  "router",
  "rule",
  "spare",
  "tag",
  "volume",
].toSorted();

test("everything that is tainted is replaced by the next up, but for what others hold", async () => {
  editState((resources) => resources.map((each) => (isInCloud(each) ? { ...each, taint: true } : each)));
  expect(await replacedBy(() => pulumi(...up, "--refresh"))).toEqual(replaceable);
});

test.each([
  [
    ["AllocateEips", "CreateVolumes", "CreateTag", "AddSecurityGroupRules"],
    ["front", "rule", "spare", "tag", "volume"],
    ["attachment", "tagged"],
  ],
  [["RunInstances", "AddRouterStatics"], ["dns", "forward", "gre", "ipsec", "node"], []],
  [["CreateVxnets"], ["vxnet"], ["node"]],
  [["CreateRouters"], ["router"], ofRouter],
])("replacements that %s refuses half-way are made by the next up", async (actions, names, more) => {
  const replaced = await replacedBy(async () => {
    for (const action of actions) await stack.cloud.refuse(action);
    const options = ["--continue-on-error", ...byForce(...names), ...here()];
    const { code, text } = await stack.start(...up, ...options).ended;
    expect(code, text).not.toBe(0);
    expect(actions.filter((action) => !text.includes(`${action} was refused`))).toEqual([]);
    await stack.cloud.letGo();
    await pulumi(...up);
  });
  expect(replaced).toEqual([...names, ...more].toSorted());
});

test("replacements that are killed between deletion and creation are made by the next up", async () => {
  const replaced = await replacedBy(async () => {
    const held = ["CreateRouters", "CreateVolumes"];
    for (const action of held) await stack.cloud.hold(action);
    const earlier = stack.cloud.calls().length;
    const killed = stack.start(...up, ...byForce(...replaceable), ...here());
    const made = () =>
      stack.cloud
        .calls()
        .slice(earlier)
        .map(({ action }) => action);
    await waitFor("all that is to be made", () => held.every((action) => made().includes(action)));
    await stack.kill(killed);
    await stack.cloud.letGo();
    const { code, text } = await stack.start(...up, ...here()).ended;
    expect(code, text).toBe(0);
  });
  expect(replaced).toEqual(replaceable);
});

test("--target-replace of a node, with what depends on it, touches nothing else", async () => {
  const target = ["--target-replace", urnOf("node"), "--target-dependents"];
  const replaced = await replacedBy(() => pulumi(...up, ...target));
  expect(replaced).toEqual(["node"]);
});

test("by a class that does not say that the old one must go first, a node is kept", async () => {
  choose({ isPlain: true });
  expect(await replacedBy(() => pulumi(...up, ...byForce("node")))).toEqual([]);
  choose({ isPlain: false });
});

test("an older state is brought up to what the cloud has", async () => {
  const older = readFileSync(stateFile(stack.workspace), "utf8");
  await pulumi(...up, ...byForce("node", "forward", "volume"));
  writeFileSync(stateFile(stack.workspace), older);
  expect(await replacedBy(() => pulumi(...up, "--refresh"))).toEqual([
    "attachment",
    "forward",
    "node",
    "volume",
  ]);
});

/** As a replacement leaves it that has found the old resource, and a CLI that was killed after that. */
function doubleInState(...names: readonly string[]): void {
  const doubled = names.map(urnOf);
  editState((resources) => [
    ...resources,
    ...resources.filter(({ urn }) => doubled.includes(urn)).map((each) => ({ ...each, delete: true })),
  ]);
}

test("what the state holds as living and as to be deleted is not deleted", async () => {
  doubleInState("key-pair", "group", "node", "ipsec", "front");
  await pulumi(...up);
  await expectWhole();
});

test("after all of this there is nothing to change, and destroy leaves what was there before", async () => {
  await pulumi(...up, "--refresh", "--expect-no-changes");
  // The key pair cannot go before the node that holds it: the project's command forgets the entry first.
  doubleInState("key-pair");
  const { code, text } = await stack.start(
    "destroy",
    "--yes",
    "--skip-preview",
    "--color",
    "never",
    ...here(),
  ).ended;
  expect(code, text).toBe(0);
  expect(text).toContain("the state no longer wants");
  expect(await idsInZone(stack.cloud.client, zone)).toEqual(before);
});
