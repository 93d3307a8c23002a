/** Lists of rules that one resource owns in a security group, next to rules of others. */
import {
  AddSecurityGroupRules,
  DeleteSecurityGroupRules,
  ModifySecurityGroupRuleAttributes,
} from "../../qingcloud/actions.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";
import type { Session } from "../session.ts";
import { sendOnce, withQuota } from "./creating.ts";
import { ruleListType } from "./known-ids.ts";
import { isNameOfSibling } from "./naming.ts";
import {
  applyWhereNeeded,
  compareRules,
  describeRules,
  isSameRule,
  type PresentRule,
  type Rule,
  ruleLimit,
  toRequestRule,
} from "./security-rules.ts";

/** Name of the rules that a SecurityGroup owns where it keeps others' rules; one resource is the group itself. */
export const groupListName = "inline";

export interface RuleList {
  readonly zone: string;
  readonly groupId: string;
  /** Name of the list's rules; absent where the list owns all rules of the group. */
  readonly name?: string | undefined;
  readonly wanted: readonly Rule[];
}

/** Adds what is missing, deletes what is too much, and applies. @param own rules of the list that exist */
export async function changeRules(
  context: Context,
  list: RuleList,
  own: readonly PresentRule[],
): Promise<void> {
  const { zone, groupId, wanted } = list;
  const { surplus, missing } = compareRules(own, wanted);
  if (missing.length > 0) await addRules(context, list, missing);
  await deleteRules(context, zone, groupId, surplus);
  await applyWhereNeeded(context, zone, groupId, missing.length + surplus.length > 0);
}

async function addRules(
  context: Context,
  { zone, groupId, name, wanted }: RuleList,
  missing: readonly Rule[],
): Promise<void> {
  const named = name === undefined ? {} : { security_group_rule_name: name };
  const rules = missing.map((rule) => ({ ...toRequestRule(rule), ...named }));
  await sendOnce(
    context,
    `new rules of security group ${groupId}`,
    async () => {
      await withQuota(
        context,
        zone,
        {},
        (options) =>
          context.session.call(AddSecurityGroupRules, zone, { security_group: groupId, rules }, options),
        ruleLimit(context, zone, groupId, missing.length),
      );
      return true;
    },
    async (patient) => {
      const own = ownedBy(name, await describeRules(patient, zone, groupId));
      return compareRules(own, wanted).missing.length === 0 || undefined;
    },
  );
}

/** Deletes rules; those that are gone already, e.g. by a call whose answer was lost, are left out. */
export async function deleteRules(
  context: Context,
  zone: string,
  groupId: string,
  rules: readonly PresentRule[],
): Promise<void> {
  const ids = new Set(rules.map(({ id }) => id));
  let left = [...ids];
  while (left.length > 0) {
    const request = { security_group_rules: left };
    try {
      await context.session.call(DeleteSecurityGroupRules, zone, request, context);
      return;
    } catch (error) {
      if (!hasRetCode(error, retCodes.notFound)) throw error;
      const present = await describeRules(context, zone, groupId);
      const still = present.map(({ id }) => id).filter((id) => ids.has(id));
      if (still.length >= left.length) throw error;
      left = still;
    }
  }
}

/** @param name absent = all */
export function ownedBy(name: string | undefined, rules: readonly PresentRule[]): PresentRule[] {
  return rules.filter((rule) => name === undefined || rule.name === name);
}

/**
 * Takes rules over that are wanted and missing: they get the list's name, and stay in force all the time.
 * @param mayBeTaken among rules with other names
 * @returns the list's rules, with those that were taken over
 */
export async function takeOver(
  context: Context,
  { zone, name = "", wanted }: RuleList,
  present: readonly PresentRule[],
  mayBeTaken: (rule: PresentRule) => boolean,
): Promise<PresentRule[]> {
  const own = ownedBy(name, present);
  const others = present.filter((rule) => rule.name !== name && mayBeTaken(rule));
  const taken = compareRules(own, wanted).missing.flatMap(
    (rule) => others.find((other) => isSameRule(other.rule, rule)) ?? [],
  );
  if (taken.length > 0) context.outdating();
  await renameRules(context, zone, taken, name);
  return [...own, ...taken];
}

export async function renameRules(
  context: Context,
  zone: string,
  rules: readonly PresentRule[],
  name: string,
): Promise<void> {
  await Promise.all(
    rules.map(async ({ id }) => {
      const request = { security_group_rule: id, security_group_rule_name: name };
      await context.session.call(ModifySecurityGroupRuleAttributes, zone, request, context);
    }),
  );
}

/** Lists that are being changed, or whose change has failed in this run, by zone and group. */
const unfinished = new WeakMap<Session, Map<string, readonly Rule[]>>();

/** Changes a list; should that fail, what it wants is not deleted in this run. */
export async function finishing<Result>(
  { session }: Context,
  { zone, groupId, name = "", wanted }: RuleList,
  work: () => Promise<Result>,
): Promise<Result> {
  const lists = unfinished.get(session) ?? new Map<string, readonly Rule[]>();
  unfinished.set(session, lists);
  const key = `${zone}/${groupId}/${name}`;
  lists.set(key, wanted);
  const result = await work();
  lists.delete(key);
  return result;
}

/** @throws Error where a list of the group that has failed, e.g. in an `up --continue-on-error`, wants the rule */
export function refuseWanted(
  { session }: Context,
  zone: string,
  groupId: string,
  { id, rule }: PresentRule,
): void {
  const lists = [...(unfinished.get(session) ?? [])].filter(([key]) => key.startsWith(`${zone}/${groupId}/`));
  if (!lists.some(([, wanted]) => wanted.some((each) => isSameRule(each, rule)))) return;
  throw new Error(
    `Rule ${id} of security group ${groupId} stays: a list of rules that wants it was not finished. Run the same command again.`,
  );
}

const singleRule = "qingcloud:cloud:SecurityGroupRule";

/** Whether a SecurityGroupRule with the same parent in the stack made the rule: an earlier version of the program did. */
export function isOfSingleRule({ urn }: Context, mark: string | undefined, { name }: PresentRule): boolean {
  return isNameOfSibling(singleRule, urn, mark, name);
}

/** Whether the rule that a SecurityGroupRule made belongs to a list by now. @param own its names */
export function isTakenOver(
  { urn }: Context,
  mark: string | undefined,
  own: readonly (string | undefined)[],
  { name }: PresentRule,
): boolean {
  if (own.includes(name) || mark === undefined) return false;
  return name === groupListName || isNameOfSibling(ruleListType, urn, mark, name);
}
