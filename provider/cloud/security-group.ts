import { z } from "zod";
import {
  CreateSecurityGroup,
  DeleteSecurityGroups,
  DescribeSecurityGroups,
  ModifySecurityGroupAttributes,
} from "../../qingcloud/actions.ts";
import { type Context, defineResource, idsNamed, type Named } from "../resource.ts";
import { createOnce, withQuota } from "./creating.ts";
import { deleteWhenFree } from "./deleting.ts";
import { listAll, searchFor } from "./listing.ts";
import { generationInput, named, namedAsRead, nameOutput, physicalName, sameName } from "./naming.ts";
import { changeRules, finishing, groupListName, isOfSingleRule, ownedBy, takeOver } from "./rule-lists.ts";
import {
  describeRules,
  inKnownOrder,
  isSameRule,
  listProblems,
  type PresentRule,
  ruleInputs,
} from "./security-rules.ts";

const inputs = z.strictObject({
  ...named,
  generation: generationInput,
  rules: z
    .array(z.strictObject(ruleInputs))
    .optional()
    .describe(
      "All rules of the group, or with `keepOthers` its own. Absent = rules are not managed here, but by SecurityGroupRules, SecurityGroupRule or by hand; an empty list closes everything inbound.",
    ),
  keepOthers: z
    .boolean()
    .optional()
    .describe(
      "Whether rules that others add stay: SecurityGroupRules, SecurityGroupRule or a person. `rules` are then those with the name `inline` in the cloud. Default false.",
    ),
});
type Inputs = z.output<typeof inputs>;

export const securityGroup = defineResource({
  type: "qingcloud:cloud:SecurityGroup",
  description: "Firewall rules of routers and instances; changes are applied at once.",
  inputs,
  outputs: z.object(nameOutput),
  replaceOn: ["zone", "generation"],
  rules: [
    {
      reads: ["rules"],
      problems: ({ rules = [] }) => listProblems(rules),
    },
  ],
  isSame: (property, state, news, urn) => sameName(property, state, news, urn, news.generation),
  search,

  notice(session, id, { rules, keepOthers }) {
    if (rules === undefined || keepOthers === true) session.managedRules.delete(id);
    else session.managedRules.add(id);
  },

  async create(context, inputs) {
    const { zone } = inputs;
    const name = physicalName(context.urn, inputs, inputs.generation);
    const { id, adopted } = await createOnce(context, {
      what: `security group "${name}"`,
      names: inputs,
      find: async (patient) => idsNamed(await search(patient, zone, name), name),
      create: () =>
        withQuota(context, zone, { security_group: 1 }, async (options) => {
          const request = { security_group_name: name };
          return (await context.session.call(CreateSecurityGroup, zone, request, options)).security_group_id;
        }),
    });
    await putRules(context, id, inputs, adopted ? () => describeRules(context, zone, id) : async () => []);
    return { id, outputs: { name } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await describe(context, zone, { security_groups: [id] });
    if (found === undefined) return undefined;
    const isManaged = known === undefined || known.inputs.rules !== undefined;
    const present = isManaged ? await describeRules(context, zone, id) : [];
    const rules = ownedBy(nameOfRules(known?.inputs), present).map(({ rule }) => rule);
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, found.security_group_name),
        ...(known?.inputs.generation === undefined ? {} : { generation: known.inputs.generation }),
        ...(isManaged ? { rules: inKnownOrder(rules, known?.inputs.rules ?? []) } : {}),
        ...(known?.inputs.keepOthers === undefined ? {} : { keepOthers: known.inputs.keepOthers }),
      },
      outputs: { name: found.security_group_name },
      ...(isManaged && found.is_applied === 0 ? { unapplied: "its rules are not applied" } : {}),
    };
  },

  async update(context, id, { olds, news, outputs }) {
    const { zone } = news;
    const name = physicalName(context.urn, news, news.generation);
    if (name !== outputs.name) {
      const request = { security_group: id, security_group_name: name };
      await context.session.call(ModifySecurityGroupAttributes, zone, request, context);
    }
    await putRules(context, id, news, () => describeRules(context, zone, id), olds);
    return { name };
  },

  async delete(context, id, { inputs: { zone } }) {
    await deleteWhenFree(context, {
      kind: "security group",
      zone,
      id,
      users: "in need",
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

async function search(context: Context, zone: string, word: string): Promise<Named[]> {
  const found = await describe(context, zone, searchFor(word));
  return found.map(({ security_group_id: id, security_group_name: name }) => ({ id, name }));
}

function describe(
  context: Context,
  zone: string,
  filter: { security_groups?: string[]; search_word?: string; verbose?: number },
) {
  return listAll(context, DescribeSecurityGroups, zone, filter, "security_group_set");
}

/** Name of the rules that are the group's own; absent where all are. */
function nameOfRules(given: Pick<Inputs, "keepOthers"> | undefined): string | undefined {
  return given?.keepOthers === true ? groupListName : undefined;
}

/** @param olds inputs before: rules that the group managed without a name, or left to SecurityGroupRule, become its own */
async function putRules(
  context: Context,
  id: string,
  news: Inputs,
  look: () => Promise<readonly PresentRule[]>,
  olds?: Inputs,
): Promise<void> {
  const { zone, mark, rules: wanted } = news;
  if (wanted === undefined) return;
  const list = { zone, groupId: id, name: nameOfRules(news), wanted };
  const present = await look();
  if (list.name === undefined) return await changeRules(context, list, present);
  const before = nameOfRules(olds) === undefined ? (olds?.rules ?? []) : [];
  const wasOwn = ({ name, rule }: PresentRule) =>
    name === "" && before.some((each) => isSameRule(each, rule));
  const isFirst = olds?.rules === undefined;
  await finishing(context, list, async () => {
    const own = await takeOver(
      context,
      list,
      present,
      (rule) => wasOwn(rule) || (isFirst && isOfSingleRule(context, mark, rule)),
    );
    const kept = new Set(own.map((rule) => rule.id));
    const left = present.filter((rule) => wasOwn(rule) && !kept.has(rule.id));
    await changeRules(context, list, [...own, ...left]);
  });
}
