/** What a zone does not give: an exhausted quota is told by name and number, missing capacity by zone and shape. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Properties } from "../../../provider/rpc/values.ts";
import { Account, changesOf, failureOf } from "../../harness/account.ts";
import { publicKey, type TestClient } from "../../local-cloud/support.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let account: Account;
let plugin: Plugin;
beforeAll(async () => {
  account = await Account.start();
  [, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
});
afterAll(async () => await account?.stop());

interface Full {
  readonly type: string;
  /** Told in the error. */
  readonly short: string;
  readonly zone?: "gpu2a";
  readonly action: string;
  /** Leaves less than is wanted. */
  fill(client: TestClient, zone: string): Promise<unknown>;
  readonly inputs: Properties;
}

const times = async (count: number, work: (index: number) => Promise<unknown>) => {
  for (let index = 0; index < count; index++) await work(index);
};
const server = { image_id: "img-bare", login_mode: "passwd", login_passwd: "Passw0rd!x" };

const full: readonly Full[] = [
  {
    type: "Eip",
    short: "eip_bandwidth (10 wanted, 5 left)",
    zone: "gpu2a",
    action: "AllocateEips",
    async fill(client, zone) {
      await client.ok("AllocateEips", { zone, count: "19", bandwidth: "1000" });
      await client.ok("AllocateEips", { zone, bandwidth: "995", eip_name: "full" });
    },
    inputs: { bandwidth: 10 },
  },
  {
    type: "Eip",
    short: "eip (1 wanted, 0 left)",
    action: "AllocateEips",
    // The router of the surroundings has one.
    fill: (client) => client.ok("AllocateEips", { count: "99", bandwidth: "1" }),
    inputs: { bandwidth: 10 },
  },
  {
    type: "SecurityGroup",
    short: "security_group (1 wanted, 0 left)",
    zone: "gpu2a",
    action: "CreateSecurityGroup",
    fill: (client, zone) => times(100, () => client.ok("CreateSecurityGroup", { zone })),
    inputs: {},
  },
  {
    type: "KeyPair",
    short: "keypair (1 wanted, 0 left)",
    zone: "gpu2a",
    action: "CreateKeyPair",
    fill: (client, zone) =>
      times(200, () => client.ok("CreateKeyPair", { zone, mode: "user", public_key: publicKey })),
    inputs: { publicKey },
  },
  {
    type: "Vpc",
    short: "router (1 wanted, 0 left)",
    zone: "gpu2a",
    action: "CreateRouters",
    fill: (client, zone) => client.done("CreateRouters", { zone, count: "50", vpc_network: "172.16.0.0/16" }),
    inputs: { vpcNetwork: "192.168.0.0/16" },
  },
  {
    type: "Vxnet",
    short: "vxnet (1 wanted, 0 left)",
    zone: "gpu2a",
    action: "CreateVxnets",
    fill: (client, zone) => client.ok("CreateVxnets", { zone, vxnet_type: "1", count: "100" }),
    // Nothing is joined to it.
    inputs: { vpcId: "rtr-any00000", ipNetwork: "192.168.1.0/24" },
  },
  {
    type: "Volume",
    short: "volume_size (100 wanted, 0 left)",
    zone: "gpu2a",
    action: "CreateVolumes",
    fill: (client, zone) => client.done("CreateVolumes", { zone, count: "50", size: "1000" }),
    inputs: { sizeGiB: 100 },
  },
  {
    type: "Volume",
    short: "volume (1 wanted, 0 left)",
    action: "CreateVolumes",
    fill: (client) => client.done("CreateVolumes", { count: "100", size: "10" }),
    inputs: { sizeGiB: 10 },
  },
  {
    type: "Tag",
    short: "tag (1 wanted, 0 left)",
    zone: "gpu2a",
    action: "CreateTag",
    fill: (client, zone) =>
      times(100, (index) => client.ok("CreateTag", { zone, tag_name: `t${index}`, color: "#123" })),
    inputs: {},
  },
  {
    type: "Instance",
    short: "cpu (16 wanted, 0 left)",
    zone: "gpu2a",
    action: "RunInstances",
    fill: (client, zone) =>
      client.done("RunInstances", { ...server, zone, count: "64", cpu: "16", memory: "16384" }),
    inputs: { imageId: "img-bare", cpu: 16, memoryGiB: 16, vxnetId: "vxnet-0", keypairId: "" },
  },
  {
    type: "Instance",
    short: "instance (1 wanted, 0 left)",
    action: "RunInstances",
    // One is among the surroundings.
    fill: (client) => client.done("RunInstances", { ...server, count: "99", instance_type: "c1m1" }),
    inputs: { imageId: "img-bare", instanceType: "c1m1", vxnetId: "vxnet-0", keypairId: "" },
  },
];

