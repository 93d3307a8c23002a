/** The mark of a whole stack: whatever is done to it, what bears it and is in no state goes with the stack, and nothing before. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Stack, up } from "../harness/stack.ts";
import { differencesOf, idsInZones } from "../harness/whole-cloud.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const zoneIds = ["gpu1a", "gpu2a"] as const;
const destroy = ["destroy", "--yes", "--skip-preview", "--non-interactive", "--color", "never"] as const;
const idsOf = async () => await idsInZones(stack.cloud.client, zoneIds);
const differences = (expected: readonly string[]) =>
  differencesOf(stack.cloud.client, zoneIds, stack.resources(), expected);
const urnOf = (type: string, name = "") =>
  stack.resources(`:${type}`).find(({ urn }) => urn.includes(`::${name}`))?.urn ?? "";
const idOf = (type: string, name: string) =>
  stack.resources(`:${type}`).find(({ urn }) => urn.endsWith(`::${name}`))?.id ?? "";

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
let before: string[];
beforeAll(async () => {
  stack = await Stack.here();
  before = await idsOf();
  await stack.ok(...up);
});
afterAll(async () => await stack?.remove());

/** An EIP that a killed run has made. @returns its id */
async function makeStray(): Promise<string> {
  const mark = stack.resources(":StackMark")[0]?.id;
  const { eips } = await stack.cloud.client.ok("AllocateEips", {
    ...{ bandwidth: "1", eip_name: `beijing-${mark}-12345678` },
  });
  return (eips as string[])[0] ?? "";
}

test("--replace of the mark gives everything names of the new one, and keeps each id", async () => {
  const ids = stack.resources().map(({ type, id }) => [type, id]);
  const kept = ids.filter(([type]) => type !== "qingcloud:state:StackMark");
  const mark = stack.resources(":StackMark")[0]?.id;
  await stack.ok(...up, "--replace", urnOf("StackMark"));
  expect(stack.resources(":StackMark").map(({ id }) => id)).not.toEqual([mark]);
  const now = stack.resources().map(({ type, id }) => [type, id]);
  expect(now).toEqual(expect.arrayContaining(kept));
  expect(now.length).toBe(ids.length);
  expect(await differences(before)).toEqual([]);
  await stack.noChanges();
});

test("--replace of the mark does not forget what a killed run has left under the old one", async () => {
  const stray = await makeStray();
  const replaced = await stack.run(...up, "--replace", urnOf("StackMark"));
  expect(replaced.code).not.toBe(0);
  expect(replaced.text).toContain("are in no state, and stay: Eip ");
  expect(replaced.text).toContain("npm run sweep -- --yes");
  expect(await differences([...before, stray])).toEqual([]);
  const swept = await stack.command("sweep", "--yes").ended;
  expect([swept.code, swept.text]).toEqual([0, expect.stringContaining("1 removed")]);
  await stack.ok(...up);
  expect(stack.resources(":StackMark")).toHaveLength(1);
  expect(await differences(before)).toEqual([]);
  await stack.noChanges();
});

test("what one resource has is not deleted for another one of its kind: an import under a second name, a name that was changed in the state", async () => {
  const eip = `gpu1a/${idOf("Eip", "beijing")}`;
  const options = ["--yes", "--skip-preview", "--generate-code=false", "--protect=false"];
  const imported = await stack.run("import", "qingcloud:cloud:Eip", "extra", eip, ...options);
  expect(imported.code, imported.text).toBe(0);
  await stack.ok("state", "rename", urnOf("Instance", "beijing-1"), "other", "--yes");
  const node = idOf("Instance", "other");
  const said = await stack.ok(...up);
  expect(said).toContain(`${idOf("Eip", "beijing")} is kept: beijing has it.`);
  expect(said).toContain(`${node} is kept: beijing-1 has it.`);
  expect(idOf("Instance", "beijing-1")).toBe(node);
  expect(await differences(before)).toEqual([]);
  await stack.noChanges();
});

test("while a resource is protected the mark stays, and what no state knows; then both go", async () => {
  const stray = await makeStray();
  const eip = urnOf("Eip");
  await stack.ok("state", "protect", "--yes", eip);
  const refused = await stack.run(...destroy);
  expect(refused.code, refused.text).not.toBe(0);
  expect(refused.text).toMatch(/cannot be deleted\n?.*protected/s);
  expect(stack.resources(":StackMark").length).toBe(1);
  expect(await differences([...before, stray])).toEqual([]);

  // As the project's command runs it, which says that a part of the state stays.
  const rest = await stack.start(...destroy, "--exclude-protected").ended;
  expect(rest.code, rest.text).toBe(0);
  const types = stack.resources().map(({ type }) => type.split(":").at(-1));
  expect(types.toSorted()).toEqual(["Eip", "StackMark"]);
  expect(await differences([...before, stray])).toEqual([]);

  await stack.ok("state", "unprotect", "--yes", eip);
  await stack.ok(...destroy);
  expect(await idsOf()).toEqual(before);
});
