/** Entries: security groups and their rules. */
import { expect } from "vitest";
import { type Change, type Entry, type IdOf, nameAlone, named } from "./entry.ts";

const ssh = { protocol: "tcp", priority: 1, action: "accept", direction: 0, fromPort: 22, toPort: 22 };
const esp = { protocol: "esp", priority: 2, action: "accept", direction: 0, cidrBlock: "198.51.100.10/32" };
const ping = { protocol: "icmp", priority: 3, action: "drop", direction: 1, fromPort: 8, toPort: 0 };

/** The diff of a list of `ssh` and `esp` with one of `esp` and `ssh`. */
const espBeforeSsh = {
  "rules[0].protocol": "UPDATE",
  "rules[0].priority": "UPDATE",
  "rules[0].cidrBlock": "ADD",
  "rules[0].fromPort": "DELETE",
  "rules[0].toPort": "DELETE",
  "rules[1].protocol": "UPDATE",
  "rules[1].priority": "UPDATE",
  "rules[1].cidrBlock": "DELETE",
  "rules[1].fromPort": "ADD",
  "rules[1].toPort": "ADD",
} as const;

function sent(index: number, protocol: string, priority: number, values: Record<string, string>) {
  const rule = { protocol, priority: `${priority}`, action: "accept", direction: "0", ...values };
  return Object.fromEntries(Object.entries(rule).map(([name, value]) => [`rules.${index}.${name}`, value]));
}

const sentSsh = (index: number) => sent(index, "tcp", 1, { val1: "22", val2: "22" });
const sentPing = { action: "drop", direction: "1", val1: "8", val2: "0" };
const appliedGroup = (group: string): Change => ["ApplySecurityGroup", { security_group: group }];
const oneRule = { "security_group_rules.1": expect.stringMatching(/^sgr-/) };
const twoRules = { ...oneRule, "security_group_rules.2": expect.stringMatching(/^sgr-/) };
const wayIn = { protocol: "tcp", fromPort: 2201, toPort: 2202, cidrBlock: "203.0.113.1/32" };

const gre = { protocol: "gre", priority: 9, action: "accept", direction: 0 };
const nameOfRule = (index: number, name: string) => ({ [`rules.${index}.security_group_rule_name`]: name });
const renamedTo = (name: string): Change => [
  "ModifySecurityGroupRuleAttributes",
  { security_group_rule: expect.stringMatching(/^sgr-/), security_group_rule_name: name },
];
const calledInline = renamedTo("inline");

function addedByHand(group: string, name: string): Change[] {
  const rule = { "rules.1.protocol": "gre", "rules.1.priority": "9", ...nameOfRule(1, name) };
  return [["AddSecurityGroupRules", { security_group: group, ...rule }], appliedGroup(group)];
}

function modified(id: IdOf, changes: Record<string, string>): Change {
  return ["ModifySecurityGroupRuleAttributes", { security_group_rule: id("way-in"), ...changes }];
}