test.each(full.map((each) => [each.type, each.short, each] as const))(
  "%s: an exhausted quota is %s, and nothing is made",
  async (type, short, { zone = "gpu1a", action, fill, inputs }) => {
    await fill(account.client, zone);
    const login = "keypairId" in inputs ? { keypairId: await keyPairOf(zone) } : {};
    const name = `full-${short}`;
    const urn = urnOf(`cloud:${type}`, name);
    const calls = await account.callsBy(async () => {
      const { name, message } = await failureOf(
        plugin.create(urn, { zone, mark: "0badcafe", ...inputs, ...login }),
      );
      expect([name, message]).toEqual([
        "Error",
        `The quota of zone ${zone} is exhausted: ${short}. Delete what is not needed there, or ask QingCloud for more.`,
      ]);
    });
    expect(changesOf(calls)).toEqual([`${action} 2500`]);
    expect(account.engine.toldOf(urn)).toEqual([]);
  },
);

async function keyPairOf(zone: string): Promise<string> {
  return String((await account.client.one("DescribeKeyPairs", "keypair_set", { zone })).keypair_id);
}

test("a bandwidth that would grow over the quota stays as it is", async () => {
  const eips = (await account.client.ok("DescribeEips", { zone: "gpu2a", limit: "100" })).eip_set;
  const smaller = (eips as { eip_id: string; bandwidth: number }[]).find(
    ({ bandwidth }) => bandwidth === 995,
  );
  const eip = await plugin.import(urnOf("cloud:Eip", "grows"), `gpu2a/${smaller?.eip_id}`);
  if (eip === undefined) throw new Error("the EIP that filled the quota is gone");
  const calls = await account.callsBy(async () => {
    await account.client.ok("AllocateEips", { zone: "gpu2a", bandwidth: "3" });
    const { message } = await failureOf(plugin.update(eip, { ...eip.inputs, bandwidth: 1000 }));
    expect(message).toBe(
      "The quota of zone gpu2a is exhausted: eip_bandwidth (5 wanted, 2 left). Delete what is not needed there, or ask QingCloud for more.",
    );
  });
  expect(changesOf(calls)).toEqual(["AllocateEips", "ChangeEipsBandwidth 2500"]);
  expect(await plugin.read(eip)).toEqual(eip);
});

