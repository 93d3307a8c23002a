/** A job that fails: what is gone leaves nothing in state, what remains is kept half made and finished by the next run. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Account, changesOf, failureOf, halfMadeOf } from "../../harness/account.ts";
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

/** Makes one while a job of it fails. */
async function makeFailing(type: string, action: string) {
  const kind = kindOf(type);
  const around = await grounds.around(kind);
  const urn = urnOf(`cloud:${type}`, `failed-${around.number}`);
  const inputs = kind.inputs(around);
  await account.cloud.fault({ action, kind: "fail-job", code: 5200, message: "no host" });
  const { result: error, calls } = await account.watch(() => failureOf(plugin.create(urn, inputs)));
  expect(error.message).toMatch(new RegExp(`^Job j-\\w+, ${action} of .+, ended as failed \\(5200\\)\\.$`));
  return { kind, urn, inputs, error, calls };
}

test.each([
  ["Vpc", "CreateRouters"],
  ["Instance", "RunInstances"],
  ["Volume", "CreateVolumes"],
  ["VolumeAttachment", "AttachVolumes"],
])("%s: a failed %s leaves nothing in state, and the next run makes it", async (type, action) => {
  const { kind, urn, inputs, error, calls } = await makeFailing(type, action);
  expect(error.name).toBe("Error");
  expect(changesOf(calls)).toEqual([action]);
  const { result: made, calls: second } = await account.watch(() => plugin.create(urn, inputs));
  expect(changesOf(second)).toEqual(kind.created);
  expect(await plugin.read(made)).toEqual(made);
});

const remaining = kinds.flatMap((kind) =>
  kind.created
    .filter((action) => /^(UpdateRouters|ApplySecurityGroup|JoinRouter)$/.test(action))
    .map((action) => [kind.type, action] as const),
);
test.each(remaining)(
  "%s: a failed %s keeps it half made, and the next run finishes it by that",
  async (type, action) => {
    const { kind, inputs, error, calls } = await makeFailing(type, action);
    const halfMade = halfMadeOf(error);
    expect(changesOf(calls)).toEqual(kind.created);
    expect(halfMade.inputs).toEqual(inputs);
    const { result: finished, calls: second } = await account.watch(() => plugin.update(halfMade, inputs));
    expect(changesOf(second)).toEqual([action]);
    expect(finished.id).toBe(halfMade.id);
    expect(await plugin.read(finished)).toEqual(finished);
    await plugin.delete(finished);
  },
);
