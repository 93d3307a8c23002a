import { z } from "zod";
import { defineResource } from "../resource.ts";
import { createOnce } from "./creating.ts";
import { listIdOf, ruleListType } from "./known-ids.ts";
import { named, namedAsRead, nameOutput, physicalName, sameName } from "./naming.ts";
import {
  changeRules,
  deleteRules,
  finishing,
  isOfSingleRule,
  ownedBy,
  renameRules,
  takeOver,
} from "./rule-lists.ts";
import {
  applyDeletion,
  describeRules,
  inKnownOrder,
  isApplied,
  listProblems,
  managedElsewhere,
  type PresentRule,
  ruleInputs,
  unappliedOf,
} from "./security-rules.ts";

export const securityGroupRules = defineResource({
  type: ruleListType,
  description:
    "Rules of a security group that does not manage all of its own, as one list; applied at once. Each has the list's name in the cloud: rules with other names are left alone. A list that is created takes over rules of the same content that SecurityGroupRule resources of the same parent and `mark` have made; those are then deleted without a call. Import by `zone/group/name`, e.g. `pek3a/sg-1234abcd/peers`.",
  inputs: z.strictObject({
    ...named,
    securityGroupId: z
      .string()
      .describe("The group; one whose rules are not all managed by its own `rules`."),
    rules: z
      .array(z.strictObject(ruleInputs))
      .min(1)
      .describe("The list; what is missing is added before what is too much is deleted."),
  }),
  outputs: z.object(nameOutput),
  replaceOn: ["zone", "securityGroupId"],
  takesEffectLater: true,
  rules: [{ reads: ["rules"], problems: ({ rules }) => listProblems(rules) }],
  isSame: sameName,
  conflicts: managedElsewhere,

  async create(context, given) {
    const { zone, securityGroupId: groupId, rules: wanted } = given;
    const name = physicalName(context.urn, given);
    const look = () => describeRules(context, zone, groupId);
    let present: readonly PresentRule[] = context.halfMadeId === undefined ? [] : await look();
    // The id keeps the name that it was made with.
    const former = context.halfMadeId?.slice(groupId.length + 1) ?? name;
    if (former !== name) {
      await renameRules(context, zone, ownedBy(former, present), name);
      present = await look();
    }
    const { id } = await createOnce(context, {
      what: `rules "${name}" of ${groupId}`,
      names: given,
      async find(patient) {
        present = await describeRules(patient, zone, groupId);
        return ownedBy(name, present).length > 0 ? [listIdOf(groupId, name)] : [];
      },
      create: async () => listIdOf(groupId, name),
    });
    const list = { zone, groupId, name, wanted };
    const mark = given.name === undefined ? given.mark : undefined;
    await finishing(context, list, async () => {
      const own = await takeOver(context, list, present, (rule) => isOfSingleRule(context, mark, rule));
      await changeRules(context, list, own);
    });
    return { id, outputs: { name } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const { groupId, name } =
      known === undefined
        ? parse(id)
        : {
            groupId: known.inputs.securityGroupId,
            name: known.outputs.name ?? physicalName(context.urn, known.inputs),
          };
    const own = ownedBy(name, await describeRules(context, zone, groupId));
    if (own.length === 0) return undefined;
    const rules = own.map(({ rule }) => rule);
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, name),
        securityGroupId: groupId,
        rules: inKnownOrder(rules, known?.inputs.rules ?? []),
      },
      outputs: { name },
      ...(await unappliedOf(context, zone, groupId)),
    };
  },

  async update(context, _id, { news, outputs }) {
    const { zone, securityGroupId: groupId, rules: wanted } = news;
    const name = physicalName(context.urn, news);
    const present = await describeRules(context, zone, groupId);
    const renamed = name === outputs.name ? [] : ownedBy(outputs.name, present);
    await renameRules(context, zone, renamed, name);
    await changeRules(context, { zone, groupId, name, wanted }, [...ownedBy(name, present), ...renamed]);
    return { name };
  },

  async delete(context, _id, { inputs, outputs }) {
    const { zone, securityGroupId: groupId } = inputs;
    const name = outputs.name ?? physicalName(context.urn, inputs);
    const own = ownedBy(name, await describeRules(context, zone, groupId));
    await deleteRules(context, zone, groupId, own);
    // An interrupted run may have deleted them without applying that: until then they are in force.
    if (own.length > 0 || !(await isApplied(context, zone, groupId)))
      await applyDeletion(context, zone, groupId);
  },
});

function parse(id: string): { groupId: string; name: string } {
  const slash = id.indexOf("/");
  if (slash <= 0 || slash === id.length - 1) {
    throw new Error(
      `"${id}" names no rules of a group. Import by \`zone/group/name\`, e.g. \`pek3a/sg-1234abcd/peers\`: the group's id and the name that all rules of the list have.`,
    );
  }
  return { groupId: id.slice(0, slash), name: id.slice(slash + 1) };
}
