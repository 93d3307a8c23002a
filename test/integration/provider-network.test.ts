import { afterAll, beforeAll, expect, test } from "vitest";
import { publicKey, publicKeyBody } from "../local-cloud/support.ts";
import { Cloud } from "./cloud.ts";
import { live } from "./life-cycle.ts";
import { Plugin, type Resource, urnOf } from "./plugin.ts";

let cloud: Cloud;
let plugin: Plugin;
beforeAll(async () => {
  cloud = await Cloud.start();
  plugin = await Plugin.start(cloud.configFile);
});
afterAll(async () => {
  await plugin?.stop();
  await cloud?.remove();
});

const own = { zone: "gpu1a", mark: "0badcafe" };

test("Eip: allocated, changed in place in bandwidth, billing and name, released", async () => {
  await live(cloud, plugin, {
    type: "cloud:Eip",
    inputs: { ...own, bandwidth: 20 },
    created: [["AllocateEips", { bandwidth: "20", billing_mode: "bandwidth", eip_name: "NAME" }]],
    replacedBy: { zone: "gpu2a" },
    updates: [
      { to: { bandwidth: 50 }, by: [["ChangeEipsBandwidth", { "eips.1": "ID", bandwidth: "50" }]] },
      {
        to: { bandwidth: 50, billingMode: "traffic" },
        by: [["ChangeEipsBillingMode", { "eips.1": "ID", billing_mode: "traffic" }]],
      },
      {
        to: { bandwidth: 50, billingMode: "traffic", name: "mine" },
        by: [["ModifyEipAttributes", { eip: "ID", eip_name: "mine" }]],
      },
    ],
    deleted: [["ReleaseEips", { "eips.1": "ID" }]],
  });
});

test("SecurityGroup: only rules that differ are added and deleted, and each change is applied", async () => {
  const ssh = { protocol: "tcp", fromPort: 22, toPort: 22, cidrBlock: "203.0.113.1/32" };
  const esp = { protocol: "esp", cidrBlock: "198.51.100.1/32" };
  const outbound = { protocol: "icmp", direction: 1, action: "drop", priority: 7 };
  const ssh22 = { val1: "22", val2: "22", val3: "203.0.113.1/32" };
  const add = (index: number, rule: object) =>
    Object.fromEntries(Object.entries(rule).map(([name, value]) => [`rules.${index}.${name}`, value]));
  const accept = { priority: "0", action: "accept", direction: "0" };
  let last: string[] = [];
  await live(cloud, plugin, {
    type: "cloud:SecurityGroup",
    inputs: { ...own, rules: [ssh, esp] },
    created: [
      ["CreateSecurityGroup", { security_group_name: "NAME" }],
      [
        "AddSecurityGroupRules",
        {
          security_group: "ID",
          ...add(1, { protocol: "tcp", ...accept, ...ssh22 }),
          ...add(2, { protocol: "esp", ...accept, val3: "198.51.100.1/32" }),
        },
      ],
      ["ApplySecurityGroup", { security_group: "ID" }],
    ],
    replacedBy: { zone: "gpu2a" },
    updates: [
      {
        to: { rules: [ssh, esp, outbound] },
        by: [
          [
            "AddSecurityGroupRules",
            {
              security_group: "ID",
              ...add(1, { protocol: "icmp", priority: "7", action: "drop", direction: "1" }),
            },
          ],
          ["ApplySecurityGroup", { security_group: "ID" }],
        ],
      },
      {
        to: { rules: [outbound, esp, ssh], name: "mine" },
        by: [["ModifySecurityGroupAttributes", { security_group: "ID", security_group_name: "mine" }]],
      },
    ],
    deleted: [["DeleteSecurityGroups", { "security_groups.1": "ID" }]],
  });
  const group = await plugin.create(urnOf("cloud:SecurityGroup", "two"), { ...own, rules: [ssh, esp] });
  const changes = await cloud.changesBy(() => plugin.update(group, { ...own, rules: [ssh] }));
  last = changes.map(([action]) => action);
  expect(last).toEqual(["DeleteSecurityGroupRules", "ApplySecurityGroup"]);
  await plugin.delete(group);
});

