/** Updates that fail at any of their calls: the next run ends them, or undoes them where the program takes them back. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Account, failureOf, halfMadeOf } from "../../harness/account.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import { kindOf, kinds } from "./kinds.ts";
import { Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let account: Account;
let grounds: Grounds;
let plugin: Plugin;
beforeAll(async () => {
  account = await Account.start();
  [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
});
afterAll(async () => await account?.stop());

const updates = kinds.flatMap(({ type, updated }) =>
  [...new Set(updated)].map((action) => [type, action] as const),
);

test.each(
  updates.flatMap(([type, action]) =>
    (["ended", "taken back"] as const).map((next) => [type, action, next] as const),
  ),
)("%s: an update whose %s is refused is %s by the next run", async (type, action, next) => {
  const kind = kindOf(type);
  const around = await grounds.around(kind);
  const made = await plugin.create(urnOf(`cloud:${type}`, `cut-${around.number}`), kind.inputs(around));
  const changed = { ...made.inputs, ...kind.changed?.(around) };
  await account.cloud.fault({ action, kind: "refuse", code: 1200, message: "no" });
  const error = await failureOf(plugin.update(made, changed));
  expect(error.message).toContain(`${action} was refused with 1200`);
  const cut = halfMadeOf(error);
  expect(cut.inputs).toEqual(changed);
  await plugin.nextRun();
  const wanted = next === "ended" ? changed : made.inputs;
  const updated = await plugin.update(cut, wanted);
  expect(updated.inputs).toEqual(wanted);
  expect(await plugin.read(updated)).toEqual(updated);
  await plugin.delete(updated);
});
