import { z } from "zod";
import { action, flag, ids, int, job, listing, page, pageOf, someIds, tagged, text } from "../action.ts";

export const ruleProtocol = z.enum(["tcp", "udp", "icmp", "gre", "esp", "ah", "ipip"]);
export const ruleAction = z.enum(["accept", "drop"]);

const rule = z.object({
  protocol: ruleProtocol,
  priority: int.min(0).max(100),
  action: ruleAction.default("accept"),
  /** 0 inbound, 1 outbound. */
  direction: flag.default(0),
  /** First port, or ICMP type. */
  val1: text.optional(),
  /** Last port, or ICMP code. */
  val2: text.optional(),
  /** Source or destination, an address or CIDR. */
  val3: text.optional(),
  security_group_rule_name: text.optional(),
});

export const CreateSecurityGroup = action(
  "CreateSecurityGroup",
  { security_group_name: text.optional(), target_user: text.optional() },
  { security_group_id: text },
);

export const DescribeSecurityGroups = action(
  "DescribeSecurityGroups",
  { ...listing, security_groups: ids.optional() },
  pageOf(
    "security_group_set",
    z.looseObject({
      security_group_id: text,
      security_group_name: text,
      description: text.nullish(),
      is_applied: int,
      is_default: int,
      ...tagged,
      /** Routers and instances that have it, with `verbose: 1`. */
      resources: z.array(z.looseObject({ resource_id: text })).optional(),
    }),
  ),
);

export const ModifySecurityGroupAttributes = action(
  "ModifySecurityGroupAttributes",
  { security_group: text, security_group_name: text.optional(), description: text.optional() },
  { security_group_id: text.optional() },
);

export const DeleteSecurityGroups = action(
  "DeleteSecurityGroups",
  { security_groups: someIds },
  { security_groups: ids },
);

export const ApplySecurityGroup = action(
  "ApplySecurityGroup",
  { security_group: text, instances: ids.optional(), target_user: text.optional() },
  { ...job },
);

export const AddSecurityGroupRules = action(
  "AddSecurityGroupRules",
  { security_group: text, rules: z.array(rule).min(1) },
  { security_group_rules: ids },
);

export const DescribeSecurityGroupRules = action(
  "DescribeSecurityGroupRules",
  {
    ...page,
    security_group: text.optional(),
    security_group_rules: ids.optional(),
    direction: flag.optional(),
    owner: text.optional(),
  },
  pageOf(
    "security_group_rule_set",
    z.looseObject({
      security_group_rule_id: text,
      security_group_id: text,
      security_group_rule_name: text.nullish(),
      protocol: text,
      priority: int,
      action: ruleAction,
      direction: int,
      val1: text.nullish(),
      val2: text.nullish(),
      val3: text.nullish(),
    }),
  ),
);

export const ModifySecurityGroupRuleAttributes = action(
  "ModifySecurityGroupRuleAttributes",
  {
    security_group_rule: text,
    security_group_rule_name: text.optional(),
    protocol: ruleProtocol.optional(),
    priority: int.min(0).max(100).optional(),
    rule_action: ruleAction.optional(),
    direction: flag.optional(),
    val1: text.optional(),
    val2: text.optional(),
    val3: text.optional(),
  },
  { security_group_rule_id: text.optional() },
);

export const DeleteSecurityGroupRules = action(
  "DeleteSecurityGroupRules",
  { security_group_rules: someIds },
  { security_group_rules: ids },
);
