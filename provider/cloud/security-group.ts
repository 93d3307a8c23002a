import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import {
  AddSecurityGroupRules,
  ApplySecurityGroup,
  CreateSecurityGroup,
  DeleteSecurityGroupRules,
  DeleteSecurityGroups,
  DescribeSecurityGroupRules,
  DescribeSecurityGroups,
  ModifySecurityGroupAttributes,
  ruleAction,
  ruleProtocol,
} from "../../qingcloud/actions.ts";
import { type Context, defineResource } from "../resource.ts";
import { createOnce, named, namedAsRead, physicalName } from "./naming.ts";
import { deleteWhenFree, untilJob } from "./waiting.ts";

const port = z.number().int().min(0).max(65535);

export const securityGroupRule = z.strictObject({
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
    .union([z.cidrv4(), z.ipv4()])
    .optional()
    .describe("Source of inbound, destination of outbound traffic; absent = any."),
});

export type Rule = z.output<typeof securityGroupRule>;

export const securityGroup = defineResource({
  type: "qingcloud:cloud:SecurityGroup",
  description: "Firewall rules of routers and instances; changes are applied at once.",
  inputs: z.strictObject({
    ...named,
    rules: z
      .array(securityGroupRule)
      .optional()
      .describe(
        "All rules of the group. Absent = rules are not managed here; an empty list closes everything inbound.",
      ),
  }),
  outputs: z.object({ name: z.string().describe("Name in the console.") }),
  replaceOn: ["zone"],
  deleteBeforeReplace: true,

  async create(context, inputs) {
    const { zone } = inputs;
    const name = physicalName(context.urn, inputs);
    const { id, adopted } = await createOnce(
      context,
      `security group "${name}"`,
      async () =>
        (await describe(context, zone, { search_word: name }))
          .filter((found) => found.security_group_name === name)
          .map((found) => found.security_group_id),
      async () => {
        const request = { security_group_name: name };
        return (await context.session.call(CreateSecurityGroup, zone, request, context)).security_group_id;
      },
    );
    if (inputs.rules !== undefined) {
      const present = adopted ? await describeRules(context, zone, id) : [];
      await changeRules(context, zone, id, present, inputs.rules, adopted);
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
      await changeRules(context, zone, id, await describeRules(context, zone, id), news.rules, false);
    }
    return { name };
  },

  async delete(context, id, { inputs: { zone } }) {
    await deleteWhenFree(context, async () => {
      await context.session.call(DeleteSecurityGroups, zone, { security_groups: [id] }, context);
    });
  },
});

interface PresentRule {
  readonly id: string;
  readonly rule: Rule;
}

async function describe(
  context: Context,
  zone: string,
  filter: { security_groups?: string[]; search_word?: string },
) {
  const answer = await context.session.call(DescribeSecurityGroups, zone, { ...filter, limit: 100 }, context);
  return answer.security_group_set;
}

async function describeRules(context: Context, zone: string, id: string): Promise<PresentRule[]> {
  const present: PresentRule[] = [];
  for (;;) {
    const request = { security_group: id, limit: 100, offset: present.length };
    const answer = await context.session.call(DescribeSecurityGroupRules, zone, request, context);
    for (const found of answer.security_group_rule_set) {
      const { val1, val2, val3 } = found;
      const rule = securityGroupRule.parse({
        protocol: found.protocol,
        priority: found.priority,
        action: found.action,
        direction: found.direction,
        ...(val1 ? { fromPort: Number(val1) } : {}),
        ...(val2 ? { toPort: Number(val2) } : {}),
        ...(val3 ? { cidrBlock: val3 } : {}),
      });
      present.push({ id: found.security_group_rule_id, rule });
    }
    if (answer.security_group_rule_set.length === 0 || present.length >= answer.total_count) return present;
  }
}

/** Adds what is missing, deletes what is too much, and applies: rules are inert until then. */
async function changeRules(
  context: Context,
  zone: string,
  id: string,
  present: readonly PresentRule[],
  wanted: readonly Rule[],
  mayBeUnapplied: boolean,
): Promise<void> {
  const { session } = context;
  const surplus = present.filter(({ rule }) => !wanted.some((other) => isDeepStrictEqual(rule, other)));
  const missing = wanted.filter((rule) => !present.some((other) => isDeepStrictEqual(rule, other.rule)));
  if (missing.length > 0) {
    const rules = missing.map(({ fromPort, toPort, cidrBlock, ...rest }) => ({
      ...rest,
      ...(fromPort === undefined ? {} : { val1: String(fromPort) }),
      ...(toPort === undefined ? {} : { val2: String(toPort) }),
      ...(cidrBlock === undefined ? {} : { val3: cidrBlock }),
    }));
    await session.call(AddSecurityGroupRules, zone, { security_group: id, rules }, context);
  }
  if (surplus.length > 0) {
    const request = { security_group_rules: surplus.map((rule) => rule.id) };
    await session.call(DeleteSecurityGroupRules, zone, request, context);
  }
  if (missing.length + surplus.length > 0 || mayBeUnapplied) {
    await untilJob(
      context,
      zone,
      (await session.call(ApplySecurityGroup, zone, { security_group: id }, context)).job_id,
    );
  }
}

/** The cloud keeps no order: as the program wrote them, so that a refresh without drift shows none. */
function inKnownOrder(rules: readonly Rule[], known: readonly Rule[]): Rule[] {
  const kept = known.filter((rule) => rules.some((other) => isDeepStrictEqual(rule, other)));
  return [...kept, ...rules.filter((rule) => !kept.some((other) => isDeepStrictEqual(rule, other)))];
}
