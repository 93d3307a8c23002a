/** Security groups: their rules are inert until ApplySecurityGroup. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Instance, Router, SecurityGroup, SecurityGroupRule } from "../../store/resources.ts";
import { needQuota, needRoom } from "../account/quotas.ts";
import {
  type Context,
  distinct,
  type Effects,
  type Handler,
  type Handlers,
  isGone,
  need,
  newId,
  renamed,
  timestamp,
  type ZoneState,
} from "../context.ts";
import { denied, inUse, notFound } from "../errors.ts";
import { filter, page } from "../listing.ts";
import { tagsOf } from "../tags/tags.ts";
import { checkRule } from "./rules.ts";

const createSecurityGroup: Handler<typeof actions.CreateSecurityGroup> = (request, context) => {
  needQuota(context, "security_group", 1);
  const group: SecurityGroup = {
    kind: "security_group",
    id: newId("sg"),
    zone: context.zone,
    name: request.security_group_name ?? "",
    description: "",
    tagIds: [],
    createTime: context.now,
    isDefault: false,
    rules: [],
    revision: 0,
    applied: { revision: 0, rules: [] },
  };
  context.store.put(group);
  return { security_group_id: group.id };
};

/** Id of the zone's default group. */
export function defaultSecurityGroup(state: ZoneState): string {
  return state.store.list("security_group", state.zone).find(({ isDefault }) => isDefault)?.id ?? "";
}

/** Who has the group, applied or not. */
function usersOf(state: ZoneState, id: string): (Router | Instance)[] {
  const routers = state.store
    .list("router", state.zone)
    .filter((router) => router.securityGroupId === id || router.appliedSecurityGroupId === id);
  const instances = state.store.list("instance", state.zone).filter((item) => item.securityGroupId === id);
  return [...routers, ...instances].filter((user) => !isGone(user));
}

function isApplied(state: ZoneState, group: SecurityGroup): boolean {
  const isPending = state.store
    .list("router", state.zone)
    .some((router) => router.securityGroupId === group.id && router.appliedSecurityGroupId !== group.id);
  return group.applied.revision === group.revision && !isPending;
}

const describeSecurityGroups: Handler<typeof actions.DescribeSecurityGroups> = (request, context) => {
  const matches = filter(
    context.store.list("security_group", context.zone),
    request,
    request.security_groups,
  );
  const { items, total_count } = page(matches, request);
  return {
    security_group_set: items.map((group) => ({
      security_group_id: group.id,
      security_group_name: group.name,
      description: group.description,
      is_applied: isApplied(context, group) ? 1 : 0,
      is_default: group.isDefault ? 1 : 0,
      create_time: timestamp(group.createTime),
      tags: tagsOf(context, group),
      ...(request.verbose > 0 ? { resources: usersOf(context, group.id).map(toUser) } : {}),
    })),
    total_count,
  };
};

function toUser({ id, name, kind }: Router | Instance) {
  return { resource_id: id, resource_name: name, resource_type: kind };
}

const modifySecurityGroupAttributes: Handler<typeof actions.ModifySecurityGroupAttributes> = (
  request,
  context,
) => {
  const group = need(context, "security_group", request.security_group);
  context.store.put(renamed(group, request.security_group_name, request.description));
  return { security_group_id: group.id };
};

const deleteSecurityGroups: Handler<typeof actions.DeleteSecurityGroups> = (request, context) => {
  const groups = distinct(request.security_groups).map((id) => need(context, "security_group", id));
  for (const group of groups) {
    if (group.isDefault) throw denied(`security group [${group.id}] is the default one, can not be deleted`);
    const users = usersOf(context, group.id).map(({ id }) => id);
    if (users.length > 0) throw inUse("security group", group.id, users, "deleted");
    context.store.remove(group);
  }
  return { security_groups: groups.map(({ id }) => id) };
};

const applySecurityGroup: Handler<typeof actions.ApplySecurityGroup> = (request, context) => {
  const group = need(context, "security_group", request.security_group);
  const instances = distinct(request.instances ?? []).map((id) => need(context, "instance", id).id);
  const routers = context.store
    .list("router", context.zone)
    .filter((router) => router.securityGroupId === group.id && !isGone(router))
    .map(({ id }) => id);
  const applied = { revision: group.revision, rules: group.rules };
  return {
    job_id: context.startJob(
      { action: "ApplySecurityGroup", securityGroup: group.id, applied, routers, instances },
      [group.id, ...routers, ...instances],
    ),
  };
};

