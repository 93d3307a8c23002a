import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Properties } from "../../provider/rpc/values.ts";
import { Cloud } from "../harness/cloud.ts";
import { publicKey } from "../local-cloud/support.ts";
import { Plugin, urnOf } from "./plugin.ts";
import { HalfMade, type Resource } from "./plugin-answers.ts";

let cloud: Cloud;
/** The provider's real executable. */
let plugin: Plugin;
beforeAll(async () => {
  cloud = await Cloud.here();
  plugin = await Plugin.start(cloud.configFile);
});
afterAll(async () => {
  await plugin?.stop();
  await cloud?.remove();
});

const plugins: Plugin[] = [];
/** As another run has it, in this process: nothing is remembered but what the test hands over. */
async function freshPlugin(configFile: string | undefined = cloud.configFile): Promise<Plugin> {
  const started = await Plugin.here(configFile);
  plugins.push(started);
  return started;
}
afterEach(async () => {
  for (const each of plugins.splice(0)) await each.stop();
});

const own = { zone: "gpu1a", mark: "0badcafe" };
const router = { ...own, vpcNetwork: "192.168.0.0/16" };
const make = (type: string, inputs: Properties, by = plugin, name = "one") =>
  by.create(urnOf(`cloud:${type}`, name), { ...own, ...inputs });
const server = { imageId: "img-deeplearning", instanceType: "g2ntp100.4xlarge.r4" };

test("everything that a run made whose state was lost is found by the next, and nothing is made twice", async () => {
  const makeAll = async (by: Plugin, bandwidth: number): Promise<Resource[]> => {
    const eip = await make("Eip", { bandwidth }, by);
    const group = await make("SecurityGroup", { rules: [{ protocol: "esp" }] }, by);
    const keyPair = await make("KeyPair", { publicKey }, by);
    const vpc = await make("Vpc", { ...router, eipId: eip.id, securityGroupId: group.id }, by);
    const vxnet = await make("Vxnet", { vpcId: vpc.id, ipNetwork: "192.168.1.0/24" }, by);
    const place = { vxnetId: vxnet.id, privateIp: "192.168.1.2", keypairId: keyPair.id };
    const instance = await make("Instance", { ...server, ...place }, by);
    const forward = { vpcId: vpc.id, sourcePort: 2201, targetAddress: "192.168.1.2", targetPort: 22 };
    return [eip, group, keyPair, vpc, vxnet, instance, await make("PortForward", forward, by)];
  };
  const first = await makeAll(plugin, 10);
  let second: Resource[] = [];
  const changes = await cloud.changesBy(async () => {
    second = await makeAll(await freshPlugin(), 20);
  });
  expect(second.map(({ id }) => id)).toEqual(first.map(({ id }) => id));
  const actions = changes.map(([action]) => action);
  expect(actions.filter((action) => /^(Allocate|Create|Run|Add|Join|Delete)/.test(action))).toEqual([]);
  expect(actions).toContain("ChangeEipsBandwidth");
  await Promise.all(second.reverse().map((each) => plugin.delete(each)));
});

test("a name that two resources have is not chosen from: both ids are told, and nothing is made", async () => {
  const allocate = () => cloud.client.ok("AllocateEips", { bandwidth: "1", eip_name: "twice" });
  const ids = [await allocate(), await allocate()].map(({ eips }) => (eips as string[])[0] ?? "");
  let error: unknown;
  const changes = await cloud.changesBy(async () => {
    error = await make("Eip", { bandwidth: 1, name: "twice" }).catch((reason: unknown) => reason);
  });
  for (const id of ids) expect((error as Error).message).toContain(id);
  expect(changes).toEqual([]);
  for (const id of ids) await cloud.client.done("ReleaseEips", { "eips.1": id });
});

