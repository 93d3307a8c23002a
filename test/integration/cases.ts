/** One life of every kind of resource that needs the API only: what is asked for, and which calls that may make. */
import type { Properties } from "../../provider/rpc/values.ts";
import { publicKeyBody } from "../local-cloud/support.ts";
import type { Change } from "./support.ts";

/** Id of a resource that an earlier case has made, by its name. */
export type IdOf = (name: string) => string;

export interface Case {
  readonly type: string;
  /** Of the resource in the program; later cases refer to it. */
  readonly name: string;
  inputs(id: IdOf): Properties;
  /** What check fills in. */
  readonly defaults?: Properties;
  /** Inputs that a preview may not know. */
  readonly unknowns?: readonly string[];
  readonly secrets?: readonly string[];
  readonly outputs: readonly string[];
  created(id: IdOf): readonly Change[];
  readonly update?: {
    readonly to: (id: IdOf) => Properties;
    calls(id: IdOf): readonly Change[];
  };
  /** What an import finds beside or instead of the inputs; `undefined` takes one away, "nothing" is no import at all. */
  readonly imported?: Properties | "nothing";
  deleted(id: IdOf): readonly Change[];
}

export const zone = "gpu1a";
const ssh = { protocol: "tcp", priority: 1, action: "accept", direction: 0, fromPort: 22, toPort: 22 };
const esp = { protocol: "esp", priority: 2, action: "accept", direction: 0, cidrBlock: "198.51.100.10/32" };
const ping = { protocol: "icmp", priority: 3, action: "drop", direction: 1, fromPort: 8, toPort: 0 };

const stateOnly = { created: () => [], deleted: () => [] };
export const named = (name: string): Properties => ({ zone, name });
export const applied = (id: IdOf): Change => ["UpdateRouters", { "routers.1": id("router") }];

function eip(
  name: string,
  bandwidth: number,
  billingMode: string,
  changes: Properties,
  calls: Change[],
): Case {
  return {
    type: "qingcloud:cloud:Eip",
    name,
    inputs: () => ({ ...named(name), bandwidth, ...(billingMode === "bandwidth" ? {} : { billingMode }) }),
    defaults: { billingMode },
    unknowns: ["bandwidth"],
    outputs: ["name", "address"],
    created: () => [
      ["AllocateEips", { bandwidth: `${bandwidth}`, billing_mode: billingMode, eip_name: name }],
    ],
    update: {
      to: () => changes,
      calls: (id) =>
        calls.map(([action, { eip: of, "eips.1": first, ...rest }]) => [
          action,
          {
            ...(of === undefined ? {} : { eip: id(of) }),
            ...(first === undefined ? {} : { "eips.1": id(first) }),
            ...rest,
          },
        ]),
    },
    deleted: (id) => [["ReleaseEips", { "eips.1": id(name) }]],
  };
}

