/** Entries: VPC routers, their EIPs and their vxnets. */
import { expect } from "vitest";
import { applied, type Change, type Entry, type IdOf, nameAlone, named, zone } from "./entry.ts";

const modified = (id: IdOf, changes: Record<string, string>): Change => [
  "ModifyRouterAttributes",
  { router: id("router"), ...changes },
];
const appliedGroup = (id: IdOf, group: string): Change => [
  "ApplySecurityGroup",
  { security_group: id(group) },
];
const left = (id: IdOf, vxnet: string): Change => [
  "LeaveRouter",
  { router: id("router"), "vxnets.1": id(vxnet) },
];
const joined = (id: IdOf, vxnet: string, network: string): Change => [
  "JoinRouter",
  { vxnet: id(vxnet), router: id("router"), ip_network: network },
];
const renamed = (id: IdOf, vxnet: string, name: string): Change => [
  "ModifyVxnetAttributes",
  { vxnet: id(vxnet), vxnet_name: name },
];

const router: Entry = {
  ...nameAlone("router"),
  type: "cloud:Vpc",
  name: "router",
  inputs: (id) => ({
    ...named("router"),
    vpcNetwork: "192.168.0.0/16",
    eipId: id("front"),
    securityGroupId: id("firewall"),
  }),
  defaults: { type: 1 },
  unknowns: ["eipId", "securityGroupId"],
  created: (id) => [
    [
      "CreateRouters",
      {
        router_name: "router",
        router_type: "1",
        vpc_network: "192.168.0.0/16",
        security_group: id("firewall"),
      },
    ],
    modified(id, { eip: id("front") }),
    applied(id("router")),
  ],
  told: (id) => ({
    action: "DescribeRouters",
    set: "router_set",
    parameters: { "routers.1": id("router") },
    expected: { is_applied: 1, eip: { eip_id: id("front") }, security_group_id: id("firewall") },
  }),
  steps: [
    {
      what: "another network and size",
      to: () => ({ vpcNetwork: "172.16.0.0/16", type: 0 }),
      diff: { vpcNetwork: "UPDATE_REPLACE", type: "UPDATE_REPLACE" },
    },
    {
      what: "another name",
      to: () => ({ name: "router 2" }),
      diff: { name: "UPDATE" },
      calls: (id) => [modified(id, { router_name: "router 2" })],
    },
    {
      what: "another EIP",
      to: (id) => ({ eipId: id("second") }),
      diff: { eipId: "UPDATE" },
      // A router has one: the old one goes, applied, before the new one comes.
      calls: (id) => [
        modified(id, { eip: "" }),
        applied(id("router")),
        modified(id, { eip: id("second") }),
        applied(id("router")),
      ],
      told: (id) => ({
        action: "DescribeRouters",
        set: "router_set",
        parameters: { "routers.1": id("router") },
        expected: { is_applied: 1, eip: { eip_id: id("second") } },
      }),
    },
    {
      what: "another security group",
      to: (id) => ({ securityGroupId: id("closed") }),
      diff: { securityGroupId: "UPDATE" },
      calls: (id) => [modified(id, { security_group: id("closed") }), appliedGroup(id, "closed")],
    },
    {
      what: "no EIP",
      to: () => ({ eipId: undefined }),
      diff: { eipId: "DELETE" },
      calls: (id) => [modified(id, { eip: "" }), applied(id("router"))],
    },
    {
      what: "an EIP again",
      to: (id) => ({ eipId: id("front") }),
      diff: {},
      calls: (id) => [modified(id, { eip: id("front") }), applied(id("router"))],
    },
  ],
  drifts: [
    {
      what: "EIP",
      by: (id) => [modified(id, { eip: "" }), applied(id("router"))],
      found: () => ({ eipId: undefined }),
      calls: (id) => [modified(id, { eip: id("front") }), applied(id("router"))],
    },
    {
      what: "security group and name",
      by: (id) => [
        modified(id, { security_group: id("firewall"), router_name: "by hand" }),
        appliedGroup(id, "firewall"),
      ],
      found: (id) => ({ securityGroupId: id("firewall"), name: "by hand" }),
      calls: (id) => [
        modified(id, { router_name: "router 2", security_group: id("closed") }),
        appliedGroup(id, "closed"),
      ],
    },
  ],
  deleted: (id) => [
    modified(id, { eip: "" }),
    applied(id("router")),
    ["DeleteRouters", { "routers.1": id("router") }],
  ],
};