export const firewallEntries: readonly Entry[] = [
  {
    ...nameAlone("firewall"),
    type: "cloud:SecurityGroup",
    name: "firewall",
    inputs: () => ({ ...named("firewall"), rules: [ssh, esp] }),
    unknowns: ["rules"],
    created: (id) => [
      ["CreateSecurityGroup", { security_group_name: "firewall" }],
      [
        "AddSecurityGroupRules",
        {
          security_group: id("firewall"),
          ...sentSsh(1),
          ...sent(2, "esp", 2, { val3: "198.51.100.10/32" }),
        },
      ],
      appliedGroup(id("firewall")),
    ],
    steps: [
      { what: "another generation", to: () => ({ generation: "2" }), diff: { generation: "ADD_REPLACE" } },
      {
        what: "another name",
        to: () => ({ name: "firewall 2" }),
        diff: { name: "UPDATE" },
        calls: (id) => [
          [
            "ModifySecurityGroupAttributes",
            { security_group: id("firewall"), security_group_name: "firewall 2" },
          ],
        ],
      },
      {
        what: "one rule more",
        to: () => ({ rules: [ssh, esp, ping] }),
        diff: { "rules[2]": "ADD" },
        calls: (id) => [
          ["AddSecurityGroupRules", { security_group: id("firewall"), ...sent(1, "icmp", 3, sentPing) }],
          appliedGroup(id("firewall")),
        ],
      },
      {
        what: "the same rules in another order",
        to: () => ({ rules: [ping, esp, ssh] }),
        diff: {
          "rules[0].protocol": "UPDATE",
          "rules[0].priority": "UPDATE",
          "rules[0].action": "UPDATE",
          "rules[0].direction": "UPDATE",
          "rules[0].fromPort": "UPDATE",
          "rules[0].toPort": "UPDATE",
          "rules[2]": "ADD",
        },
        calls: () => [],
      },
      {
        what: "one rule that is another, one less",
        to: () => ({ rules: [{ ...ssh, cidrBlock: "203.0.113.1" }, esp] }),
        diff: { "rules[0].cidrBlock": "ADD" },
        calls: (id) => [
          [
            "AddSecurityGroupRules",
            { security_group: id("firewall"), ...sentSsh(1), "rules.1.val3": "203.0.113.1" },
          ],
          [
            "DeleteSecurityGroupRules",
            { ...oneRule, "security_group_rules.2": expect.stringMatching(/^sgr-/) },
          ],
          appliedGroup(id("firewall")),
        ],
      },
    ],
    drifts: [
      {
        what: "a rule more",
        by: (id) => [
          [
            "AddSecurityGroupRules",
            { security_group: id("firewall"), "rules.1.protocol": "gre", "rules.1.priority": "9" },
          ],
          appliedGroup(id("firewall")),
        ],
        found: () => ({
          rules: [
            { ...ssh, cidrBlock: "203.0.113.1" },
            esp,
            { protocol: "gre", priority: 9, action: "accept", direction: 0 },
          ],
        }),
        calls: (id) => [["DeleteSecurityGroupRules", oneRule], appliedGroup(id("firewall"))],
      },
    ],
    deleted: (id) => [["DeleteSecurityGroups", { "security_groups.1": id("firewall") }]],
  },
  {
    ...nameAlone("closed"),
    type: "cloud:SecurityGroup",
    name: "closed",
    inputs: () => ({ ...named("closed"), rules: [] }),
    unknowns: [],
    created: () => [["CreateSecurityGroup", { security_group_name: "closed" }]],
    steps: [
      {
        what: "rules that are managed elsewhere",
        to: () => ({ rules: undefined }),
        diff: { rules: "DELETE" },
        calls: () => [],
      },
    ],
    drifts: [
      {
        what: "name",
        by: (id) => [
          ["ModifySecurityGroupAttributes", { security_group: id("closed"), security_group_name: "by hand" }],
        ],
        found: () => ({ name: "by hand" }),
        calls: (id) => [
          ["ModifySecurityGroupAttributes", { security_group: id("closed"), security_group_name: "closed" }],
        ],
      },
    ],
    deleted: (id) => [["DeleteSecurityGroups", { "security_groups.1": id("closed") }]],
  },
  {
    ...nameAlone("shared"),
    type: "cloud:SecurityGroup",
    name: "shared",
    inputs: () => ({ ...named("shared"), rules: [ssh, esp] }),
    unknowns: ["rules"],
    created: (id) => [
      ["CreateSecurityGroup", { security_group_name: "shared" }],
      [
        "AddSecurityGroupRules",
        { security_group: id("shared"), ...sentSsh(1), ...sent(2, "esp", 2, { val3: "198.51.100.10/32" }) },
      ],
      appliedGroup(id("shared")),
    ],
    steps: [
      {
        what: "rules of others that stay",
        to: () => ({ keepOthers: true }),
        diff: { keepOthers: "ADD" },
        // A name distinguishes its own from theirs.
        calls: (id) => [calledInline, calledInline, appliedGroup(id("shared"))],
      },
      {
        what: "one rule more, one less",
        to: () => ({ rules: [ssh, ping] }),
        diff: {
          "rules[1].protocol": "UPDATE",
          "rules[1].priority": "UPDATE",
          "rules[1].action": "UPDATE",
          "rules[1].direction": "UPDATE",
          "rules[1].cidrBlock": "DELETE",
          "rules[1].fromPort": "ADD",
          "rules[1].toPort": "ADD",
        },
        calls: (id) => [
          [
            "AddSecurityGroupRules",
            { security_group: id("shared"), ...sent(1, "icmp", 3, sentPing), ...nameOfRule(1, "inline") },
          ],
          ["DeleteSecurityGroupRules", oneRule],
          appliedGroup(id("shared")),
        ],
      },
    ],
    drifts: [
      {
        what: "rule of its own",
        by: (id) => addedByHand(id("shared"), "inline"),
        found: () => ({ rules: [ssh, ping, gre] }),
        calls: (id) => [["DeleteSecurityGroupRules", oneRule], appliedGroup(id("shared"))],
      },
      {
        what: "rule of somebody else, which is none of its own,",
        by: (id) => addedByHand(id("shared"), "by hand"),
        found: () => ({}),
        calls: () => [],
      },
    ],
    deleted: (id) => [["DeleteSecurityGroups", { "security_groups.1": id("shared") }]],
  },
  {
    ...nameAlone("way-in"),
    type: "cloud:SecurityGroupRule",
    name: "way-in",
    inputs: (id) => ({ ...named("way-in"), securityGroupId: id("their-group"), ...wayIn }),
    defaults: { priority: 0, action: "accept", direction: 0 },
    unknowns: ["securityGroupId", "cidrBlock"],
    created: (id) => [
      [
        "AddSecurityGroupRules",
        {
          security_group: id("their-group"),
          ...sent(1, "tcp", 0, { val1: "2201", val2: "2202", val3: "203.0.113.1/32" }),
          "rules.1.security_group_rule_name": "way-in",
        },
      ],
      appliedGroup(id("their-group")),
    ],
    steps: [
      {
        what: "another group",
        to: () => ({ securityGroupId: "sg-other" }),
        diff: { securityGroupId: "UPDATE_REPLACE" },
      },
      {
        what: "no source",
        to: () => ({ cidrBlock: undefined }),
        // The API takes no value away.
        diff: { cidrBlock: "DELETE_REPLACE" },
      },
      {
        what: "no ports",
        to: () => ({ fromPort: undefined, toPort: undefined }),
        diff: { fromPort: "DELETE_REPLACE", toPort: "DELETE_REPLACE" },
      },
      {
        what: "another name",
        to: () => ({ name: "way-in 2" }),
        diff: { name: "UPDATE" },
        // A change of any kind leaves the group unapplied.
        calls: (id) => [
          modified(id, { security_group_rule_name: "way-in 2" }),
          appliedGroup(id("their-group")),
        ],
      },
      {
        what: "another protocol, priority, action and direction",
        to: () => ({ protocol: "udp", priority: 7, action: "drop", direction: 1 }),
        diff: { protocol: "UPDATE", priority: "UPDATE", action: "UPDATE", direction: "UPDATE" },
        calls: (id) => [
          modified(id, { protocol: "udp", priority: "7", rule_action: "drop", direction: "1" }),
          appliedGroup(id("their-group")),
        ],
      },
      {
        what: "other ports and another source",
        to: () => ({ fromPort: 2203, toPort: 2204, cidrBlock: "203.0.113.0/24" }),
        diff: { fromPort: "UPDATE", toPort: "UPDATE", cidrBlock: "UPDATE" },
        calls: (id) => [
          modified(id, { val1: "2203", val2: "2204", val3: "203.0.113.0/24" }),
          appliedGroup(id("their-group")),
        ],
      },
    ],
    drifts: [
      {
        what: "first port and name",
        by: (id) => [
          modified(id, { val1: "2200", security_group_rule_name: "by hand" }),
          appliedGroup(id("their-group")),
        ],
        found: () => ({ fromPort: 2200, name: "by hand" }),
        calls: (id) => [
          modified(id, { security_group_rule_name: "way-in 2", val1: "2203" }),
          appliedGroup(id("their-group")),
        ],
      },
    ],
    deleted: (id) => [
      ["DeleteSecurityGroupRules", { "security_group_rules.1": id("way-in") }],
      appliedGroup(id("their-group")),
    ],
  },
  {
    ...nameAlone("peers"),
    type: "cloud:SecurityGroupRules",
    name: "peers",
    // Next to another resource's rule, which it leaves alone.
    inputs: (id) => ({ ...named("peers"), securityGroupId: id("their-group"), rules: [ssh, esp] }),
    unknowns: ["securityGroupId", "rules"],
    created: (id) => [
      [
        "AddSecurityGroupRules",
        {
          security_group: id("their-group"),
          ...{ ...sentSsh(1), ...nameOfRule(1, "peers") },
          ...{ ...sent(2, "esp", 2, { val3: "198.51.100.10/32" }), ...nameOfRule(2, "peers") },
        },
      ],
      appliedGroup(id("their-group")),
    ],
    steps: [
      {
        what: "another group",
        to: () => ({ securityGroupId: "sg-other" }),
        diff: { securityGroupId: "UPDATE_REPLACE" },
      },
      {
        what: "the same rules in another order",
        to: () => ({ rules: [esp, ssh] }),
        diff: espBeforeSsh,
        calls: () => [],
      },
      {
        what: "one rule that is another",
        to: () => ({ rules: [{ ...esp, cidrBlock: "203.0.113.7" }, ssh] }),
        diff: espBeforeSsh,
        calls: (id) => [
          [
            "AddSecurityGroupRules",
            {
              security_group: id("their-group"),
              ...{ ...sent(1, "esp", 2, { val3: "203.0.113.7" }), ...nameOfRule(1, "peers") },
            },
          ],
          ["DeleteSecurityGroupRules", oneRule],
          appliedGroup(id("their-group")),
        ],
      },
      {
        what: "another name",
        to: () => ({ name: "peers 2" }),
        diff: { name: "UPDATE" },
        calls: (id) => [renamedTo("peers 2"), renamedTo("peers 2"), appliedGroup(id("their-group"))],
      },
    ],
    drifts: [
      {
        what: "rule more",
        by: (id) => addedByHand(id("their-group"), "peers 2"),
        found: () => ({ rules: [{ ...esp, cidrBlock: "203.0.113.7" }, ssh, gre] }),
        calls: (id) => [["DeleteSecurityGroupRules", oneRule], appliedGroup(id("their-group"))],
      },
    ],
    deleted: (id) => [["DeleteSecurityGroupRules", twoRules], appliedGroup(id("their-group"))],
    deletedByHand: async (client, id) => {
      const group = id("their-group");
      const { security_group_rule_set: found } = await client.ok("DescribeSecurityGroupRules", {
        security_group: group,
      });
      const rules = (found as Record<string, string>[]).filter((rule) =>
        rule.security_group_rule_name?.startsWith("peers"),
      );
      const ids = rules.map((rule, index) => [
        `security_group_rules.${index + 1}`,
        rule.security_group_rule_id,
      ]);
      return [["DeleteSecurityGroupRules", Object.fromEntries(ids)], appliedGroup(group)];
    },
  },
];
