import { afterAll, beforeAll, expect, test } from "vitest";
import { publicKey } from "../local-cloud/support.ts";
import { Cloud } from "./cloud.ts";
import { live } from "./life-cycle.ts";
import { Plugin, type Resource, urnOf } from "./plugin.ts";

let cloud: Cloud;
let plugin: Plugin;
let vpc: Resource;
let vxnet: Resource;
let keyPair: Resource;
const made: Resource[] = [];
const own = { zone: "gpu1a", mark: "0badcafe" };

beforeAll(async () => {
  cloud = await Cloud.start();
  plugin = await Plugin.start(cloud.configFile);
  const make = async (type: string, inputs: Record<string, unknown>) => {
    const resource = await plugin.create(urnOf(type, "base"), { ...own, ...inputs });
    made.unshift(resource);
    return resource;
  };
  const eip = await make("cloud:Eip", { bandwidth: 10 });
  vpc = await make("cloud:Vpc", { vpcNetwork: "192.168.0.0/16", eipId: eip.id });
  vxnet = await make("cloud:Vxnet", { vpcId: vpc.id, ipNetwork: "192.168.1.0/24" });
  keyPair = await make("cloud:KeyPair", { publicKey });
});
afterAll(async () => {
  await plugin?.stop();
  await cloud?.remove();
});

const hidden = "[secret]";
const apply = () => ["UpdateRouters", { "routers.1": vpc.id }] as const;

test("PortForward: a static of type 1, applied by UpdateRouters with every change", async () => {
  const statics = { "statics.1.static_type": hidden, "statics.1.router_static_name": hidden };
  const values = {
    "statics.1.val1": hidden,
    "statics.1.val2": hidden,
    "statics.1.val3": hidden,
    "statics.1.val4": hidden,
  };
  await live(cloud, plugin, {
    type: "cloud:PortForward",
    inputs: { ...own, vpcId: vpc.id, sourcePort: 2201, targetAddress: "192.168.1.2", targetPort: 22 },
    created: [["AddRouterStatics", { router: vpc.id, ...statics, ...values }], apply()],
    replacedBy: { zone: "gpu2a", vpcId: "rtr-other" },
    updates: [
      {
        to: { sourcePort: 2202, protocol: "udp" },
        by: [
          [
            "ModifyRouterStaticAttributes",
            {
              router_static: "ID",
              router_static_name: "NAME",
              val1: hidden,
              val2: hidden,
              val3: "22",
              val4: "udp",
            },
          ],
          apply(),
        ],
      },
    ],
    deleted: [["DeleteRouterStatics", { "router_statics.1": "ID" }], apply()],
  });
});

test("IpsecTunnel: one side, of type 7, with its key; the cloud holds the values in their order", async () => {
  const inputs = {
    ...own,
    vpcId: vpc.id,
    remoteAddress: "198.51.100.9",
    presharedKey: "k3y-of-the-test",
    localNetworks: ["192.168.1.0/24"],
    targetNetworks: ["192.168.2.0/24", "192.168.3.0/24"],
  };
  const urn = urnOf("cloud:IpsecTunnel", "values");
  const tunnel = await plugin.create(urn, inputs);
  const found = await cloud.client.one("DescribeRouterStatics", "router_static_set", {
    router: vpc.id,
    static_type: "7",
  });
  expect(found).toMatchObject({
    router_static_id: tunnel.id,
    val1: "198.51.100.9|aes|k3y-of-the-test|198.51.100.9",
    val2: "192.168.1.0/24",
    val3: "192.168.2.0/24|192.168.3.0/24",
    val4: "main",
  });
  await plugin.delete(tunnel);
  const names = ["static_type", "router_static_name", "val1", "val2", "val3", "val4"];
  const statics = Object.fromEntries(names.map((name) => [`statics.1.${name}`, hidden]));
  const modified = { router_static: "ID", router_static_name: "NAME", val1: hidden, val2: hidden };
  await live(cloud, plugin, {
    type: "cloud:IpsecTunnel",
    inputs: { ...inputs, remoteId: "%any" },
    created: [["AddRouterStatics", { router: vpc.id, ...statics }], apply()],
    replacedBy: { zone: "gpu2a", vpcId: "rtr-other" },
    updates: [
      {
        to: { remoteAddress: "198.51.100.10", remoteId: undefined, mode: "aggrmode" },
        by: [
          [
            "ModifyRouterStaticAttributes",
            { ...modified, val3: "192.168.2.0/24|192.168.3.0/24", val4: "aggrmode" },
          ],
          apply(),
        ],
      },
    ],
    deleted: [["DeleteRouterStatics", { "router_statics.1": "ID" }], apply()],
    lostByImport: [],
  }).catch((error: unknown) => {
    throw error;
  });
});

