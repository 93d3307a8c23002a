/** What a refresh finds where the last run did not end: what that has begun, and what it has not put into effect. */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Account, failureOf, halfMadeOf, zone } from "../../harness/account.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { kindOf } from "./kinds.ts";
import { Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let account: Account;
let grounds: Grounds;
/** Of the run that does not end. */
let plugin: Plugin;
let folder: string;
let file: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "behind-"));
  file = join(folder, "dev.is-behind");
  account = await Account.start();
  [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
});
afterAll(async () => {
  await account?.stop();
  rmSync(folder, { recursive: true });
});

/** A run that finds the file. */
async function next(): Promise<Plugin> {
  appendFileSync(file, "");
  return await account.plugin(undefined, "up --refresh", file);
}

async function make(type: string): Promise<Resource> {
  const kind = kindOf(type);
  const around = await grounds.around(kind);
  return await plugin.create(urnOf(`cloud:${type}`, `behind-${around.number}`), kind.inputs(around));
}

interface Applied {
  readonly is_applied: number;
  readonly status?: string;
}

/** Security groups and routers with changes that are not in effect. */
async function unapplied(): Promise<Applied[]> {
  const { client } = account;
  const [groups, routers] = await Promise.all([
    client.ok("DescribeSecurityGroups", { zone, limit: "100" }),
    client.ok("DescribeRouters", { zone, limit: "100" }),
  ]);
  const all = [...(groups.security_group_set as Applied[]), ...(routers.router_set as Applied[])];
  return all.filter(({ is_applied, status }) => is_applied === 0 && status !== "deleted");
}

test.each([
  ["PortForward", "UpdateRouters"],
  ["IpsecTunnel", "UpdateRouters"],
  ["GreTunnel", "UpdateRouters"],
  ["VpcEip", "UpdateRouters"],
  ["SecurityGroupRule", "ApplySecurityGroup"],
  ["SecurityGroupRules", "ApplySecurityGroup"],
])(
  "%s: a deletion whose %s was refused is put into effect by the refresh that finds it gone",
  async (type, action) => {
    const made = await make(type);
    await account.cloud.fault({ action, kind: "refuse", code: 1200, message: "no", times: 1000 });
    expect((await failureOf(plugin.delete(made))).message).toContain(`${action} was refused`);
    await account.clearFaults();
    expect(await unapplied()).toHaveLength(1);
    expect(await (await next()).read(made)).toBeUndefined();
    expect(await unapplied()).toEqual([]);
  },
);

test("what is being deleted is read once that has ended; a run that finds no file does not wait", async () => {
  const made = await make("Instance");
  await account.cloud.fault({ action: "TerminateInstances", kind: "hang-job", times: 1 });
  await account.client.ok("TerminateInstances", { zone, "instances.1": made.id });
  expect(await (await account.plugin()).read(made)).toEqual(made);
  const isWaiting = () => account.engine.toldOf(made.urn).some((line) => line.startsWith("waiting for job "));
  const read = (await next()).read(made);
  await vi.waitFor(() => expect(isWaiting()).toBe(true), { timeout: 10_000 });
  await account.clearFaults();
  expect(await read).toBeUndefined();
});

test("a SecurityGroupRule that was changed and not applied is put into effect, also where the change is taken back", async () => {
  const made = await make("SecurityGroupRule");
  const rule = { zone, security_group_rule: made.id, priority: "77" };
  await account.client.ok("ModifySecurityGroupRuleAttributes", rule);
  expect(await unapplied()).toHaveLength(1);
  const run = await next();
  const cut = halfMadeOf(await failureOf(run.read(made)));
  expect(cut.inputs).toMatchObject({ priority: 77 });
  expect(await run.update(cut, made.inputs)).toEqual(made);
  expect(await unapplied()).toEqual([]);
  expect(await run.read(made)).toEqual(made);
});

test("a list of rules whose renaming was killed, and is taken back, keeps each of its rules once", async () => {
  const around = await grounds.around(kindOf("SecurityGroupRules"));
  const group = { zone, security_group: around.otherGroup };
  const names = async () => {
    const { security_group_rule_set } = await account.client.ok("DescribeSecurityGroupRules", group);
    return (security_group_rule_set as { security_group_rule_name: string }[])
      .map((each) => each.security_group_rule_name)
      .filter((name) => name.endsWith("-killed"))
      .toSorted();
  };
  const rules = [80, 443, 8080].map((port) => ({
    ...{ protocol: "tcp", priority: 0, action: "accept", direction: 0, fromPort: port, toPort: port },
  }));
  const inputs = { zone, name: "old-killed", securityGroupId: around.otherGroup, rules };
  const killed = await account.plugin(undefined, "up", file);
  const made = await killed.create(urnOf("cloud:SecurityGroupRules", "killed"), inputs);
  const action = "ModifySecurityGroupRuleAttributes";
  await account.cloud.fault({ action, kind: "refuse", code: 1200, message: "no", nth: 3, times: 1000 });
  await failureOf(killed.update(made, { ...made.inputs, name: "new-killed" }));
  await account.clearFaults();
  expect(await names()).toEqual(["new-killed", "new-killed", "old-killed"]);
  const run = await next();
  const cut = halfMadeOf(await failureOf(run.read(made)));
  expect(await run.update(cut, made.inputs)).toEqual(made);
  expect(await names()).toEqual(["old-killed", "old-killed", "old-killed"]);
});