test("statics that are made, and deleted, at the same time are applied by two UpdateRouters at most", async () => {
  const vpc = await make("Vpc", router, plugin, "statics");
  const forwardOf = (index: number) => ({
    ...{ vpcId: vpc.id, sourcePort: 3000 + index, targetAddress: "192.168.1.2", targetPort: 22 },
  });
  let forwards: Resource[] = [];
  const made = await cloud.changesBy(async () => {
    const all = Array.from({ length: 12 }, (_, index) => index);
    forwards = await Promise.all(
      all.map((index) => make("PortForward", forwardOf(index), plugin, `f-${index}`)),
    );
  });
  const count = (changes: typeof made, name: string) => changes.filter(([action]) => action === name).length;
  expect(count(made, "AddRouterStatics")).toBe(12);
  expect(count(made, "UpdateRouters")).toBeLessThanOrEqual(2);
  expect(made.at(-1)?.[0]).toBe("UpdateRouters");
  const deleted = await cloud.changesBy(() => Promise.all(forwards.map((each) => plugin.delete(each))));
  expect(count(deleted, "DeleteRouterStatics")).toBe(12);
  expect(count(deleted, "UpdateRouters")).toBeLessThanOrEqual(2);
  expect(deleted.at(-1)?.[0]).toBe("UpdateRouters");
  await plugin.delete(vpc);
});

test("resources that are deleted at the same time wait for those that use them", async () => {
  const eip = await make("Eip", { bandwidth: 1 }, plugin, "d");
  const group = await make("SecurityGroup", { rules: [] }, plugin, "d");
  const vpc = await make("Vpc", { ...router, eipId: eip.id, securityGroupId: group.id }, plugin, "d");
  const vxnet = await make("Vxnet", { vpcId: vpc.id, ipNetwork: "192.168.1.0/24" }, plugin, "d");
  await Promise.all([eip, group, vpc, vxnet].map((each) => plugin.delete(each)));
  for (const each of [eip, group, vpc, vxnet]) expect(await plugin.read(each)).toBeUndefined();
});

test("a security group's update adds what is missing, deletes what is too much, and applies", async () => {
  const ssh = { protocol: "tcp", fromPort: 22, toPort: 22, cidrBlock: "203.0.113.1/32" };
  const group = await make("SecurityGroup", { rules: [ssh, { protocol: "esp" }] }, plugin, "rules");
  const news = { ...own, rules: [{ protocol: "ah" }, ssh] };
  let updated = group;
  const changes = await cloud.changesBy(async () => {
    updated = await plugin.update(group, news);
  });
  expect(changes).toEqual([
    [
      "AddSecurityGroupRules",
      {
        security_group: group.id,
        "rules.1.protocol": "ah",
        "rules.1.priority": "0",
        "rules.1.action": "accept",
        "rules.1.direction": "0",
      },
    ],
    ["DeleteSecurityGroupRules", { "security_group_rules.1": expect.stringMatching(/^sgr-/) }],
    ["ApplySecurityGroup", { security_group: group.id }],
  ]);
  expect(await plugin.read(updated)).toEqual(updated);
  // Another order is no other firewall: the state follows, the cloud is left alone.
  const turned = { ...own, rules: [ssh, { protocol: "ah" }] };
  expect(await cloud.changesBy(() => plugin.update(updated, turned))).toEqual([]);
  await plugin.delete(updated);
});

test("an instance by size asks for CPUs, memory in MB and GPUs, and has no drift", async () => {
  const vpc = await make("Vpc", router, plugin, "size");
  const vxnet = await make("Vxnet", { vpcId: vpc.id, ipNetwork: "192.168.1.0/24" }, plugin, "size");
  const keyPair = await make("KeyPair", { publicKey }, plugin, "size");
  const place = { vxnetId: vxnet.id, privateIp: "192.168.1.4", keypairId: keyPair.id };
  const size = { imageId: "img-deeplearning", cpu: 16, memoryGiB: 64, gpus: 1 };
  let instance: Resource | undefined;
  const [[, asked] = []] = await cloud.changesBy(async () => {
    instance = await make("Instance", { ...size, ...place }, plugin, "size");
  });
  if (instance === undefined) throw new Error("no instance");
  expect(asked).toMatchObject({ cpu: "16", memory: "65536", gpu: "1" });
  expect(asked).not.toHaveProperty("instance_type");
  expect(await plugin.read(instance)).toEqual(instance);
  for (const each of [instance, keyPair, vxnet, vpc]) await plugin.delete(each);
});

