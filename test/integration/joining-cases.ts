/** As cases.ts: what is added to a router and a security group that are not the program's own. */
import { expect } from "vitest";
import { type Case, named, zone } from "./cases.ts";

export const joiningCases: readonly Case[] = [
  {
    type: "qingcloud:cloud:Vpc",
    name: "joined",
    inputs: () => ({ ...named("joined"), vpcNetwork: "172.16.0.0/16" }),
    defaults: { type: 1 },
    outputs: ["name"],
    created: () => [
      ["CreateRouters", { router_name: "joined", router_type: "1", vpc_network: "172.16.0.0/16" }],
    ],
    imported: { eipId: expect.stringMatching(/^eip-/), securityGroupId: expect.stringMatching(/^sg-/) },
    deleted: (id) => [["DeleteRouters", { "routers.1": id("joined") }]],
  },
  {
    type: "qingcloud:cloud:VpcEip",
    name: "joined-eip",
    inputs: (id) => ({ zone, vpcId: id("joined"), eipId: id("spare") }),
    defaults: { keepFound: false },
    unknowns: ["vpcId", "eipId"],
    outputs: ["origin"],
    created: (id) => [
      ["ModifyRouterAttributes", { router: id("joined"), eip: id("spare") }],
      ["UpdateRouters", { "routers.1": id("joined") }],
    ],
    deleted: (id) => [
      ["ModifyRouterAttributes", { router: id("joined"), eip: "" }],
      ["UpdateRouters", { "routers.1": id("joined") }],
    ],
  },
  {
    type: "qingcloud:cloud:SecurityGroup",
    name: "theirs",
    inputs: () => named("theirs"),
    outputs: ["name"],
    created: () => [["CreateSecurityGroup", { security_group_name: "theirs" }]],
    imported: { rules: [expect.objectContaining({ protocol: "tcp", fromPort: 2201 })] },
    deleted: (id) => [["DeleteSecurityGroups", { "security_groups.1": id("theirs") }]],
  },
  {
    type: "qingcloud:cloud:SecurityGroupRule",
    name: "way-in",
    inputs: (id) => ({
      ...named("way-in"),
      securityGroupId: id("theirs"),
      protocol: "tcp",
      fromPort: 2201,
      toPort: 2202,
      cidrBlock: "203.0.113.1/32",
    }),
    defaults: { priority: 0, action: "accept", direction: 0 },
    unknowns: ["securityGroupId", "cidrBlock"],
    outputs: ["name"],
    created: (id) => [
      [
        "AddSecurityGroupRules",
        {
          security_group: id("theirs"),
          "rules.1.protocol": "tcp",
          "rules.1.priority": "0",
          "rules.1.action": "accept",
          "rules.1.direction": "0",
          "rules.1.val1": "2201",
          "rules.1.val2": "2202",
          "rules.1.val3": "203.0.113.1/32",
          "rules.1.security_group_rule_name": "way-in",
        },
      ],
      ["ApplySecurityGroup", { security_group: id("theirs") }],
    ],
    deleted: (id) => [
      ["DeleteSecurityGroupRules", { "security_group_rules.1": "RULE" }],
      ["ApplySecurityGroup", { security_group: id("theirs") }],
    ],
  },
];
