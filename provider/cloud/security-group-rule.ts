import { z } from "zod";
import type { RequestOf } from "../../qingcloud/action.ts";
import {
  AddSecurityGroupRules,
  DeleteSecurityGroupRules,
  DescribeSecurityGroupRules,
  ModifySecurityGroupRuleAttributes,
} from "../../qingcloud/actions.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import { type Context, defineResource, type State } from "../resource.ts";
import { createOnce, withQuota } from "./creating.ts";
import { listIdOf } from "./known-ids.ts";
import { listAll } from "./listing.ts";
import { named, namedAsRead, nameOutput, physicalName, sameName } from "./naming.ts";
import { isTakenOver, refuseWanted } from "./rule-lists.ts";
import {
  applyDeletion,
  applyGroup,
  applyWhereNeeded,
  describeRules,
  fromFound,
  isApplied,
  managedElsewhere,
  type PresentRule,
  type Rule,
  rangeProblems,
  ruleInputs,
  ruleLimit,
  toRequestRule,
  unappliedOf,
} from "./security-rules.ts";

const inputs = z.strictObject({
  ...named,
  securityGroupId: z.string().describe("The group; one whose rules are not managed by its own `rules`."),
  ...ruleInputs,
});

export const securityGroupRule = defineResource({
  type: "qingcloud:cloud:SecurityGroupRule",
  description:
    "One rule of a security group that manages none itself, e.g. one that exists already; applied at once.",
  inputs,
  outputs: z.object(nameOutput),
  replaceOn: ["zone", "securityGroupId"],
  deleteBeforeReplace: true,
  takesEffectLater: true,
  rules: [
    {
      reads: ["protocol", "fromPort", "toPort"],
      problems: (given) => rangeProblems(given, ""),
    },
  ],
  // The API takes no value away.
  replaces: (state, news) =>
    (["fromPort", "toPort", "cidrBlock"] as const).filter(
      (name) => state.inputs[name] !== undefined && news[name] === undefined,
    ),
  isSame: sameName,

  conflicts: managedElsewhere,

  async search(context, zone, word) {
    const all = await listAll(context, DescribeSecurityGroupRules, zone, {}, "security_group_rule_set");
    return all
      .map(({ security_group_rule_id: id, security_group_id: groupId, security_group_rule_name: name }) => ({
        ...{ id, name: name ?? "", listId: listIdOf(groupId, name ?? "") },
      }))
      .filter(({ name }) => name.includes(word));
  },

  async create(context, given) {
    const { zone, securityGroupId } = given;
    const name = physicalName(context.urn, given);
    const { id } = await createOnce(context, {
      what: `rule "${name}" of ${securityGroupId}`,
      names: given,
      find: async (patient) =>
        // Rules of a group are made at the same time: one look serves all of them.
        (
          await context.session.shared(`rules of ${zone}/${securityGroupId}`, () =>
            describeRules(patient, zone, securityGroupId),
          )
        )
          .filter((found) => found.name === name)
          .map((found) => found.id),
      async create() {
        const rules = [{ ...toRequestRule(ruleOf(given)), security_group_rule_name: name }];
        const request = { security_group: securityGroupId, rules };
        const { security_group_rules: made } = await withQuota(
          context,
          zone,
          {},
          (options) => context.session.call(AddSecurityGroupRules, zone, request, options),
          ruleLimit(context, zone, securityGroupId, 1),
        );
        return made[0];
      },
    });
    await applyGroup(context, zone, securityGroupId);
    return { id, outputs: { name } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const found = await describe(context, zone, id);
    if (found === undefined) return undefined;
    const present = fromFound(found);
    const { name, rule } = present;
    if (known !== undefined && isOthers(context, known, present)) return undefined;
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, name),
        securityGroupId: found.security_group_id,
        ...rule,
      },
      outputs: { name },
      ...(await unappliedOf(context, zone, found.security_group_id)),
    };
  },

  async update(context, id, { olds, news, outputs }) {
    const name = physicalName(context.urn, news);
    const changed = changes(toModification(ruleOf(olds)), toModification(ruleOf(news)));
    await modify(context, news.zone, id, {
      ...(name === outputs.name ? {} : { security_group_rule_name: name }),
      ...changed,
    });
    const { zone, securityGroupId } = news;
    await applyWhereNeeded(context, zone, securityGroupId, Object.keys(changed).length > 0);
    return { name };
  },

  async delete(context, id, state) {
    const { zone, securityGroupId, mark } = state.inputs;
    // Only a resource with a mark can have lost its rule to a list.
    const found = mark === undefined ? undefined : await describe(context, zone, id);
    const present = found && fromFound(found);
    if (present !== undefined && isOthers(context, state, present)) return;
    if (present !== undefined) refuseWanted(context, zone, securityGroupId, present);
    try {
      await context.session.call(DeleteSecurityGroupRules, zone, { security_group_rules: [id] }, context);
    } catch (error) {
      if (!hasRetCode(error, retCodes.notFound)) throw error;
      // An interrupted run may have deleted it without applying that: until then it is in force.
      if (await isApplied(context, zone, securityGroupId)) return;
    }
    await applyDeletion(context, zone, securityGroupId);
  },
});

/** A list of this stack has taken the rule over: it is no longer this resource's. */
function isOthers(
  context: Context,
  { inputs: given, outputs }: State<typeof inputs, z.ZodObject<typeof nameOutput>>,
  present: PresentRule,
): boolean {
  const own = [outputs.name, physicalName(context.urn, given)];
  return isTakenOver(context, given.mark, own, present);
}

function ruleOf({ protocol, priority, action, direction, fromPort, toPort, cidrBlock }: Rule): Rule {
  return { protocol, priority, action, direction, fromPort, toPort, cidrBlock };
}

async function describe(context: Context, zone: string, id: string) {
  const request = { security_group_rules: [id] };
  return (await context.session.call(DescribeSecurityGroupRules, zone, request, context))
    .security_group_rule_set[0];
}

type Modification = Omit<RequestOf<typeof ModifySecurityGroupRuleAttributes>, "security_group_rule">;

function toModification(rule: Rule): Modification {
  const { action, ...rest } = toRequestRule(rule);
  return { ...rest, rule_action: action };
}

/** Those of `to` that `from` does not have. */
function changes(from: Modification, to: Modification): Modification {
  return Object.fromEntries(
    Object.entries(to).filter(([name, value]) => value !== from[name as keyof Modification]),
  );
}

async function modify(context: Context, zone: string, id: string, what: Modification): Promise<void> {
  if (Object.keys(what).length === 0) return;
  const request = { security_group_rule: id, ...what };
  await context.session.call(ModifySecurityGroupRuleAttributes, zone, request, context);
}
