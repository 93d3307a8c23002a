/** The mark of a whole stack: whatever is done to it, what bears it and is in no state goes with the stack, and nothing before. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Stack, up } from "../harness/stack.ts";
import { differencesOf, idsInZone } from "../harness/whole-cloud.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const zoneIds = ["gpu1a", "gpu2a"] as const;
const destroy = ["destroy", "--yes", "--skip-preview", "--non-interactive", "--color", "never"] as const;
const idsOf = async () =>
  (await Promise.all(zoneIds.map((zone) => idsInZone(stack.cloud.client, zone)))).flat();
const differences = (expected: readonly string[]) =>
  differencesOf(stack.cloud.client, zoneIds, stack.resources(), expected);
const urnOf = (type: string) => stack.resources(`:${type}`)[0]?.urn ?? "";

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

test("while a resource is protected the mark stays, and what no state knows; then both go", async () => {
  const stray = await makeStray();
  const eip = urnOf("Eip");
  await stack.ok("state", "protect", "--yes", eip);
  const refused = await stack.run(...destroy);
  expect(refused.code, refused.text).not.toBe(0);
  expect(refused.text).toMatch(/cannot be deleted\n?.*protected/s);
  expect(stack.resources(":StackMark").length).toBe(1);
  expect(await differences([...before, stray])).toEqual([]);

  await stack.ok(...destroy, "--exclude-protected");
  const types = stack.resources().map(({ type }) => type.split(":").at(-1));
  expect(types.toSorted()).toEqual(["Eip", "StackMark"]);
  expect(await differences([...before, stray])).toEqual([]);

  await stack.ok("state", "unprotect", "--yes", eip);
  await stack.ok(...destroy);
  expect(await idsOf()).toEqual(before);
});