const addSecurityGroupRules: Handler<typeof actions.AddSecurityGroupRules> = (request, context) => {
  const group = need(context, "security_group", request.security_group);
  const rules = request.rules.map((rule, index): SecurityGroupRule => {
    const values = { val1: rule.val1 ?? "", val2: rule.val2 ?? "", val3: rule.val3 ?? "" };
    checkRule({ ...values, protocol: rule.protocol }, `rules.${index + 1}.`);
    return {
      id: newId("sgr"),
      name: rule.security_group_rule_name ?? "",
      protocol: rule.protocol,
      priority: rule.priority,
      action: rule.action,
      direction: rule.direction,
      ...values,
    };
  });
  needRoom("security_group_rules", group.rules.length + rules.length, `security group [${group.id}]`);
  save(context, group, [...group.rules, ...rules]);
  return { security_group_rules: rules.map(({ id }) => id) };
};

const describeSecurityGroupRules: Handler<typeof actions.DescribeSecurityGroupRules> = (request, context) => {
  const matches = context.store
    .list("security_group", context.zone)
    .filter(({ id }) => request.security_group === undefined || request.security_group === id)
    .flatMap((group) => group.rules.map((rule) => ({ rule, group })))
    .filter(
      ({ rule }) =>
        (request.security_group_rules === undefined || request.security_group_rules.includes(rule.id)) &&
        (request.direction === undefined || request.direction === rule.direction),
    );
  const { items, total_count } = page(matches, request);
  return {
    security_group_rule_set: items.map(({ rule, group }) => ({
      security_group_rule_id: rule.id,
      security_group_rule_name: rule.name,
      security_group_id: group.id,
      protocol: rule.protocol,
      priority: rule.priority,
      action: rule.action,
      direction: rule.direction,
      val1: rule.val1,
      val2: rule.val2,
      val3: rule.val3,
    })),
    total_count,
  };
};

const modifySecurityGroupRuleAttributes: Handler<typeof actions.ModifySecurityGroupRuleAttributes> = (
  request,
  context,
) => {
  const { group, rule } = needRule(context, request.security_group_rule);
  const changed: SecurityGroupRule = {
    id: rule.id,
    name: request.security_group_rule_name ?? rule.name,
    protocol: request.protocol ?? rule.protocol,
    priority: request.priority ?? rule.priority,
    action: request.rule_action ?? rule.action,
    direction: request.direction ?? rule.direction,
    val1: request.val1 ?? rule.val1,
    val2: request.val2 ?? rule.val2,
    val3: request.val3 ?? rule.val3,
  };
  checkRule(changed, "");
  save(
    context,
    group,
    group.rules.map((item) => (item.id === rule.id ? changed : item)),
  );
  return { security_group_rule_id: rule.id };
};

const deleteSecurityGroupRules: Handler<typeof actions.DeleteSecurityGroupRules> = (request, context) => {
  const ids = distinct(request.security_group_rules);
  for (const id of ids) {
    const { group } = needRule(context, id);
    save(
      context,
      group,
      group.rules.filter((rule) => rule.id !== id),
    );
  }
  return { security_group_rules: ids };
};

function needRule(context: Context, id: string): { group: SecurityGroup; rule: SecurityGroupRule } {
  for (const group of context.store.list("security_group", context.zone)) {
    const rule = group.rules.find((candidate) => candidate.id === id);
    if (rule !== undefined) return { group, rule };
  }
  throw notFound("security group rule", id);
}

function save(context: Context, group: SecurityGroup, rules: readonly SecurityGroupRule[]): void {
  context.store.put({ ...group, rules, revision: group.revision + 1 });
}

export const securityGroupHandlers = {
  CreateSecurityGroup: createSecurityGroup,
  DescribeSecurityGroups: describeSecurityGroups,
  ModifySecurityGroupAttributes: modifySecurityGroupAttributes,
  DeleteSecurityGroups: deleteSecurityGroups,
  ApplySecurityGroup: applySecurityGroup,
  AddSecurityGroupRules: addSecurityGroupRules,
  DescribeSecurityGroupRules: describeSecurityGroupRules,
  ModifySecurityGroupRuleAttributes: modifySecurityGroupRuleAttributes,
  DeleteSecurityGroupRules: deleteSecurityGroupRules,
} satisfies Partial<Handlers>;

export const securityGroupEffects: Effects<"ApplySecurityGroup"> = {
  ApplySecurityGroup: {
    complete(work, { store, zone }) {
      const group = store.get("security_group", zone, work.securityGroup);
      if (group === undefined) return;
      if (work.applied.revision >= group.applied.revision) store.put({ ...group, applied: work.applied });
      for (const id of work.routers) {
        const router = store.get("router", zone, id);
        if (router?.securityGroupId === work.securityGroup) {
          store.put({ ...router, appliedSecurityGroupId: work.securityGroup });
        }
      }
      for (const id of work.instances) {
        const instance = store.get("instance", zone, id);
        if (instance !== undefined) store.put({ ...instance, securityGroupId: work.securityGroup });
      }
    },
    fail: () => undefined,
  },
};
