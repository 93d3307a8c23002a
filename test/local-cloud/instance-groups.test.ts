/** Which security group an instance has, by the networks that it is in. */
import { beforeAll, expect, test } from "vitest";
import { makeKeyPair, makeNetwork, runInstance } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();
let vxnet: string;
let keypair: string;
let group: string;
beforeAll(async () => {
  ({ vxnet } = await makeNetwork(client));
  keypair = await makeKeyPair(client);
  group = String((await client.ok("CreateSecurityGroup", {})).security_group_id);
});

const makeInstance = (parameters: Readonly<Record<string, string>>) =>
  runInstance(client, keypair, parameters);
const groupOf = async (instance: string) =>
  (await client.one("DescribeInstances", "instance_set", { "instances.1": instance, verbose: "1" }))
    .security_group;

test("the default group comes with vxnet-0 and stays behind with it", async () => {
  const instance = await makeInstance({ "vxnets.1": vxnet });
  expect(await groupOf(instance)).toEqual({});
  await client.done("JoinVxnet", { vxnet: "vxnet-0", "instances.1": instance });
  expect(await groupOf(instance)).toMatchObject({ is_default: 1 });
  await client.done("LeaveVxnet", { vxnet: "vxnet-0", "instances.1": instance });
  expect(await groupOf(instance)).toEqual({});
});

test("a group of its own is kept when it joins vxnet-0 and when it leaves", async () => {
  const instance = await makeInstance({ "vxnets.1": vxnet });
  await client.done("ApplySecurityGroup", { security_group: group, "instances.1": instance });
  await client.done("JoinVxnet", { vxnet: "vxnet-0", "instances.1": instance });
  await client.done("LeaveVxnet", { vxnet: "vxnet-0", "instances.1": instance });
  expect(await groupOf(instance)).toEqual({ security_group_id: group, is_default: 0 });
});

test("RunInstances gives a group in vxnet-0 alone", async () => {
  const elsewhere = await makeInstance({ "vxnets.1": vxnet, security_group: group });
  expect(await groupOf(elsewhere)).toEqual({});
  const there = await makeInstance({ "vxnets.1": "vxnet-0", security_group: group });
  expect(await groupOf(there)).toEqual({ security_group_id: group, is_default: 0 });
});