test("a provider that is not configured, and a type that it does not have, are told", async () => {
  const bare = await Plugin.here();
  plugins.push(bare);
  await expect(bare.create(urnOf("cloud:Eip", "x"), { ...own, bandwidth: 1 })).rejects.toThrow(
    "The provider was asked to work before it was configured.",
  );
  await expect(bare.check(urnOf("cloud:Snapshot", "x"), {})).rejects.toThrow(
    /^"qingcloud:cloud:Snapshot" is no resource of this provider; there are: .*qingcloud:cloud:Eip/,
  );
});

test("a wrong secret is the cloud's 1200, with the file to look at and without the secret", async () => {
  const wrong = "notTheSecretOfThisAccount0123456789abcdef";
  const file = join(cloud.directory, "wrong.yaml");
  const right = readFileSync(cloud.configFile, "utf8");
  const text = right.replace(/qy_secret_access_key: .*/, `qy_secret_access_key: '${wrong}'`);
  writeFileSync(file, text, { mode: 0o600 });
  const stranger = await freshPlugin(file);
  let error: unknown;
  const changes = await cloud.changesBy(async () => {
    error = await make("Eip", { bandwidth: 5 }, stranger).catch((reason: unknown) => reason);
  });
  const { message } = error as Error;
  expect(message).toContain(
    "DescribeZones was refused with 1200 (authentication failed: unknown access key or wrong signature)",
  );
  expect(message).toContain(`Check the access key and secret of ${file}.`);
  expect(message).not.toContain(wrong);
  expect(changes).toEqual([]);
});

describe("a create that is cancelled", () => {
  // A given name is an input and an output: it alone must not make a half-made resource look finished.
  test.each([
    ["with a name of its own", { name: "mine" }],
    ["with a name that is made", {}],
  ])("%s keeps its id, and the next run finishes it: its EIP is bound and applied", async (_, naming) => {
    const cancelled = await freshPlugin();
    await cloud.hold("CreateRouters");
    const eip = await cancelled.create(urnOf("cloud:Eip", JSON.stringify(naming)), { ...own, bandwidth: 1 });
    const inputs = { ...router, ...naming, eipId: eip.id };
    const before = cloud.calls().length;
    const made = cancelled.create(urnOf("cloud:Vpc", "half"), inputs).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const since = () => cloud.calls().slice(before);
    // It has the router's id once it waits for the job that makes the router.
    await vi.waitFor(() => expect(since().map(({ action }) => action)).toContain("DescribeJobs"), {
      timeout: 20_000,
    });
    await cancelled.cancel();
    const error = await made;
    if (!(error instanceof HalfMade)) throw new Error(`not half-made but ${String(error)}`);
    expect(error.message).toBe("cancelled; the next run finishes what was begun");
    const { id, inputs: kept, properties } = error.resource;
    expect(id).toMatch(/^rtr-/);
    expect(kept).toEqual({ ...inputs, type: 1 });
    // Without its outputs, so that the next run sees an unfinished one.
    const { name: _name, ...nameless } = kept;
    expect(properties).toEqual(nameless);
    await cancelled.stop();

    await cloud.letGo();
    const next = await freshPlugin();
    const finished = await next.update(error.resource, inputs);
    expect(since().filter(({ action }) => action === "CreateRouters")).toHaveLength(1);
    const found = await cloud.client.one("DescribeRouters", "router_set", { "routers.1": finished.id });
    expect(found).toMatchObject({ is_applied: 1, eip: { eip_id: eip.id } });
    expect(await next.read(finished)).toEqual(finished);
    await next.delete(finished);
    await next.delete(eip);
  });
});