const bareRouter: Entry = {
  ...nameAlone("bare-router"),
  type: "cloud:Vpc",
  name: "bare-router",
  inputs: () => ({ ...named("bare-router"), vpcNetwork: "172.31.0.0/16", type: 0 }),
  unknowns: [],
  created: () => [
    ["CreateRouters", { router_name: "bare-router", router_type: "0", vpc_network: "172.31.0.0/16" }],
  ],
  steps: [],
  drifts: [
    {
      what: "EIP",
      by: (id) => [
        ["ModifyRouterAttributes", { router: id("bare-router"), eip: id("second") }],
        applied(id("bare-router")),
      ],
      found: (id) => ({ eipId: id("second") }),
      calls: (id) => [
        ["ModifyRouterAttributes", { router: id("bare-router"), eip: "" }],
        applied(id("bare-router")),
      ],
    },
  ],
  // The API tells the default group too; a program that names none does not manage it.
  imported: {
    finds: () => ({ securityGroupId: expect.stringMatching(/^sg-/) }),
    diff: {},
  },
  deleted: (id) => [["DeleteRouters", { "routers.1": id("bare-router") }]],
};

function vxnet(name: string, network: string, rest: Pick<Entry, "steps" | "drifts">): Entry {
  return {
    ...nameAlone(name),
    ...rest,
    type: "cloud:Vxnet",
    name,
    inputs: (id) => ({ ...named(name), vpcId: id("router"), ipNetwork: network }),
    unknowns: ["vpcId"],
    created: (id) => [["CreateVxnets", { vxnet_type: "1", vxnet_name: name }], joined(id, name, network)],
    deleted: (id) => [left(id, name), ["DeleteVxnets", { "vxnets.1": id(name) }]],
  };
}

export const networkEntries: readonly Entry[] = [
  router,
  bareRouter,
  vxnet("subnet", "192.168.1.0/24", {
    steps: [
      {
        what: "another router",
        to: (id) => ({ vpcId: id("bare-router") }),
        diff: { vpcId: "UPDATE_REPLACE" },
      },
      {
        what: "another name",
        to: () => ({ name: "subnet 2" }),
        diff: { name: "UPDATE" },
        calls: (id) => [renamed(id, "subnet", "subnet 2")],
      },
    ],
    drifts: [
      {
        what: "name",
        by: (id) => [renamed(id, "subnet", "by hand")],
        found: () => ({ name: "by hand" }),
        calls: (id) => [renamed(id, "subnet", "subnet 2")],
      },
    ],
  }),
  vxnet("free-subnet", "192.168.9.0/24", {
    steps: [
      {
        what: "another network",
        to: () => ({ ipNetwork: "192.168.10.0/24" }),
        diff: { ipNetwork: "UPDATE" },
        calls: (id) => [left(id, "free-subnet"), joined(id, "free-subnet", "192.168.10.0/24")],
      },
    ],
    drifts: [
      {
        what: "network",
        by: (id) => [left(id, "free-subnet"), joined(id, "free-subnet", "192.168.11.0/24")],
        found: () => ({ ipNetwork: "192.168.11.0/24" }),
        calls: (id) => [left(id, "free-subnet"), joined(id, "free-subnet", "192.168.10.0/24")],
      },
    ],
  }),
  {
    type: "cloud:VpcEip",
    name: "their-router-eip",
    inputs: (id) => ({ zone, vpcId: id("their-router"), eipId: id("third") }),
    defaults: { keepFound: false },
    unknowns: ["vpcId", "eipId"],
    outputs: () => ({ origin: "set" }),
    created: (id) => [
      ["ModifyRouterAttributes", { router: id("their-router"), eip: id("third") }],
      applied(id("their-router")),
    ],
    steps: [
      {
        what: "another router",
        to: (id) => ({ vpcId: id("bare-router") }),
        diff: { vpcId: "UPDATE_REPLACE" },
      },
      {
        what: "another EIP, kept where found",
        to: (id) => ({ eipId: id("second"), keepFound: true }),
        diff: { eipId: "UPDATE_REPLACE", keepFound: "UPDATE_REPLACE" },
      },
    ],
    // All that it is is that it is there: see the deletion by hand.
    drifts: [],
    deleted: (id) => [
      ["ModifyRouterAttributes", { router: id("their-router"), eip: "" }],
      applied(id("their-router")),
    ],
  },
];
