/** A SecurityGroupRule goes with groups that manage no rules themselves; beside inline rules it is refused. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { zone } from "./entry.ts";
import { Life } from "./life.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let life: Life;
beforeAll(async () => {
  life = await Life.start();
});
afterAll(() => life?.stop());

const groupUrn = urnOf("cloud:SecurityGroup", "firewall");
const ruleUrn = urnOf("cloud:SecurityGroupRule", "way-in");
const rules = [{ protocol: "tcp", fromPort: 22, toPort: 22 }];
const ruleOf = ({ id }: Resource) => ({ zone, name: "way-in", securityGroupId: id, protocol: "esp" });
const refusal = ({ id }: Resource) => [
  [
    "securityGroupId",
    `securityGroupId: the SecurityGroup ${id} of this program has \`rules\`, which would delete this one. Put the rule there, leave its \`rules\` out, or set its \`keepOthers\``,
  ],
];

test("beside a group that was made with rules in this run it is refused", async () => {
  const group = await life.plugin.create(groupUrn, { zone, name: "with rules", rules });
  expect((await life.plugin.check(ruleUrn, ruleOf(group))).failures).toEqual(refusal(group));
  await life.plugin.delete(group);
});

test("beside a group of an earlier run it is refused once this run's diff has seen its rules, and let in once they are left out", async () => {
  const group = await life.plugin.create(groupUrn, { zone, name: "of a run before" });
  expect((await life.plugin.check(ruleUrn, ruleOf(group))).failures).toEqual([]);
  // The rule is let in, and a program that then gives the group rules is told at the next check of the rule.
  const rule = await life.plugin.create(ruleUrn, ruleOf(group));
  expect(await life.plugin.diff(group, { zone, name: "of a run before", rules })).toEqual({ rules: "ADD" });
  expect((await life.plugin.check(ruleUrn, ruleOf(group))).failures).toEqual(refusal(group));
  expect(await life.plugin.diff(group, group.inputs)).toEqual({});
  expect((await life.plugin.check(ruleUrn, ruleOf(group))).failures).toEqual([]);
  for (const each of [rule, group]) await life.plugin.delete(each);
});

test("a group without `rules` leaves the rules of others alone, in update and refresh", async () => {
  const group = await life.plugin.create(groupUrn, { zone, name: "open" });
  const rule = await life.plugin.create(ruleUrn, ruleOf(group));
  expect(await life.plugin.read(group)).toEqual(group);
  let renamed = group;
  const changes = await life.changesBy(async () => {
    renamed = await life.plugin.update(group, { zone, name: "open 2" });
  });
  expect(changes).toEqual([
    ["ModifySecurityGroupAttributes", { security_group: group.id, security_group_name: "open 2" }],
  ]);
  expect(await life.plugin.read(rule)).toEqual(rule);
  for (const each of [rule, renamed]) await life.plugin.delete(each);
});
