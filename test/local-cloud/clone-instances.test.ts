import { beforeAll, expect, test } from "vitest";
import { firstId, makeKeyPair, makeNetwork, runInstance } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();
let keypair: string;
beforeAll(async () => {
  keypair = await makeKeyPair(client);
});

const run = (more: Readonly<Record<string, string>> = {}) =>
  runInstance(client, keypair, { instance_name: "source", ...more });
const now = (id: string) =>
  client.one("DescribeInstances", "instance_set", { "instances.1": id, verbose: "1" });

test("clones run with the shape, the key pairs and copies of the volumes, each where it is told to be", async () => {
  const { vxnet } = await makeNetwork(client);
  const source = await run({ "vxnets.1": `${vxnet}|192.168.1.7`, os_disk_size: "50" });
  const stopped = await run();
  const volume = firstId((await client.done("CreateVolumes", { size: "20", volume_name: "data" })).volumes);
  await client.done("AttachVolumes", { "volumes.1": volume, instance: source });
  await client.done("StopInstances", { "instances.1": stopped });
  const reply = await client.done("CloneInstances", {
    "instances.1": source,
    "instances.2": stopped,
    "vxnets.1": `'${source}|${vxnet}|192.168.1.9'`,
    "vxnets.2": `${stopped}|${vxnet}`,
  });
  const [first = "", second = ""] = reply.instances as string[];
  const copy = expect.stringMatching(/^vol-[a-z0-9]{8}$/);
  expect(reply.instance_set).toEqual({
    [source]: { instance_map: { [source]: first }, volumes_map: { [volume]: copy } },
    [stopped]: { instance_map: { [stopped]: second } },
  });
  const made = await now(first);
  expect(made).toMatchObject({
    instance_name: "source",
    hostname: first,
    status: "running",
    transition_status: "",
    vcpus_current: 2,
    memory_current: 2048,
    extra: { os_disk_size: 50 },
    keypair_ids: [keypair],
    vxnets: [{ vxnet_id: vxnet, private_ip: "192.168.1.9" }],
    volumes: [{ volume_id: copy, volume_name: "data", size: 20 }],
  });
  expect(made.volume_ids).not.toContain(volume);
  expect(await now(source)).toMatchObject({ volume_ids: [volume], vxnets: [{ private_ip: "192.168.1.7" }] });
  expect(await now(second)).toMatchObject({ status: "running", vxnets: [{ private_ip: "192.168.1.2" }] });
  const [copied = ""] = made.volume_ids as string[];
  expect(await client.one("DescribeVolumes", "volume_set", { "volumes.1": copied })).toMatchObject({
    status: "in-use",
    instance: { instance_id: first },
  });
});

test("a clone that is told no vxnet is in none", async () => {
  const source = await run({ "vxnets.1": "vxnet-0" });
  const id = firstId((await client.done("CloneInstances", { "instances.1": source })).instances);
  expect(await now(id)).toMatchObject({ status: "running", vxnets: [] });
});

test("what can not be cloned is refused, and nothing is made", async () => {
  const { vxnet } = await makeNetwork(client);
  const source = await run();
  const before = (await client.ok("DescribeInstances")).total_count;
  const allowed = `instance-id|vxnet-id or instance-id|vxnet-id|address with an instance of [${source}]`;
  for (const text of [vxnet, `i-other000|${vxnet}`, `${source}|${vxnet}|192.168.1.3|x`]) {
    expect(await client.call("CloneInstances", { "instances.1": source, "vxnets.1": text })).toEqual({
      ret_code: 1101,
      message: `InvalidParameterValue, parameter [vxnets.1] is [${text}], allowed: ${allowed}`,
    });
  }
  const twice = { "vxnets.1": `${source}|${vxnet}`, "vxnets.2": `${source}|${vxnet}|192.168.1.3` };
  expect(await client.call("CloneInstances", { "instances.1": source, ...twice })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, an instance can be in vxnet [${vxnet}] once only`,
  });
  await client.done("TerminateInstances", { "instances.1": source });
  expect(await client.call("CloneInstances", { "instances.1": source })).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, instance [${source}] does not exist`,
  });
  expect((await client.ok("DescribeInstances")).total_count).toBe(Number(before) - 1);
});
