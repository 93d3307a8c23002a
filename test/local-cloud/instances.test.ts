import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { firstId, makeKeyPair, makeNetwork, publicKey, publicKeyBody } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();
let keypair: string;
beforeAll(async () => {
  keypair = await makeKeyPair(client);
});

const wanted = (more: Readonly<Record<string, string>> = {}) => ({
  image_id: "img-deeplearning",
  cpu: "2",
  memory: "4096",
  login_mode: "keypair",
  login_keypair: keypair,
  ...more,
});
const run = async (more: Readonly<Record<string, string>> = {}): Promise<string> =>
  firstId((await client.done("RunInstances", wanted(more))).instances);
const now = (id: string) =>
  client.one("DescribeInstances", "instance_set", { "instances.1": id, verbose: "1" });

test("an instance has what clients read, and its life goes through the documented states", async () => {
  const { vxnet } = await makeNetwork(client);
  const id = await run({ "vxnets.1": `${vxnet}|192.168.1.7`, instance_name: "node", hostname: "node-0" });
  expect(await now(id)).toMatchObject({
    instance_id: id,
    instance_name: "node",
    instance_type: "c2m4",
    vcpus_current: 2,
    memory_current: 4096,
    status: "running",
    transition_status: "",
    image: { image_id: "img-deeplearning" },
    vxnets: [
      {
        vxnet_id: vxnet,
        private_ip: "192.168.1.7",
        nic_id: expect.stringMatching(/^52:54(:[0-9a-f]{2}){4}$/),
      },
    ],
    extra: { os_disk_size: 20 },
    keypair_ids: [keypair],
  });
  expect(await client.call("StartInstances", { "instances.1": id })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, instance [${id}] is not stopped, can not be started`,
  });
  await client.done("StopInstances", { "instances.1": id });
  expect(await client.call("StopInstances", { "instances.1": id })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, instance [${id}] is not running, can not be stopped`,
  });
  await client.done("ResizeInstances", { "instances.1": id, cpu: "4", memory: "8192", os_disk_size: "50" });
  await client.done("StartInstances", { "instances.1": id });
  await client.done("RestartInstances", { "instances.1": id });
  expect(await now(id)).toMatchObject({ status: "running", vcpus_current: 4, extra: { os_disk_size: 50 } });
  expect(await client.call("ResizeInstances", { "instances.1": id, cpu: "2" })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, instance [${id}] is not stopped, can not be resized`,
  });
  await client.ok("ModifyInstanceAttributes", { instance: id, instance_name: "renamed" });
  expect(await client.call("DeleteVxnets", { "vxnets.1": vxnet })).toMatchObject({
    ret_code: 5400,
    message: expect.stringMatching(new RegExp(`\\[rtr-\\w{8}, ${id}\\]`)),
  });
  expect(await client.call("DeleteKeyPairs", { "keypairs.1": keypair })).toEqual({
    ret_code: 5400,
    message: `DependencyExists, key pair [${keypair}] is used by [${id}], can not be deleted`,
  });
  expect(await client.call("CeaseInstances", { "instances.1": id })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, instance [${id}] is not terminated, can not be ceased`,
  });
  await client.done("TerminateInstances", { "instances.1": id });
  expect(await now(id)).toMatchObject({
    status: "terminated",
    instance_name: "renamed",
    vxnets: [{ vxnet_id: vxnet, private_ip: "192.168.1.7" }],
    keypair_ids: [],
  });
  expect(await client.call("DeleteVxnets", { "vxnets.1": vxnet })).toMatchObject({
    ret_code: 5400,
    message: expect.stringMatching(new RegExp(`\\[rtr-\\w{8}, ${id} in the recycle bin\\]`)),
  });
  expect(await client.call("RunInstances", wanted({ "vxnets.1": `${vxnet}|192.168.1.7` }))).toEqual({
    ret_code: 2110,
    message: `ResourceAlreadyExists, address [192.168.1.7] of vxnet [${vxnet}] is taken by [${id}]`,
  });
  expect(await client.call("TerminateInstances", { "instances.1": id })).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, instance [${id}] does not exist`,
  });
  await client.done("CeaseInstances", { "instances.1": id });
  expect(await now(id)).toMatchObject({ status: "ceased", vxnets: [] });
  await run({ "vxnets.1": `${vxnet}|192.168.1.7` });
});

test("a reset makes the OS disk anew with another login; volumes and the state it was in stay", async () => {
  const id = await run();
  const volume = firstId((await client.done("CreateVolumes", { size: "10" })).volumes);
  await client.done("AttachVolumes", { "volumes.1": volume, instance: id });
  const other = await makeKeyPair(client);
  const reset = { "instances.1": id, login_mode: "keypair", login_keypair: other };
  expect(await client.call("ResetInstances", { "instances.1": id, login_mode: "keypair" })).toEqual({
    ret_code: 1100,
    message: "MissingParameter, parameter [login_keypair] is missing",
  });
  await client.done("ResetInstances", reset);
  expect(await now(id)).toMatchObject({
    status: "running",
    transition_status: "",
    keypair_ids: [other],
    volume_ids: [volume],
  });
  await client.done("StopInstances", { "instances.1": id });
  await client.done("ResetInstances", { "instances.1": id, login_mode: "passwd", login_passwd: "hidden" });
  expect(await now(id)).toMatchObject({ status: "stopped", keypair_ids: [], volume_ids: [volume] });
  await client.done("TerminateInstances", { "instances.1": id });
  expect(await client.call("ResetInstances", reset)).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, instance [${id}] does not exist`,
  });
});

