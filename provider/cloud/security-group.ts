import { z } from "zod";
import {
  AddSecurityGroupRules,
  CreateSecurityGroup,
  DeleteSecurityGroupRules,
  DeleteSecurityGroups,
  DescribeSecurityGroups,
  ModifySecurityGroupAttributes,
} from "../../qingcloud/actions.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import { type Context, defineResource } from "../resource.ts";
import { createOnce, sendOnce, withQuota } from "./creating.ts";
import { deleteWhenFree } from "./deleting.ts";
import { listAll } from "./listing.ts";
import { named, namedAsRead, nameOutput, physicalName, sameName } from "./naming.ts";
import {
  applyGroup,
  compareRules,
  describeRules,
  inKnownOrder,
  type PresentRule,
  type Rule,
  rangeProblems,
  ruleInputs,
  ruleLimit,
  toRequestRule,
} from "./security-rules.ts";

export const securityGroup = defineResource({
  type: "qingcloud:cloud:SecurityGroup",
  description: "Firewall rules of routers and instances; changes are applied at once.",
  inputs: z.strictObject({
    ...named,
    rules: z
      .array(z.strictObject(ruleInputs))
      .optional()
      .describe(
        "All rules of the group. Absent = rules are not managed here, but by SecurityGroupRule or by hand; an empty list closes everything inbound.",
      ),
  }),
  outputs: z.object(nameOutput),
  replaceOn: ["zone"],
  deleteBeforeReplace: true,
  rules: [
    {
      reads: ["rules"],
      problems: ({ rules = [] }) => rules.flatMap((rule, index) => rangeProblems(rule, `rules[${index}].`)),
    },
  ],
  isSame: sameName,
  find,

  notice(session, id, { rules }) {
    if (rules === undefined) session.managedRules.delete(id);
    else session.managedRules.add(id);
  },

  async create(context, inputs) {
    const { zone } = inputs;
    const name = physicalName(context.urn, inputs);
    const { id, adopted } = await createOnce(context, {
      what: `security group "${name}"`,
      names: inputs,
      find: () => find(context, zone, name),
      create: () =>
        withQuota(context, zone, { security_group: 1 }, async (options) => {
          const request = { security_group_name: name };
          return (await context.session.call(CreateSecurityGroup, zone, request, options)).security_group_id;
        }),
    });
    if (inputs.rules !== undefined) {
      const present = adopted ? await describeRules(context, zone, id) : [];
      await changeRules(context, zone, id, present, inputs.rules);
    }
    return { id, outputs: { name } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await describe(context, zone, { security_groups: [id] });
    if (found === undefined) return undefined;
    const isManaged = known === undefined || known.inputs.rules !== undefined;
    const rules = isManaged ? (await describeRules(context, zone, id)).map(({ rule }) => rule) : [];
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, found.security_group_name),
        ...(isManaged ? { rules: inKnownOrder(rules, known?.inputs.rules ?? []) } : {}),
      },
      outputs: { name: found.security_group_name },
      ...(isManaged && found.is_applied === 0 ? { unapplied: "its rules are not applied" } : {}),
    };
  },

  async update(context, id, { news, outputs }) {
    const { zone } = news;
    const name = physicalName(context.urn, news);
    if (name !== outputs.name) {
      const request = { security_group: id, security_group_name: name };
      await context.session.call(ModifySecurityGroupAttributes, zone, request, context);
    }
    if (news.rules !== undefined) {
      await changeRules(context, zone, id, await describeRules(context, zone, id), news.rules);
    }
    return { name };
  },

  async delete(context, id, { inputs: { zone } }) {
    await deleteWhenFree(context, {
      kind: "security group",
      zone,
      id,
      async look() {
        const [found] = await describe(context, zone, { security_groups: [id], verbose: 1 });
        return found === undefined
          ? undefined
          : { users: (found.resources ?? []).map(({ resource_id }) => resource_id) };
      },
      async remove() {
        await context.session.call(DeleteSecurityGroups, zone, { security_groups: [id] }, context);
      },
    });
  },
});

async function find(context: Context, zone: string, name: string): Promise<string[]> {
  return (await describe(context, zone, { search_word: name }))
    .filter((found) => found.security_group_name === name)
    .map((found) => found.security_group_id);
}

function describe(
  context: Context,
  zone: string,
  filter: { security_groups?: string[]; search_word?: string; verbose?: number },
) {
  return listAll(context, DescribeSecurityGroups, zone, filter, "security_group_set");
}

/** Adds what is missing, deletes what is too much, and applies. */
async function changeRules(
  context: Context,
  zone: string,
  id: string,
  present: readonly PresentRule[],
  wanted: readonly Rule[],
): Promise<void> {
  const { session } = context;
  const { surplus, missing } = compareRules(present, wanted);
  if (missing.length > 0) {
    const request = { security_group: id, rules: missing.map(toRequestRule) };
    await sendOnce(
      context,
      `new rules of security group ${id}`,
      async () => {
        await withQuota(
          context,
          zone,
          {},
          (options) => session.call(AddSecurityGroupRules, zone, request, options),
          ruleLimit(context, zone, id, missing.length),
        );
        return true;
      },
      async () =>
        compareRules(await describeRules(context, zone, id), wanted).missing.length === 0 || undefined,
    );
  }
  if (surplus.length > 0) {
    const request = { security_group_rules: surplus.map((rule) => rule.id) };
    await session.call(DeleteSecurityGroupRules, zone, request, context).catch((error: unknown) => {
      // Sent again after a lost answer.
      if (!hasRetCode(error, retCodes.notFound)) throw error;
    });
  }
  // Where all is as wanted, an interrupted run may have left it unapplied.
  const isChanged = missing.length + surplus.length > 0;
  if (isChanged || !(await isApplied(context, zone, id))) await applyGroup(context, zone, id);
}

async function isApplied(context: Context, zone: string, id: string): Promise<boolean> {
  const [found] = await describe(context, zone, { security_groups: [id] });
  return found?.is_applied !== 0;
}