describe("a zone whose sixteen GPUs are taken", () => {
  let cloud: Account;
  let by: Plugin;
  let at: Grounds;
  const gpu = { imageId: "img-bare", instanceType: "g2ntp100.4xlarge.r4" };
  beforeAll(async () => {
    cloud = await Account.start();
    [at, by] = await Promise.all([Grounds.make(cloud.client), cloud.plugin()]);
    const eight = { ...server, count: "8", instance_type: "g2ntp100.8xlarge.r4" };
    await cloud.client.done("RunInstances", eight);
  });
  afterAll(async () => await cloud?.stop());
  const place = () => ({ vxnetId: at.shared.vxnet, keypairId: at.shared.keyPair });
  const create = (name: string, inputs: Properties): Promise<Resource> =>
    by.create(urnOf("cloud:Instance", name), { zone: "gpu1a", mark: "0badcafe", ...place(), ...inputs });

  test.each([
    [
      "a shape by its type",
      gpu,
      /^Zone gpu1a cannot give an instance of .*g2ntp100\.4xlarge\.r4.* now\. RunInstances was refused with 5200 \(the zone has not enough resources of this kind\): InsufficientResources, zone \[gpu1a\] has 0 of 16 GPUs left, 1 wanted\. The account's other zones: gpu2a\. Try one of them, another shape, or later\.$/,
    ],
    [
      "a GPU class that it does not have",
      { imageId: "img-bare", cpu: 16, memoryGiB: 64, gpus: 1, gpuClass: 2 },
      /^Zone gpu1a cannot give an instance of .*16.*64.*1.* now\. RunInstances was refused with 5200 .*zone \[gpu1a\] has no GPU host for \[.*\], it has NVIDIA P100 \(gpu_class 0\)\. The account's other zones: gpu2a\. /,
    ],
  ])("%s is told with zone, shape and the other zones, and nothing is made", async (name, inputs, told) => {
    const calls = await cloud.callsBy(async () => {
      const error = await failureOf(create(name, inputs));
      expect(error.name).toBe("Error");
      expect(error.message).toMatch(told);
    });
    expect(changesOf(calls)).toEqual(["RunInstances 5200"]);
  });

  test("a resize to a GPU is told so, and the instance runs on as it was", async () => {
    const instance = await create("resized", { imageId: "img-bare", instanceType: "c1m1" });
    const calls = await cloud.callsBy(async () => {
      const error = await failureOf(
        by.update(instance, { ...instance.inputs, instanceType: gpu.instanceType }),
      );
      expect(error.message).toMatch(
        /^Zone gpu1a cannot give an instance of .* The account's other zones: gpu2a\./,
      );
    });
    expect(changesOf(calls)).toEqual(["StopInstances", "ResizeInstances 5200", "StartInstances"]);
    const found = await cloud.client.one("DescribeInstances", "instance_set", { "instances.1": instance.id });
    expect(found).toMatchObject({ status: "running", transition_status: "", instance_type: "c1m1" });
    expect(await by.read(instance)).toEqual(instance);
  });

  test("another zone gives it", async () => {
    const { vxnet, keyPair } = (await Grounds.make(cloud.client, "gpu2a")).shared;
    const made = await by.create(urnOf("cloud:Instance", "elsewhere"), {
      ...{ zone: "gpu2a", mark: "0badcafe", vxnetId: vxnet, keypairId: keyPair },
      ...gpu,
    });
    expect(made.properties).toMatchObject(gpu);
  });
});

test("a quota that the cloud does not tell is told by its words after three tries, with what is left of the others", async () => {
  const cloud = await Account.start();
  try {
    const by = await cloud.plugin();
    const fault = { action: "AllocateEips", kind: "refuse", code: 2500, message: "one more quota" } as const;
    await cloud.cloud.fault({ ...fault, times: 1000 });
    const calls = await cloud.callsBy(async () => {
      const inputs = { zone: "gpu2a", mark: "0badcafe", bandwidth: 10 };
      const { message } = await failureOf(by.create(urnOf("cloud:Eip", "refused"), inputs));
      expect(message).toBe(
        "AllocateEips was refused with 2500 (quota exceeded): one more quota. It was refused so 3 times, while other calls were answered. The quota of zone gpu2a: eip (1 wanted, 100 left), eip_bandwidth (10 wanted, 20000 left). Delete what is not needed there, or ask QingCloud for more.",
      );
    });
    expect(changesOf(calls)).toEqual(Array(3).fill("AllocateEips 2500"));
  } finally {
    await cloud.stop();
  }
});