test("direct_cease skips the recycle bin", async () => {
  const id = await run();
  await client.done("TerminateInstances", { "instances.1": id, direct_cease: "1" });
  expect(await now(id)).toMatchObject({ status: "ceased" });
});

test("addresses: fixed ones inside the vxnet and free, others by DHCP", async () => {
  const { vxnet, router } = await makeNetwork(client);
  const loose = firstId((await client.ok("CreateVxnets", { vxnet_type: "1" })).vxnets);
  expect(await client.call("RunInstances", wanted({ "vxnets.1": `${loose}|192.168.1.7` }))).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, vxnet [${loose}] is not in a router, address [192.168.1.7] can not be given in it`,
  });
  expect(await client.call("RunInstances", wanted({ "vxnets.1": `${vxnet}|192.168.9.7` }))).toEqual({
    ret_code: 1101,
    message: `InvalidParameterValue, parameter [vxnets.1] is [${vxnet}|192.168.9.7], allowed: an address inside [192.168.1.0/24]`,
  });
  expect(await client.call("RunInstances", wanted({ "vxnets.1": `${vxnet}|192.168.1.1` }))).toEqual({
    ret_code: 2110,
    message: `ResourceAlreadyExists, address [192.168.1.1] of vxnet [${vxnet}] is taken by [router ${router}]`,
  });
  const fixed = await run({ "vxnets.1": `${vxnet}|192.168.1.2` });
  expect(await client.call("RunInstances", wanted({ "vxnets.1": `${vxnet}|192.168.1.2` }))).toEqual({
    ret_code: 2110,
    message: `ResourceAlreadyExists, address [192.168.1.2] of vxnet [${vxnet}] is taken by [${fixed}]`,
  });
  const dynamic = await run({ "vxnets.1": vxnet });
  expect(await now(dynamic)).toMatchObject({ vxnets: [{ private_ip: "192.168.1.3" }] });
  expect(await client.call("RunInstances", wanted({ "vxnets.1": vxnet, "vxnets.2": loose }))).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, an instance can be in one managed vxnet only, [${vxnet}, ${loose}] are managed`,
  });
  const alone = await run();
  await client.done("JoinVxnet", { vxnet: `${vxnet}|192.168.1.99`, "instances.1": alone });
  expect(await client.call("JoinVxnet", { vxnet, "instances.1": alone })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, instance [${alone}] is in vxnet [${vxnet}] already, can not be joined to it`,
  });
  const { instance_set } = await client.ok("DescribeVxnetInstances", { vxnet });
  expect((instance_set as { private_ip: string }[]).map((item) => item.private_ip)).toEqual([
    "192.168.1.2",
    "192.168.1.3",
    "192.168.1.99",
  ]);
  await client.done("LeaveVxnet", { vxnet, "instances.1": alone });
  expect(await now(alone)).toMatchObject({ vxnets: [] });
  const ids = Object.fromEntries([fixed, dynamic, alone].map((id, index) => [`instances.${index + 1}`, id]));
  await client.done("TerminateInstances", ids);
});

test.each([
  [{ image_id: "img-none" }, 2100, "ResourceNotFound, image [img-none] does not exist"],
  [{ login_keypair: "kp-none" }, 2100, "ResourceNotFound, key pair [kp-none] does not exist"],
  [{ login_keypair: "" }, 1100, "MissingParameter, parameter [login_keypair] is missing"],
  [{ login_mode: "passwd" }, 1100, "MissingParameter, parameter [login_passwd] is missing"],
  [
    { login_mode: "none" },
    1101,
    "InvalidParameterValue, parameter [login_mode] is [none], allowed: keypair, passwd",
  ],
  [{ cpu: "3" }, 1101, "InvalidParameterValue, parameter [cpu] is [3], allowed: 1, 2, 4, 8, 16, 32, 64"],
  [{ cpu: "", memory: "" }, 1100, "MissingParameter, parameter [instance_type] is missing"],
  [
    { os_disk_size: "10" },
    1101,
    "InvalidParameterValue, parameter [os_disk_size] is [10], allowed: 20 to 100",
  ],
  [
    { need_userdata: "1", userdata_type: "exec", userdata_value: Buffer.alloc(4097).toString("base64") },
    1101,
    "InvalidParameterValue, parameter [userdata_value] is [4097 bytes], allowed: base64 of 1 to 4096 bytes",
  ],
  [
    { need_userdata: "1", userdata_type: "exec", userdata_value: "%%" },
    1101,
    "InvalidParameterValue, parameter [userdata_value] is [[secret]], allowed: base64 of 1 to 4096 bytes",
  ],
  [
    { need_userdata: "1", userdata_type: "tar", userdata_value: "aGlkZGVu" },
    2100,
    "ResourceNotFound, user data attachment [[secret]] does not exist",
  ],
  [
    { login_mode: "passwd", login_passwd: "hidden", cpu: "3" },
    1101,
    "InvalidParameterValue, parameter [cpu] is [3], allowed: 1, 2, 4, 8, 16, 32, 64",
  ],
  [{ "vxnets.1": "vxnet-none" }, 2100, "ResourceNotFound, vxnet [vxnet-none] does not exist"],
])("RunInstances with %o: %i", async (more: Record<string, string>, ret_code, message) => {
  expect(await client.call("RunInstances", wanted(more))).toEqual({ ret_code, message });
});

test("GPUs: known shapes, a capacity for each zone, 5200 beyond it and for what the zone has not", async () => {
  const zone = { zone: "gpu2a" };
  const zoneKey = await makeKeyPair(client, zone.zone);
  const gpu = (type: string, count = "1") =>
    client.call("RunInstances", {
      ...zone,
      image_id: "img-deeplearning",
      login_mode: "keypair",
      login_keypair: zoneKey,
      instance_type: type,
      count,
    });
  expect(await gpu("g3na100.2xlarge.g1")).toEqual({
    ret_code: 5200,
    message:
      "InsufficientResources, zone [gpu2a] has no GPU host for [g3na100.2xlarge.g1], it has NVIDIA P100 (gpu_class 0)",
  });
  const { instances } = await gpu("g2ntp100.8xlarge.r4", "7");
  expect((instances as string[]).length).toBe(7);
  expect(await gpu("g2ntp100.4xlarge.r4", "3")).toEqual({
    ret_code: 5200,
    message: "InsufficientResources, zone [gpu2a] has 2 of 16 GPUs left, 3 wanted",
  });
  expect(await gpu("g9")).toMatchObject({ ret_code: 1101 });
  const sized = { cpu: "16", memory: "65536", gpu: "1", gpu_class: "0" };
  const id = await run({ ...sized, instance_type: "c1m1" });
  expect(await now(id)).toMatchObject({ instance_type: "g2ntp100.4xlarge.r4", gpu: 1, vcpus_current: 16 });
  expect(await client.call("RunInstances", wanted({ ...sized, gpu_class: "9" }))).toMatchObject({
    ret_code: 1101,
  });
  const types = await client.ok("DescribeInstanceTypes", { "instance_types.1": "g2ntp100.4xlarge.r4" });
  expect(types.instance_type_set).toMatchObject([
    { vcpus_current: 16, memory_current: 65536, status: "available" },
  ]);
});

test("images: one ready for deep learning and a bare one", async () => {
  const { image_set } = await client.ok("DescribeImages", { provider: "system" });
  expect((image_set as { image_id: string }[]).map(({ image_id }) => image_id)).toEqual([
    "img-deeplearning",
    "img-bare",
  ]);
});

test("a registered key reads back as it was given, in both forms", async () => {
  const forms = [{ public_key: publicKey }, { public_key: publicKeyBody, encrypt_method: "ssh-ed25519" }];
  for (const form of forms) {
    const { keypair_id, private_key } = await client.ok("CreateKeyPair", { mode: "user", ...form });
    expect(private_key).toBe("");
    const found = await client.one("DescribeKeyPairs", "keypair_set", { "keypairs.1": String(keypair_id) });
    expect(found).toMatchObject({ encrypt_method: "ssh-ed25519", pub_key: publicKeyBody });
    await client.ok("DeleteKeyPairs", { "keypairs.1": String(keypair_id) });
  }
  expect(await client.call("CreateKeyPair", { mode: "user" })).toEqual({
    ret_code: 1100,
    message: "MissingParameter, parameter [public_key] is missing",
  });
  expect(await client.call("CreateKeyPair", { mode: "user", public_key: "ssh-ed25519 AAAA" })).toEqual({
    ret_code: 1101,
    message:
      "InvalidParameterValue, parameter [public_key] is [ssh-ed25519 AAAA], allowed: an OpenSSH public key of type ssh-rsa, ssh-dss, ecdsa-sha2-nistp521, ssh-ed25519",
  });
});

test.each(["ssh-rsa", "ecdsa-sha2-nistp521", "ssh-ed25519"])(
  "a %s key of the system is one for OpenSSH",
  async (encrypt_method) => {
    const { keypair_id, private_key } = await client.ok("CreateKeyPair", { encrypt_method });
    const found = await client.one("DescribeKeyPairs", "keypair_set", { "keypairs.1": String(keypair_id) });
    const folder = mkdtempSync(join(tmpdir(), "key-"));
    const file = join(folder, "key");
    writeFileSync(file, String(private_key), { mode: 0o600 });
    const derived = execFileSync("ssh-keygen", ["-y", "-f", file], { encoding: "utf8" }).trim();
    expect(derived.split(" ").slice(0, 2).join(" ")).toBe(`${encrypt_method} ${found.pub_key}`);
    rmSync(folder, { recursive: true });
  },
);

test("key pairs are attached once and detached", async () => {
  const id = await run();
  const other = await makeKeyPair(client);
  const both = { "keypairs.1": other, "instances.1": id };
  expect(await client.call("DetachKeyPairs", both)).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, key pair [${other}] is not attached to instance [${id}], can not be detached`,
  });
  await client.done("AttachKeyPairs", both);
  expect(await now(id)).toMatchObject({ keypair_ids: [keypair, other] });
  await client.done("DetachKeyPairs", both);
  expect(await now(id)).toMatchObject({ keypair_ids: [keypair] });
});
