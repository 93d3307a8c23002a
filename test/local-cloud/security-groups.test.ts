import { expect, test } from "vitest";
import { firstId } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();

const makeGroup = async (): Promise<string> =>
  String((await client.ok("CreateSecurityGroup", { security_group_name: "group" })).security_group_id);
const groupNow = (id: string) =>
  client.one("DescribeSecurityGroups", "security_group_set", { "security_groups.1": id, verbose: "1" });

test("every zone has a default group: ICMP and SSH in, undeletable", async () => {
  const { security_group_set } = await client.ok("DescribeSecurityGroups");
  const [group] = security_group_set as {
    security_group_id: string;
    is_default: number;
    is_applied: number;
  }[];
  expect(group).toMatchObject({ is_default: 1, is_applied: 1 });
  const id = group?.security_group_id ?? "";
  const rules = await client.ok("DescribeSecurityGroupRules", { security_group: id });
  expect(rules.security_group_rule_set).toMatchObject([
    { protocol: "icmp", action: "accept", direction: 0 },
    { protocol: "tcp", action: "accept", direction: 0, val1: "22", val2: "22" },
  ]);
  expect(await client.call("DeleteSecurityGroups", { "security_groups.1": id })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, security group [${id}] is the default one, can not be deleted`,
  });
});

test("rules are inert until ApplySecurityGroup", async () => {
  const group = await makeGroup();
  expect(await groupNow(group)).toMatchObject({ is_applied: 1, is_default: 0 });
  const { security_group_rules } = await client.ok("AddSecurityGroupRules", {
    security_group: group,
    "rules.1.protocol": "udp",
    "rules.1.priority": "0",
    "rules.1.val1": "500",
    "rules.1.val3": "203.0.113.0/24",
    "rules.2.protocol": "esp",
    "rules.2.priority": "1",
    "rules.2.action": "drop",
  });
  const [udp = "", esp = ""] = security_group_rules as string[];
  expect(await groupNow(group)).toMatchObject({ is_applied: 0 });
  await client.done("ApplySecurityGroup", { security_group: group });
  expect(await groupNow(group)).toMatchObject({ is_applied: 1 });
  await client.ok("ModifySecurityGroupRuleAttributes", {
    security_group_rule: esp,
    rule_action: "accept",
    priority: "7",
  });
  const { security_group_rule_set } = await client.ok("DescribeSecurityGroupRules", {
    "security_group_rules.1": esp,
  });
  expect(security_group_rule_set).toMatchObject([{ action: "accept", priority: 7, protocol: "esp" }]);
  expect(await groupNow(group)).toMatchObject({ is_applied: 0 });
  await client.ok("DeleteSecurityGroupRules", { "security_group_rules.1": udp });
  expect(await client.call("DeleteSecurityGroupRules", { "security_group_rules.1": udp })).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, security group rule [${udp}] does not exist`,
  });
  await client.ok("DeleteSecurityGroups", { "security_groups.1": group });
});

test.each([
  [{ protocol: "tcp", val1: "0" }, "rules.1.val1", "0", "a first port from 1 to 65535"],
  [{ protocol: "tcp", val1: "9", val2: "8" }, "rules.1.val2", "8", "a last port from 9 to 65535"],
  [{ protocol: "icmp", val1: "256" }, "rules.1.val1", "256", "an ICMP type from 0 to 255"],
  [
    { protocol: "gre", val3: "203.0.113.1/24" },
    "rules.1.val3",
    "203.0.113.1/24",
    "an IPv4 address or network such as 203.0.113.0/24",
  ],
  [{ protocol: "quic" }, "rules.1.protocol", "quic", "tcp, udp, icmp, gre, esp, ah, ipip"],
])("a rule %o is refused", async (rule, parameter, given, allowed) => {
  const security_group = await makeGroup();
  const parameters = Object.fromEntries(
    Object.entries(rule).map(([name, value]) => [`rules.1.${name}`, value]),
  );
  expect(
    await client.call("AddSecurityGroupRules", { security_group, "rules.1.priority": "1", ...parameters }),
  ).toEqual({
    ret_code: 1101,
    message: `InvalidParameterValue, parameter [${parameter}] is [${given}], allowed: ${allowed}`,
  });
});

test("a group that a router has is not deleted; another one takes its place by ApplySecurityGroup", async () => {
  const [first, second] = [await makeGroup(), await makeGroup()];
  const router = firstId(
    (await client.done("CreateRouters", { vpc_network: "192.168.0.0/16", security_group: first })).routers,
  );
  const refused = {
    ret_code: 5400,
    message: `DependencyExists, security group [${first}] is used by [${router}], can not be deleted`,
  };
  expect(await client.call("DeleteSecurityGroups", { "security_groups.1": first })).toEqual(refused);
  await client.ok("ModifyRouterAttributes", { router, security_group: second });
  expect(await client.call("DeleteSecurityGroups", { "security_groups.1": first })).toEqual(refused);
  expect(await groupNow(second)).toMatchObject({ is_applied: 0, resources: [{ resource_id: router }] });
  await client.done("ApplySecurityGroup", { security_group: second });
  expect(await groupNow(second)).toMatchObject({ is_applied: 1 });
  await client.ok("DeleteSecurityGroups", { "security_groups.1": first });
  expect(
    await client.call("CreateRouters", { vpc_network: "192.168.0.0/16", security_group: first }),
  ).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, security group [${first}] does not exist`,
  });
});
