/** Rules of a security group, as inputs and as the API has them. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { ResponseOf } from "../../qingcloud/action.ts";
import {
  ApplySecurityGroup,
  DescribeSecurityGroupRules,
  DescribeSecurityGroups,
  ruleAction,
  ruleProtocol,
} from "../../qingcloud/actions.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import type { Context, Problem } from "../resource.ts";
import type { Session } from "../session.ts";
import type { Limit } from "./creating.ts";
import { listAll } from "./listing.ts";
import { sharing } from "./waiting.ts";

const port = z.number().int().min(0).max(65535);

export const ruleInputs = {
  protocol: ruleProtocol.describe("tcp, udp, icmp, gre, esp, ah or ipip."),
  priority: z.number().int().min(0).max(100).default(0).describe("0 is looked at first, 100 last."),
  action: ruleAction.default("accept").describe("accept or drop."),
  direction: z
    .union([z.literal(0), z.literal(1)])
    .default(0)
    .describe("0 inbound, 1 outbound."),
  fromPort: port.optional().describe("First port; ICMP type."),
  toPort: port.optional().describe("Last port; ICMP code."),
  cidrBlock: z
    .union([z.cidrv4(), z.ipv4()], { error: "must be an IPv4 address or network, e.g. 203.0.113.0/24" })
    .optional()
    .describe("Source of inbound, destination of outbound traffic; absent = any."),
};

const rule = z.object(ruleInputs);
export type Rule = z.output<typeof rule>;

/** A rule with its id in the cloud. */
export interface PresentRule {
  readonly id: string;
  readonly name: string;
  readonly rule: Rule;
}

type Found = ResponseOf<typeof DescribeSecurityGroupRules>["security_group_rule_set"][number];

/** @param path of the rule in the inputs, e.g. `rules[0].`, or nothing */
export function rangeProblems({ protocol, fromPort, toPort }: Rule, path: string): Problem[] {
  const hasPorts = protocol === "tcp" || protocol === "udp";
  const property = `${path}toPort`;
  if (hasPorts && fromPort !== undefined && toPort !== undefined && toPort < fromPort) {
    return [{ property, reason: `${property}: must be ${fromPort} (fromPort) or more (given: ${toPort})` }];
  }
  const given = fromPort !== undefined || toPort !== undefined;
  if (given && !hasPorts && protocol !== "icmp") {
    const reason = `${path}fromPort: ${protocol} has no ports; leave fromPort and toPort out`;
    return [{ property: `${path}fromPort`, reason }];
  }
  return [];
}

export function listProblems(rules: readonly Rule[]): Problem[] {
  return rules.flatMap((each, index) => rangeProblems(each, `rules[${index}].`));
}

export function toRequestRule({ fromPort, toPort, cidrBlock, ...rest }: Rule) {
  return {
    ...rest,
    ...(fromPort === undefined ? {} : { val1: String(fromPort) }),
    ...(toPort === undefined ? {} : { val2: String(toPort) }),
    ...(cidrBlock === undefined ? {} : { val3: cidrBlock }),
  };
}

/** The console knows protocols that a program cannot give, e.g. vrrp: they are drift where the group is managed. */
export function fromFound(found: Found): PresentRule {
  const { val1, val2, val3 } = found;
  return {
    id: found.security_group_rule_id,
    name: found.security_group_rule_name ?? "",
    rule: {
      protocol: found.protocol as Rule["protocol"],
      priority: found.priority,
      action: found.action,
      direction: found.direction === 1 ? 1 : 0,
      ...(val1 ? { fromPort: Number(val1) } : {}),
      ...(val2 ? { toPort: Number(val2) } : {}),
      ...(val3 ? { cidrBlock: val3 } : {}),
    },
  };
}

export async function describeRules(context: Context, zone: string, groupId: string): Promise<PresentRule[]> {
  const request = { security_group: groupId };
  return (await listAll(context, DescribeSecurityGroupRules, zone, request, "security_group_rule_set")).map(
    fromFound,
  );
}

