/** Lists of rules next to others' rules in one group: what they own, what they take over, and what they leave alone. */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Properties } from "../../../provider/rpc/values.ts";
import { urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { zone } from "./entry.ts";
import { Life } from "./life.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let life: Life;
let group: string;
beforeAll(async () => {
  life = await Life.start();
});
beforeEach(async () => {
  group = String((await life.cloud.client.ok("CreateSecurityGroup")).security_group_id);
});
afterAll(() => life?.stop());

const mark = "0badcafe";
const usual = { priority: 0, action: "accept", direction: 0 };
const esp = { ...usual, protocol: "esp", cidrBlock: "203.0.113.7" };
const ah = { ...usual, protocol: "ah", cidrBlock: "203.0.113.7" };
const ike = { ...usual, protocol: "udp", fromPort: 500, toPort: 500, cidrBlock: "203.0.113.7" };

const makeSingle = (name: string, rule: object, more: object = {}) =>
  life.plugin.create(urnOf("cloud:SecurityGroupRule", name), {
    ...{ zone, mark, securityGroupId: group, ...rule },
    ...more,
  });
const listUrn = urnOf("cloud:SecurityGroupRules", "peers");
const listOf = (rules: readonly object[], more: object = {}) => ({
  ...{ zone, mark, securityGroupId: group, rules },
  ...more,
});
const makeList = (rules: readonly object[], more?: object) =>
  life.plugin.create(listUrn, listOf(rules, more));
const nameOf = ({ properties }: Resource) => String(properties.name);

/** Names in the cloud by the rules' protocols. */
async function names(): Promise<Record<string, string[]>> {
  const request = { security_group: group };
  const { security_group_rule_set: found } = await life.cloud.client.ok(
    "DescribeSecurityGroupRules",
    request,
  );
  const byProtocol = Map.groupBy(found as Record<string, string>[], ({ protocol }) => protocol ?? "");
  return Object.fromEntries(
    [...byProtocol].map(([protocol, rules]) => [
      protocol,
      rules.map((rule) => rule.security_group_rule_name ?? ""),
    ]),
  );
}
const actionsBy = async (work: () => Promise<unknown>) =>
  (await life.changesBy(work)).map(([action]) => action);

test("a list takes over rules of its stack that have its content; their resources are gone, and their deletion is nothing", async () => {
  const taken = [await makeSingle("esp", esp), await makeSingle("ike", ike)];
  const other = await makeSingle("ah", ah);
  let list: Resource | undefined;
  expect(
    await actionsBy(async () => {
      list = await makeList([esp, ike]);
    }),
  ).toEqual([
    ...["ModifySecurityGroupRuleAttributes", "ModifySecurityGroupRuleAttributes", "ApplySecurityGroup"],
  ]);
  if (list === undefined) throw new Error("there is no list");
  expect(await names()).toEqual({ esp: [nameOf(list)], udp: [nameOf(list)], ah: [nameOf(other)] });
  expect(await life.plugin.read(list)).toEqual(list);
  for (const each of taken) {
    expect(await life.plugin.read(each)).toBeUndefined();
    expect(await actionsBy(() => life.plugin.delete(each))).toEqual([]);
  }
  const deletion = ["DeleteSecurityGroupRules", "ApplySecurityGroup"];
  expect(await actionsBy(() => life.plugin.delete(other))).toEqual(deletion);
  const all = list;
  expect(await actionsBy(() => life.plugin.delete(all))).toEqual(deletion);
  expect(await names()).toEqual({});
});

test.each([
  ["by hand", { name: undefined, mark: undefined }],
  ["by a resource with a given name", { name: "mine" }],
  ["by another stack", { mark: "0ddba115" }],
])("rules of the same content that were made %s are left alone, also when the list goes", async (_, more) => {
  const theirs = await makeSingle("esp", esp, more);
  const list = await makeList([esp]);
  expect(await names()).toEqual({ esp: [nameOf(theirs), nameOf(list)] });
  await life.plugin.update(list, listOf([ike]));
  expect(await names()).toEqual({ esp: [nameOf(theirs)], udp: [nameOf(list)] });
  await life.plugin.delete(list);
  expect(await life.plugin.read(theirs)).toEqual(theirs);
  await life.plugin.delete(theirs);
});

test("a list that exists takes nothing over: two lists of one content do not fight for it", async () => {
  const list = await makeList([esp]);
  const single = await makeSingle("ike", ike);
  await life.plugin.update(list, listOf([esp, ike]));
  expect(await names()).toEqual({ esp: [nameOf(list)], udp: [nameOf(single), nameOf(list)] });
  const second = await life.plugin.create(urnOf("cloud:SecurityGroupRules", "second"), listOf([esp]));
  expect((await names()).esp).toEqual([nameOf(list), nameOf(second)]);
});

test("where a list fails, what it wants stays in the same run; the next one finishes, and nothing was missing", async () => {
  const single = await makeSingle("esp", esp);
  await life.plugin.nextRun();
  await life.cloud.fault({ action: "ModifySecurityGroupRuleAttributes", kind: "refuse", code: 1100 });
  await expect(makeList([esp])).rejects.toThrow("ModifySecurityGroupRuleAttributes");
  // As `up --continue-on-error` does.
  await expect(life.plugin.delete(single)).rejects.toThrow(
    `Rule ${single.id} of security group ${group} stays: a list of rules that wants it was not finished. Run the same command again.`,
  );
  expect(await names()).toEqual({ esp: [nameOf(single)] });
  const list = await makeList([esp]);
  expect(await actionsBy(() => life.plugin.delete(single))).toEqual([]);
  expect(await names()).toEqual({ esp: [nameOf(list)] });
});

test("a rule that somebody has renamed is still its resource's, and goes with it", async () => {
  const single = await makeSingle("esp", esp);
  await life.byHand([
    [
      "ModifySecurityGroupRuleAttributes",
      { security_group_rule: single.id, security_group_rule_name: "by hand" },
    ],
  ]);
  await life.plugin.delete(single);
  expect(await names()).toEqual({});
});

test("a rule of the list that was deleted by hand is found missing, and added again", async () => {
  const list = await makeList([esp, ike]);
  const { security_group_rule_id: id } = await life.cloud.client.one(
    "DescribeSecurityGroupRules",
    "security_group_rule_set",
    { security_group: group },
  );
  const gone = { "security_group_rules.1": String(id) };
  await life.byHand([
    ["DeleteSecurityGroupRules", gone],
    ["ApplySecurityGroup", { security_group: group }],
  ]);
  const found = await life.plugin.read(list);
  expect(found?.inputs).toEqual(listOf([ike]));
  expect(await actionsBy(() => life.plugin.update(found ?? list, list.inputs))).toEqual([
    ...["AddSecurityGroupRules", "ApplySecurityGroup"],
  ]);
  expect(await life.plugin.read(list)).toEqual(list);
});

test("a name that is given must be free in the group", async () => {
  await makeList([esp], { name: "peers" });
  const second = life.plugin.create(
    urnOf("cloud:SecurityGroupRules", "again"),
    listOf([ike], { name: "peers" }),
  );
  await expect(second).rejects.toThrow(
    `rules "peers" of ${group} exists already (${group}/peers), made by somebody else or to be replaced by this one.`,
  );
  expect(await names()).toEqual({ esp: ["peers"] });
});

test("an import by a group alone says how it is written", async () => {
  await expect(life.plugin.import(listUrn, `${zone}/${group}`)).rejects.toThrow(
    `"${group}" names no rules of a group. Import by \`zone/group/name\`, e.g. \`pek3a/sg-1234abcd/peers\``,
  );
});

test("wrong ports are reported by their place in the list, and a group that manages all its rules refuses a list", async () => {
  const wrong = listOf([ike, { ...ike, toPort: 1 }]);
  expect((await life.plugin.check(listUrn, wrong)).failures).toEqual([
    ["rules[1].toPort", "rules[1].toPort: must be 500 (fromPort) or more (given: 1)"],
  ]);
  const urn = urnOf("cloud:SecurityGroup", "firewall");
  const manage = async (more: Properties) => {
    const inputs = { zone, name: "firewall", rules: [], ...more };
    const made = await life.plugin.create(urn, inputs);
    const { failures } = await life.plugin.check(listUrn, { ...listOf([esp]), securityGroupId: made.id });
    await life.plugin.delete(made);
    return failures.map(([path]) => path);
  };
  expect([await manage({}), await manage({ keepOthers: true })]).toEqual([["securityGroupId"], []]);
});

test("a group that begins to keep others' rules keeps what it had, deletes what it no longer wants, and lets others be", async () => {
  const urn = urnOf("cloud:SecurityGroup", "firewall");
  const made = await life.plugin.create(urn, { zone, mark, rules: [esp, ah] });
  group = made.id;
  await life.byHand([
    ["AddSecurityGroupRules", { security_group: group, "rules.1.protocol": "gre", "rules.1.priority": "9" }],
  ]);
  const inputs = { ...made.inputs, rules: [esp, ike], keepOthers: true };
  expect(await actionsBy(() => life.plugin.update(made, inputs))).toEqual([
    "ModifySecurityGroupRuleAttributes",
    "AddSecurityGroupRules",
    "DeleteSecurityGroupRules",
    "ApplySecurityGroup",
  ]);
  expect(await names()).toEqual({ esp: ["inline"], udp: ["inline"], gre: [""] });
});

test("a group whose rules were left to resources takes those over that it wants for itself, once", async () => {
  const urn = urnOf("cloud:SecurityGroup", "bare");
  const made = await life.plugin.create(urn, { zone, mark });
  group = made.id;
  const [wanted, other] = [await makeSingle("esp", esp), await makeSingle("ike", ike)];
  const kept = await life.plugin.update(made, { ...made.inputs, rules: [esp], keepOthers: true });
  expect(await names()).toEqual({ esp: ["inline"], udp: [nameOf(other)] });
  expect(await actionsBy(() => life.plugin.delete(wanted))).toEqual([]);
  expect(await life.plugin.read(kept)).toEqual(kept);
});