test("KeyPair: only the public key goes to the cloud; the comment of the program stays", async () => {
  await live(cloud, plugin, {
    type: "cloud:KeyPair",
    inputs: { ...own, publicKey },
    created: [["CreateKeyPair", { keypair_name: "NAME", mode: "user", public_key: publicKey }]],
    replacedBy: { zone: "gpu2a", publicKey: `ssh-ed25519 ${publicKeyBody}` },
    updates: [
      { to: { name: "mine" }, by: [["ModifyKeyPairAttributes", { keypair: "ID", keypair_name: "mine" }]] },
    ],
    deleted: [["DeleteKeyPairs", { "keypairs.1": "ID" }]],
    lostByImport: ["publicKey"],
  }).catch((error: unknown) => {
    throw error;
  });
});

test("Vpc: made with its security group, takes and loses EIPs in place, each time applied", async () => {
  const group = await plugin.create(urnOf("cloud:SecurityGroup", "a"), { ...own, rules: [] });
  const other = await plugin.create(urnOf("cloud:SecurityGroup", "b"), { ...own, rules: [] });
  const eip = await plugin.create(urnOf("cloud:Eip", "a"), { ...own, bandwidth: 1 });
  const inputs = { ...own, vpcNetwork: "192.168.0.0/16", securityGroupId: group.id, eipId: eip.id };
  const { eipId: _, ...without } = inputs;
  await live(cloud, plugin, {
    type: "cloud:Vpc",
    inputs,
    created: [
      [
        "CreateRouters",
        { router_name: "NAME", router_type: "1", vpc_network: "192.168.0.0/16", security_group: group.id },
      ],
      ["ModifyRouterAttributes", { router: "ID", eip: eip.id }],
      ["UpdateRouters", { "routers.1": "ID" }],
    ],
    replacedBy: { zone: "gpu2a", vpcNetwork: "172.16.0.0/16", type: 0 },
    updates: [
      {
        to: { securityGroupId: other.id },
        by: [
          ["ModifyRouterAttributes", { router: "ID", security_group: other.id }],
          ["ApplySecurityGroup", { security_group: other.id }],
        ],
      },
      {
        to: { securityGroupId: other.id, name: "mine" },
        by: [["ModifyRouterAttributes", { router: "ID", router_name: "mine" }]],
      },
      {
        to: { securityGroupId: other.id, name: "mine", eipId: undefined },
        by: [
          ["ModifyRouterAttributes", { router: "ID", eip: "" }],
          ["UpdateRouters", { "routers.1": "ID" }],
        ],
      },
      {
        to: { securityGroupId: other.id, name: "mine", eipId: eip.id },
        by: [
          ["ModifyRouterAttributes", { router: "ID", eip: eip.id }],
          ["UpdateRouters", { "routers.1": "ID" }],
        ],
      },
    ],
    deleted: [
      ["ModifyRouterAttributes", { router: "ID", eip: "" }],
      ["UpdateRouters", { "routers.1": "ID" }],
      ["DeleteRouters", { "routers.1": "ID" }],
    ],
  });
  expect(Object.keys(without)).not.toContain("eipId");
  for (const each of [eip, group, other]) await plugin.delete(each);
});

test("Vxnet: joined to its router when it is made, left when it goes", async () => {
  const vpc = await plugin.create(urnOf("cloud:Vpc", "v"), { ...own, vpcNetwork: "192.168.0.0/16" });
  await live(cloud, plugin, {
    type: "cloud:Vxnet",
    inputs: { ...own, vpcId: vpc.id, ipNetwork: "192.168.7.0/24" },
    created: [
      ["CreateVxnets", { vxnet_type: "1", vxnet_name: "NAME" }],
      ["JoinRouter", { vxnet: "ID", router: vpc.id, ip_network: "192.168.7.0/24" }],
    ],
    replacedBy: { zone: "gpu2a", vpcId: "rtr-other", ipNetwork: "192.168.8.0/24" },
    updates: [{ to: { name: "mine" }, by: [["ModifyVxnetAttributes", { vxnet: "ID", vxnet_name: "mine" }]] }],
    deleted: [
      ["LeaveRouter", { router: vpc.id, "vxnets.1": "ID" }],
      ["DeleteVxnets", { "vxnets.1": "ID" }],
    ],
  });
  await plugin.delete(vpc);
});

test("Vpc without a security group or an EIP has none in its inputs, and no drift", async () => {
  const urn = urnOf("cloud:Vpc", "plain");
  const inputs = { ...own, vpcNetwork: "172.16.0.0/16", type: 0 };
  const vpc = await plugin.create(urn, inputs);
  const read: Resource | undefined = await plugin.read(vpc);
  expect(read?.inputs).toEqual(inputs);
  await plugin.delete(vpc);
});