/** How many rules the group may have, where so many more are asked for. */
export function ruleLimit(context: Context, zone: string, groupId: string, more: number): Limit {
  return {
    name: "max_security_group_rules",
    of: `security group ${groupId}`,
    count: async () => (await describeRules(context, zone, groupId)).length + more,
  };
}

/** Rules are inert until they are applied; changes made at the same time are applied by one call. */
export async function applyGroup(context: Context, zone: string, groupId: string): Promise<void> {
  const { session } = context;
  const applied = session.coalesced(`apply ${zone}/${groupId}`, context.deadline, async (deadline) => {
    const request = { security_group: groupId };
    const { job_id } = await session.call(ApplySecurityGroup, zone, request, { deadline });
    await session.jobs(zone).wait(job_id, { deadline });
  });
  await sharing(context, `security group ${groupId} to be applied`, applied);
}

/** Applies where the caller has changed rules, or an interrupted run has left the group unapplied. */
export async function applyWhereNeeded(
  context: Context,
  zone: string,
  groupId: string,
  isChanged: boolean,
): Promise<void> {
  if (isChanged || !(await isApplied(context, zone, groupId))) await applyGroup(context, zone, groupId);
}

/** False where changes, e.g. of an interrupted run, are not in force yet; a group that does not exist has none. */
export async function isApplied(context: Context, zone: string, groupId: string): Promise<boolean> {
  const request = { security_groups: [groupId] };
  const [found] = await listAll(context, DescribeSecurityGroups, zone, request, "security_group_set");
  return found?.is_applied !== 0;
}

/** Said of rules that are read while changes of their group are not in force. */
export async function unappliedOf(
  context: Context,
  zone: string,
  groupId: string,
): Promise<{ readonly unapplied?: string }> {
  return (await isApplied(context, zone, groupId))
    ? {}
    : { unapplied: "changes of its security group are not applied" };
}

/** Puts a deletion into force; a group that was deleted meanwhile needs none. */
export async function applyDeletion(context: Context, zone: string, groupId: string): Promise<void> {
  await applyGroup(context, zone, groupId).catch((error: unknown) => {
    if (!hasRetCode(error, retCodes.notFound)) throw error;
  });
}

/** Refuses rules that the list of the group's own resource would delete. */
export function managedElsewhere(
  session: Session,
  { securityGroupId }: { readonly securityGroupId?: string | undefined },
): readonly Problem[] {
  if (securityGroupId === undefined || !session.managedRules.has(securityGroupId)) return [];
  const reason = `securityGroupId: the SecurityGroup ${securityGroupId} of this program has \`rules\`, which would delete this one. Put the rule there, leave its \`rules\` out, or set its \`keepOthers\``;
  return [{ property: "securityGroupId", reason }];
}

export function isSameRule(one: Rule, other: Rule): boolean {
  return isDeepStrictEqual(one, other);
}

/** What is too much, twice there also, and what is missing, beside what stays. */
export function compareRules(present: readonly PresentRule[], wanted: readonly Rule[]) {
  const isFirst = (rule: Rule, index: number) =>
    present.findIndex((other) => isSameRule(rule, other.rule)) === index;
  return {
    surplus: present.filter(
      ({ rule }, index) => !wanted.some((other) => isSameRule(rule, other)) || !isFirst(rule, index),
    ),
    missing: wanted.filter((rule) => !present.some((other) => isSameRule(rule, other.rule))),
  };
}

/** The cloud keeps no order: as the program wrote them, so that a refresh without drift shows none. */
export function inKnownOrder(rules: readonly Rule[], known: readonly Rule[]): Rule[] {
  const kept = known.filter((rule) => rules.some((other) => isSameRule(rule, other)));
  return [...kept, ...rules.filter((rule) => !kept.some((other) => isSameRule(rule, other)))];
}
