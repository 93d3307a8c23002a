/** Updates that fail at any of their calls: the next run ends them, or undoes them where the program takes them back. */
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Properties } from "../../../provider/rpc/values.ts";
import { Account, failureOf, halfMadeOf, zone } from "../../harness/account.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { type Kind, kindOf, kinds, type Surroundings } from "./kinds.ts";
import { Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let account: Account;
let grounds: Grounds;
let plugin: Plugin;
beforeAll(begin);
afterAll(async () => await account?.stop());

async function begin(): Promise<void> {
  account = await Account.start();
  [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
}

let used = 0;
/** Unique ports and addresses suffice for some dozens of resources; then another account begins. */
async function aroundOf(kind: Kind): Promise<Surroundings> {
  used += 1;
  if (used % 40 === 0) {
    await account.stop();
    await begin();
  }
  return await grounds.around(kind);
}

/** Security groups and routers with changes that are not in effect. */
async function unapplied(): Promise<unknown[]> {
  const { client } = account;
  const [groups, routers] = await Promise.all([
    client.ok("DescribeSecurityGroups", { zone, limit: "100" }),
    client.ok("DescribeRouters", { zone, limit: "100" }),
  ]);
  const all = [
    ...(groups.security_group_set as Applied[]),
    ...(routers.router_set as Applied[]).filter(({ status }) => status === "active"),
  ];
  return all.filter(({ is_applied }) => is_applied === 0);
}

interface Applied {
  readonly is_applied: number;
  readonly status?: string;
}

const updates = kinds.flatMap((kind) =>
  [...new Set(kind.updated)].map((action) => ({ kind, type: kind.type, action })),
);

/**
 * Begins an update while an action of it is refused.
 * @param nth the how-manieth call for it is the first to be refused
 * @returns what is in the state then; undefined where it is not called
 */
async function begun(
  made: Resource,
  changed: Properties,
  action: string,
  nth = 1,
): Promise<Resource | undefined> {
  await account.cloud.fault({ action, kind: "refuse", code: 1200, message: "no", nth, times: 1000 });
  const ended = await plugin.update(made, changed).catch((error: Error) => error);
  await account.clearFaults();
  if (!(ended instanceof Error)) {
    await plugin.delete(ended);
    return undefined;
  }
  expect(ended.message).toContain(`${action} was refused with 1200`);
  const cut = halfMadeOf(ended);
  expect(cut.inputs).toEqual(changed);
  await plugin.nextRun();
  return cut;
}

/** As the engine does: no replacement, and afterwards the cloud has what is wanted, in effect. */
async function next(cut: Resource, wanted: Properties): Promise<void> {
  const kindsOfChange = Object.values(await plugin.diff(cut, wanted));
  expect(kindsOfChange.filter((each) => each.endsWith("_REPLACE"))).toEqual([]);
  const updated = await plugin.update(cut, wanted);
  expect(updated.inputs).toEqual(wanted);
  expect(updated.properties).not.toHaveProperty("__updatingAs");
  expect(await plugin.read(updated)).toEqual(updated);
  expect(await unapplied()).toEqual([]);
  await plugin.delete(updated);
}

test.each(updates)("$type: an update whose $action is refused is ended by the next run", async (each) => {
  const around = await aroundOf(each.kind);
  const urn = urnOf(`cloud:${each.type}`, `cut-${around.number}`);
  const made = await plugin.create(urn, each.kind.inputs(around));
  const changed = { ...made.inputs, ...each.kind.changed?.(around) };
  const cut = await begun(made, changed, each.action);
  if (cut === undefined) throw new Error(`${each.action} was not called`);
  await next(cut, changed);
});

test.each(updates)(
  "$type: what an update has done by $action, which is refused, is taken back by the next run, also after a refresh",
  async (each) => {
    const { inputs, changed } = each.kind;
    const names = async () => {
      const around = await aroundOf(each.kind);
      const [before, after] = [inputs(around), changed?.(around) ?? {}];
      return Object.keys(after).filter((name) => !isDeepStrictEqual(before[name], after[name]));
    };
    const all = await names();
    let met = 0;
    for (const [index, chosen] of [all, ...(all.length > 1 ? all.map((name) => [name]) : [])].entries()) {
      const around = await aroundOf(each.kind);
      const urn = urnOf(`cloud:${each.type}`, `back-${around.number}`);
      const made = await plugin.create(urn, inputs(around));
      const after = changed?.(around) ?? {};
      const news = Object.fromEntries(chosen.map((name) => [name, after[name]]));
      const cut = await begun(made, { ...made.inputs, ...news }, each.action);
      if (cut === undefined) continue;
      met += 1;
      // A refresh keeps that it did not end.
      if (index % 2 === 0) expect(halfMadeOf(await failureOf(plugin.read(cut)))).toEqual(cut);
      await next(cut, made.inputs);
    }
    expect(met).toBeGreaterThan(0);
  },
);

test("a list of rules whose making did not end, and that gets another name, is made once", async () => {
  const { otherGroup, number } = await aroundOf(kindOf("SecurityGroupRules"));
  const inputs = (name: string) => ({
    ...{ zone, name: `${name}-${number}`, securityGroupId: otherGroup },
    rules: [{ ...kindOfRule, fromPort: 80, toPort: 80 }],
  });
  const names = async () => {
    const { security_group_rule_set: found } = await account.client.ok("DescribeSecurityGroupRules", {
      ...{ zone, security_group: otherGroup },
    });
    const all = (found as { security_group_rule_name: string }[]).map(
      (each) => each.security_group_rule_name,
    );
    return all.filter((each) => each.endsWith(`-${number}`));
  };
  await account.cloud.fault({ action: "ApplySecurityGroup", kind: "refuse", code: 1200, message: "no" });
  const urn = urnOf("cloud:SecurityGroupRules", `half-${number}`);
  const half = halfMadeOf(await failureOf(plugin.create(urn, inputs("first"))));
  await account.clearFaults();
  await plugin.nextRun();
  const made = await plugin.update(half, inputs("second"));
  expect(await names()).toEqual([`second-${number}`]);
  await plugin.delete(made);
  expect(await names()).toEqual([]);
});

const ports = [80, 443, 8080];
const kindOfRule = { protocol: "tcp", priority: 0, action: "accept", direction: 0 };
test.each(["the new name", "the name before", "a third name", "no name: it is deleted"])(
  "a list of rules of which a renaming that did not end has renamed some gets %s whole",
  async (wanted) => {
    const around = await aroundOf(kindOf("SecurityGroupRules"));
    const group = { zone, security_group: around.otherGroup };
    const present = async () => {
      const { security_group_rule_set } = await account.client.ok("DescribeSecurityGroupRules", group);
      const rules = security_group_rule_set as { security_group_rule_name: string; val1: string }[];
      return rules.map(({ security_group_rule_name: name, val1: port }) => `${name} ${port}`).toSorted();
    };
    const before = await present();
    const wantedName = { "the new name": "new", "the name before": "old", "a third name": "third" }[wanted];
    const inputs = (name: string) => ({
      ...{ zone, name: `${name}-${around.number}`, securityGroupId: around.otherGroup },
      rules: ports.map((port) => ({ ...kindOfRule, fromPort: port, toPort: port })),
    });
    const named = (name: string) => ports.map((port) => `${name}-${around.number} ${port}`);
    const urn = urnOf("cloud:SecurityGroupRules", `parts-${around.number}`);
    const made = await plugin.create(urn, inputs("old"));
    const cut = await begun(
      made,
      { ...made.inputs, ...inputs("new") },
      "ModifySecurityGroupRuleAttributes",
      2,
    );
    if (cut === undefined) throw new Error("no second rule was renamed");
    expect((await present()).filter((each) => each.startsWith("new-"))).toHaveLength(1);
    if (wantedName === undefined) {
      await plugin.delete(cut);
      expect(await present()).toEqual(before);
      return;
    }
    const updated = await plugin.update(cut, { ...made.inputs, ...inputs(wantedName) });
    expect(await present()).toEqual([...before, ...named(wantedName)].toSorted());
    expect(await unapplied()).toEqual([]);
    await plugin.delete(updated);
    expect(await present()).toEqual(before);
  },
);