export const cases: readonly Case[] = [
  { type: "qingcloud:state:StackMark", name: "mark", inputs: () => ({}), outputs: ["value"], ...stateOnly },
  {
    type: "qingcloud:state:PresharedKey",
    name: "tunnel-key",
    inputs: () => ({}),
    defaults: { bytes: 32 },
    unknowns: ["bytes"],
    outputs: ["value"],
    secrets: ["value"],
    imported: "nothing",
    ...stateOnly,
  },
  {
    type: "qingcloud:state:SshKey",
    name: "operator",
    inputs: () => ({ comment: "operator@crosszone" }),
    unknowns: ["comment"],
    outputs: ["privateKey", "publicKey"],
    secrets: ["privateKey"],
    imported: "nothing",
    ...stateOnly,
  },
  eip("front", 20, "bandwidth", { bandwidth: 50 }, [
    ["ChangeEipsBandwidth", { "eips.1": "front", bandwidth: "50" }],
  ]),
  eip("spare", 1, "traffic", { name: "spare 2", bandwidth: 1000, billingMode: "bandwidth" }, [
    ["ModifyEipAttributes", { eip: "spare", eip_name: "spare 2" }],
    ["ChangeEipsBandwidth", { "eips.1": "spare", bandwidth: "1000" }],
    ["ChangeEipsBillingMode", { "eips.1": "spare", billing_mode: "bandwidth" }],
  ]),
  {
    type: "qingcloud:cloud:SecurityGroup",
    name: "firewall",
    inputs: () => ({ ...named("firewall"), rules: [ssh, esp] }),
    unknowns: ["rules"],
    outputs: ["name"],
    created: (id) => [
      ["CreateSecurityGroup", { security_group_name: "firewall" }],
      [
        "AddSecurityGroupRules",
        {
          security_group: id("firewall"),
          "rules.1.protocol": "tcp",
          "rules.1.priority": "1",
          "rules.1.action": "accept",
          "rules.1.direction": "0",
          "rules.1.val1": "22",
          "rules.1.val2": "22",
          "rules.2.protocol": "esp",
          "rules.2.priority": "2",
          "rules.2.action": "accept",
          "rules.2.direction": "0",
          "rules.2.val3": "198.51.100.10/32",
        },
      ],
      ["ApplySecurityGroup", { security_group: id("firewall") }],
    ],
    update: {
      to: () => ({ name: "firewall 2", rules: [esp, ping] }),
      calls: (id) => [
        [
          "ModifySecurityGroupAttributes",
          { security_group: id("firewall"), security_group_name: "firewall 2" },
        ],
        [
          "AddSecurityGroupRules",
          {
            security_group: id("firewall"),
            "rules.1.protocol": "icmp",
            "rules.1.priority": "3",
            "rules.1.action": "drop",
            "rules.1.direction": "1",
            "rules.1.val1": "8",
            "rules.1.val2": "0",
          },
        ],
        ["DeleteSecurityGroupRules", { "security_group_rules.1": "RULE" }],
        ["ApplySecurityGroup", { security_group: id("firewall") }],
      ],
    },
    deleted: (id) => [["DeleteSecurityGroups", { "security_groups.1": id("firewall") }]],
  },
  {
    type: "qingcloud:cloud:SecurityGroup",
    name: "closed",
    inputs: () => ({ ...named("closed"), rules: [] }),
    outputs: ["name"],
    created: () => [["CreateSecurityGroup", { security_group_name: "closed" }]],
    deleted: (id) => [["DeleteSecurityGroups", { "security_groups.1": id("closed") }]],
  },
  {
    type: "qingcloud:cloud:KeyPair",
    name: "login",
    inputs: () => ({ ...named("login"), publicKey: `ssh-ed25519 ${publicKeyBody}` }),
    unknowns: ["publicKey"],
    outputs: ["name"],
    created: () => [
      ["CreateKeyPair", { keypair_name: "login", mode: "user", public_key: `ssh-ed25519 ${publicKeyBody}` }],
    ],
    update: {
      to: () => ({ name: "login 2" }),
      calls: (id) => [["ModifyKeyPairAttributes", { keypair: id("login"), keypair_name: "login 2" }]],
    },
    deleted: (id) => [["DeleteKeyPairs", { "keypairs.1": id("login") }]],
  },
  {
    type: "qingcloud:cloud:Vpc",
    name: "router",
    inputs: (id) => ({
      ...named("router"),
      vpcNetwork: "192.168.0.0/16",
      eipId: id("front"),
      securityGroupId: id("firewall"),
    }),
    defaults: { type: 1 },
    unknowns: ["eipId", "securityGroupId"],
    outputs: ["name"],
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
      ["ModifyRouterAttributes", { router: id("router"), eip: id("front") }],
      applied(id),
    ],
    update: {
      to: (id) => ({ name: "router 2", securityGroupId: id("closed") }),
      calls: (id) => [
        ["ModifyRouterAttributes", { router: id("router"), router_name: "router 2" }],
        ["ModifyRouterAttributes", { router: id("router"), security_group: id("closed") }],
        ["ApplySecurityGroup", { security_group: id("closed") }],
      ],
    },
    deleted: (id) => [
      ["ModifyRouterAttributes", { router: id("router"), eip: "" }],
      applied(id),
      ["DeleteRouters", { "routers.1": id("router") }],
    ],
  },
  {
    type: "qingcloud:cloud:Vxnet",
    name: "subnet",
    inputs: (id) => ({ ...named("subnet"), vpcId: id("router"), ipNetwork: "192.168.1.0/24" }),
    unknowns: ["vpcId"],
    outputs: ["name"],
    created: (id) => [
      ["CreateVxnets", { vxnet_type: "1", vxnet_name: "subnet" }],
      ["JoinRouter", { vxnet: id("subnet"), router: id("router"), ip_network: "192.168.1.0/24" }],
    ],
    update: {
      to: () => ({ name: "subnet 2" }),
      calls: (id) => [["ModifyVxnetAttributes", { vxnet: id("subnet"), vxnet_name: "subnet 2" }]],
    },
    deleted: (id) => [
      ["LeaveRouter", { router: id("router"), "vxnets.1": id("subnet") }],
      ["DeleteVxnets", { "vxnets.1": id("subnet") }],
    ],
  },
];
