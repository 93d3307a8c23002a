/** What one resource may hold at most: told with its numbers, at once, and nothing is changed. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Properties } from "../../../provider/rpc/values.ts";
import { Account, changesOf, failureOf, own, zone } from "../../harness/account.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import { Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let account: Account;
let grounds: Grounds;
let plugin: Plugin;
let volumes: string[];
beforeAll(async () => {
  account = await Account.start();
  [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
  volumes = (await account.client.done("CreateVolumes", { count: "21", size: "10" })).volumes as string[];
  const at = grounds.shared.instance;
  const ten = Object.fromEntries(volumes.slice(0, 10).map((id, index) => [`volumes.${index + 1}`, id]));
  await account.client.done("AttachVolumes", { instance: at, ...ten });
  const rule = (index: number) => ({
    [`rules.${index}.protocol`]: "tcp",
    [`rules.${index}.priority`]: "1",
    [`rules.${index}.val1`]: String(index),
  });
  const hundred = Array.from({ length: 100 }, (_, index) => rule(index + 1));
  const request = { security_group: grounds.shared.group, ...Object.assign({}, ...hundred) };
  await account.client.ok("AddSecurityGroupRules", request as Record<string, string>);
});
afterAll(async () => await account?.stop());

const server = (): Properties => ({
  ...own,
  imageId: "img-bare",
  instanceType: "c1m1",
  vxnetId: grounds.shared.vxnet,
  keypairId: grounds.shared.keyPair,
});
const esp = { protocol: "esp", priority: 0, action: "accept", direction: 0 };
const exhausted = (of: string, numbers: string) =>
  `The limit of ${of} in zone gpu1a is exhausted: ${numbers}. Take away what is not needed there, or ask QingCloud for more.`;

/** A create that is refused so. */
async function expectRefused(type: string, inputs: Properties, message: string | RegExp, calls: string[]) {
  const made = account.callsBy(async () => {
    const error = await failureOf(plugin.create(urnOf(`cloud:${type}`, `limit-${type}`), inputs));
    if (typeof message === "string") expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
  });
  expect(changesOf(await made)).toEqual(calls);
}

test("an eleventh volume is not attached", async () => {
  const instanceId = grounds.shared.instance;
  await expectRefused(
    "VolumeAttachment",
    { zone, volumeId: volumes[10] ?? "", instanceId },
    exhausted(`instance ${instanceId}`, "max_volume_per_inst (11 wanted, 10 allowed)"),
    ["AttachVolumes 2500"],
  );
});

test("an instance is not made, nor changed, with eleven volumes", async () => {
  const eleven = volumes.slice(10);
  await expectRefused(
    "Instance",
    { ...server(), volumeIds: eleven },
    /^The limit of instance "limit-Instance-0badcafe-\w+" in zone gpu1a is exhausted: max_volume_per_inst \(11 wanted, 10 allowed\)\. /,
    ["RunInstances 2500"],
  );
  const made = await plugin.create(urnOf("cloud:Instance", "limited"), server());
  const error = await failureOf(plugin.update(made, { ...server(), volumeIds: eleven }));
  expect(error.message).toBe(exhausted(`instance ${made.id}`, "max_volume_per_inst (11 wanted, 10 allowed)"));
  expect(await plugin.read(made)).toEqual(made);
});

test("a rule beside a hundred others is not added", async () => {
  const securityGroupId = grounds.shared.group;
  await expectRefused(
    "SecurityGroupRule",
    { ...own, securityGroupId, ...esp },
    exhausted(`security group ${securityGroupId}`, "max_security_group_rules (101 wanted, 100 allowed)"),
    ["AddSecurityGroupRules 2500"],
  );
});

test("a group of a hundred and one rules is made without any, and kept half made", async () => {
  const rules = Array.from({ length: 101 }, (_, index) => ({
    ...esp,
    protocol: "tcp",
    fromPort: index + 1,
    toPort: index + 1,
  }));
  const urn = urnOf("cloud:SecurityGroup", "many-rules");
  const error = await failureOf(plugin.create(urn, { ...own, rules }));
  expect(error.name).toBe("HalfMade");
  expect(error.message).toMatch(
    /^The limit of security group sg-\w+ in zone gpu1a is exhausted: max_security_group_rules \(101 wanted, 100 allowed\)\. /,
  );
});