test("statics that are made at the same time are applied by two UpdateRouters at most", async () => {
  const before = cloud.calls().length;
  const forwards = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      plugin.create(urnOf("cloud:PortForward", `many-${index}`), {
        ...own,
        vpcId: vpc.id,
        sourcePort: 3000 + index,
        targetAddress: "192.168.1.2",
        targetPort: 22,
      }),
    ),
  );
  const made = cloud.calls().slice(before);
  expect(made.filter(({ action }) => action === "AddRouterStatics")).toHaveLength(12);
  expect(made.filter(({ action }) => action === "UpdateRouters").length).toBeLessThanOrEqual(2);
  for (const each of (
    (await cloud.client.ok("DescribeRouterStatics", { router: vpc.id })) as unknown as {
      router_static_set: { is_applied: number }[];
    }
  ).router_static_set) {
    expect(each.is_applied).toBe(1);
  }
  await Promise.all(forwards.map((each) => plugin.delete(each)));
});

test("Instance: a GPU server at its fixed address, with user data; only its name changes in place", async () => {
  const userData = "#!/bin/sh\necho hello\n";
  await live(cloud, plugin, {
    type: "cloud:Instance",
    inputs: {
      ...own,
      imageId: "img-deeplearning",
      instanceType: "g2ntp100.4xlarge.r4",
      vxnetId: vxnet.id,
      privateIp: "192.168.1.2",
      keypairId: keyPair.id,
      hostname: "node-1",
      userData,
    },
    created: [
      [
        "RunInstances",
        {
          instance_name: "NAME",
          image_id: "img-deeplearning",
          instance_type: "g2ntp100.4xlarge.r4",
          hostname: "node-1",
          "vxnets.1": `${vxnet.id}|192.168.1.2`,
          login_mode: "keypair",
          login_keypair: keyPair.id,
          need_userdata: "1",
          userdata_type: "exec",
          userdata_value: hidden,
        },
      ],
    ],
    replacedBy: { zone: "gpu2a", privateIp: "192.168.1.3", userData: `${userData}#`, keypairId: "kp-other" },
    updates: [
      { to: { name: "mine" }, by: [["ModifyInstanceAttributes", { instance: "ID", instance_name: "mine" }]] },
    ],
    deleted: [["TerminateInstances", { "instances.1": "ID", direct_cease: "1" }]],
    lostByImport: ["hostname", "userData"],
  });
});

test("Instance by size: cpu, memory in MB and GPUs are asked for, and there is no drift", async () => {
  const inputs = { ...own, imageId: "img-deeplearning", cpu: 16, memoryGiB: 64, gpus: 1 };
  const place = { vxnetId: vxnet.id, privateIp: "192.168.1.4", keypairId: keyPair.id };
  const before = cloud.calls().length;
  const instance = await plugin.create(urnOf("cloud:Instance", "sized"), { ...inputs, ...place });
  const run = cloud
    .calls()
    .slice(before)
    .find(({ action }) => action === "RunInstances");
  expect(run?.parameters).toMatchObject({ cpu: "16", memory: "65536", gpu: "1" });
  expect(run?.parameters).not.toHaveProperty("instance_type");
  expect(await plugin.read(instance)).toEqual(instance);
  await plugin.delete(instance);
});

test("an instance that the zone has no hosts for is told with shape, zone and advice, and nothing is left", async () => {
  const inputs = { ...own, imageId: "img-deeplearning", instanceType: "no-such-type", vxnetId: vxnet.id };
  const place = { privateIp: "192.168.1.5", keypairId: keyPair.id };
  await expect(plugin.create(urnOf("cloud:Instance", "none"), { ...inputs, ...place })).rejects.toThrow(
    /no-such-type/,
  );
});

test("deletes wait while something still depends on the resource", async () => {
  const deletes = made.map((each) => plugin.delete(each));
  await Promise.all(deletes);
  const { zones } = JSON.parse(
    JSON.stringify(await Promise.all(made.map(async (each) => await plugin.read(each)))),
  ) as { zones?: unknown };
  expect(zones).toBeUndefined();
  for (const each of made) expect(await plugin.read(each)).toBeUndefined();
});
