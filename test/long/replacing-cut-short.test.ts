/** Replacements that are refused half-way, or killed between deletion and creation: the next `up` makes each once. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitFor } from "../harness/process.ts";
import { up } from "../harness/stack.ts";
import { ofRouter, Replacing, replaceable } from "../integration/replacing/life.ts";

/** Every test goes on from the one before: the life of one stack. */
let life: Replacing;
beforeAll(async () => {
  life = await Replacing.start();
});
afterAll(async () => await life?.stack.remove());

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
  const replaced = await life.replacedBy(async () => {
    for (const action of actions) await life.stack.cloud.refuse(action);
    const options = ["--continue-on-error", ...life.byForce(...names), ...life.here()];
    const { code, text } = await life.stack.start(...up, ...options).ended;
    expect(code, text).not.toBe(0);
    expect(actions.filter((action) => !text.includes(`${action} was refused`))).toEqual([]);
    await life.stack.cloud.letGo();
    await life.pulumi(...up);
  });
  expect(replaced).toEqual([...names, ...more].toSorted());
});

test("replacements that are killed between deletion and creation are made by the next up", async () => {
  const replaced = await life.replacedBy(async () => {
    const held = ["CreateRouters", "CreateVolumes"];
    for (const action of held) await life.stack.cloud.hold(action);
    const earlier = life.stack.cloud.calls().length;
    const killed = life.stack.start(...up, ...life.byForce(...replaceable), ...life.here());
    const made = () =>
      life.stack.cloud
        .calls()
        .slice(earlier)
        .map(({ action }) => action);
    await waitFor("all that is to be made", () => held.every((action) => made().includes(action)));
    await life.stack.kill(killed);
    await life.stack.cloud.letGo();
    const { code, text } = await life.stack.start(...up, ...life.here()).ended;
    expect(code, text).toBe(0);
  });
  expect(replaced).toEqual(replaceable);
});
