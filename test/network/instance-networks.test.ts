/** Instances on their networks, in a whole cloud: what its API is told is what packets meet. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  firstId,
  makeKeyPair,
  makeNetwork,
  runInstance,
  startTestCloud,
  type TestCloud,
} from "../local-cloud/support.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { output } from "./support.ts";

describe("an instance on its networks", { timeout: 60_000 }, () => {
  let cloud: TestCloud;
  let vxnet: string;
  let instance: string;
  let eip: { readonly id: string; readonly address: string };

  const ask = (action: string, parameters: Readonly<Record<string, string>>) =>
    cloud.client.done(action, parameters);
  const described = () =>
    cloud.client.one("DescribeInstances", "instance_set", { "instances.1": instance, verbose: "1" });
  async function inNode(...command: string[]): Promise<string> {
    const node = (await cloud.status()).nodes.find(({ id }) => id === instance);
    return await output("ip", "netns", "exec", node?.namespace ?? "none", ...command);
  }
  /** Whether its SSH answers somebody in the internet. */
  async function answers(): Promise<boolean> {
    const [router] = (await cloud.status()).routers;
    const internet = router?.namespace.replace(/-rtr-.*/, "-internet") ?? "none";
    const knock = `echo > /dev/tcp/${eip.address}/22 && echo open`;
    return (await output("ip", "netns", "exec", internet, "timeout", "1", "bash", "-c", knock)) === "open\n";
  }
  async function makeGroup(): Promise<string> {
    const id = String((await cloud.client.ok("CreateSecurityGroup", {})).security_group_id);
    await ask("ApplySecurityGroup", { security_group: id });
    return id;
  }

  beforeAll(async () => {
    requireDataPlane();
    cloud = await startTestCloud({ dataPlane: "linux" });
    const { client } = cloud;
    ({ vxnet } = await makeNetwork(client));
    instance = await runInstance(client, await makeKeyPair(client), { "vxnets.1": "vxnet-0" });
    const id = firstId((await client.ok("AllocateEips", { bandwidth: "10" })).eips);
    const { eip_addr } = await client.one("DescribeEips", "eip_set", { "eips.1": id });
    eip = { id, address: String(eip_addr) };
  });
  afterAll(async () => {
    await cloud?.stop();
  });

  test("in vxnet-0 it has an address of the base network, and the default group", async () => {
    const { vxnets, security_group } = await described();
    expect(security_group).toMatchObject({ is_default: 1 });
    const [nic] = vxnets as { private_ip: string; vxnet_id: string }[];
    expect(nic).toMatchObject({ vxnet_id: "vxnet-0", private_ip: "10.131.1.2" });
    expect(await inNode("ip", "address", "show", "eth0")).toContain("inet 10.131.1.2/24 ");
  });

  test("an EIP associated with it leads to it, until it is dissociated", async () => {
    await ask("AssociateEip", { eip: eip.id, instance });
    expect(await answers()).toBe(true);
    await ask("DissociateEips", { "eips.1": eip.id });
    expect(await answers()).toBe(false);
    await ask("AssociateEip", { eip: eip.id, instance });
  });

  test("another group applied to it guards it at once; its new rule holds once it is applied", async () => {
    const group = await makeGroup();
    await ask("ApplySecurityGroup", { security_group: group, "instances.1": instance });
    expect(await answers()).toBe(false);
    const rule = { protocol: "tcp", priority: "1", action: "accept", val1: "22", val2: "22" };
    const rules = Object.fromEntries(Object.entries(rule).map(([key, value]) => [`rules.1.${key}`, value]));
    await cloud.client.ok("AddSecurityGroupRules", { security_group: group, ...rules });
    expect(await answers()).toBe(false);
    await ask("ApplySecurityGroup", { security_group: group });
    expect(await answers()).toBe(true);
  });

  test("what it joins and leaves while it is stopped is so at its next start, and its address is kept", async () => {
    await ask("JoinVxnet", { vxnet: `${vxnet}|192.168.1.7`, "instances.1": instance });
    expect(await inNode("ip", "address", "show", "eth1")).toContain("inet 192.168.1.7/24 ");
    await ask("StopInstances", { "instances.1": instance });
    await ask("LeaveVxnet", { vxnet: "vxnet-0", "instances.1": instance });
    await ask("ResizeInstances", { "instances.1": instance, cpu: "4", memory: "4096" });
    await ask("StartInstances", { "instances.1": instance });
    expect(await inNode("ip", "address", "show", "eth0")).toContain("inet 192.168.1.7/24 ");
    expect(await inNode("ip", "link", "show", "eth1")).toContain("does not exist");
    expect(await answers()).toBe(true);
    await ask("RestartInstances", { "instances.1": instance });
    expect(await inNode("ip", "address", "show", "eth0")).toContain("inet 192.168.1.7/24 ");
  });
});
