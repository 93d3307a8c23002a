import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { firstId, makeKeyPair, startTestCloud } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const cloud = useTestCloud();
const { client } = cloud;
let keypair: string;
beforeAll(async () => {
  keypair = await makeKeyPair(client);
});

const create = async (parameters: Readonly<Record<string, string>> = {}): Promise<string> =>
  firstId((await client.done("CreateVolumes", { size: "10", ...parameters })).volumes);
const wanted = (more: Readonly<Record<string, string>> = {}) => ({
  image_id: "img-bare",
  cpu: "1",
  memory: "1024",
  login_mode: "keypair",
  login_keypair: keypair,
  ...more,
});
const run = async (more: Readonly<Record<string, string>> = {}): Promise<string> =>
  firstId((await client.done("RunInstances", wanted(more))).instances);
const now = (id: string) => client.one("DescribeVolumes", "volume_set", { "volumes.1": id });
const instanceNow = (id: string) =>
  client.one("DescribeInstances", "instance_set", { "instances.1": id, verbose: "1" });

test("a volume has every field that clients read", async () => {
  const id = await create({ size: "100", volume_name: "data", volume_type: "2" });
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(await client.ok("DescribeVolumes", { "volumes.1": id })).toEqual({
    action: "DescribeVolumesResponse",
    ret_code: 0,
    total_count: 1,
    volume_set: [
      {
        volume_id: id,
        volume_name: "data",
        description: "",
        size: 100,
        volume_type: 2,
        status: "available",
        transition_status: "",
        sub_code: 0,
        create_time: time,
        status_time: time,
        zone_id: "gpu1a",
        owner: "usr-localcld",
        instance: {},
        instances: [],
        tags: [],
      },
    ],
  });
  expect(id).toMatch(/^vol-[a-z0-9]{8}$/);
});

test.each([
  [{}, 1100, "MissingParameter, parameter [size] is missing"],
  [
    { size: "10", volume_type: "4" },
    1101,
    "InvalidParameterValue, parameter [volume_type] is [4], allowed: 0, 1, 2, 3, 5, 6, 100, 200",
  ],
  [
    { size: "1010" },
    1101,
    "InvalidParameterValue, parameter [size] is [1010], allowed: multiples of 10 from 10 to 1000 for volume_type 0",
  ],
  [
    { size: "15", volume_type: "3" },
    1101,
    "InvalidParameterValue, parameter [size] is [15], allowed: multiples of 10 from 10 to 1000 for volume_type 3",
  ],
  [
    { size: "90", volume_type: "1" },
    1101,
    "InvalidParameterValue, parameter [size] is [90], allowed: multiples of 10 from 100 to 5000 for volume_type 1",
  ],
  [
    { size: "2010", volume_type: "200" },
    1101,
    "InvalidParameterValue, parameter [size] is [2010], allowed: multiples of 10 from 10 to 2000 for volume_type 200",
  ],
  [
    { size: "5000", volume_type: "1", count: "11" },
    2500,
    "QuotasExceeded, 55000 of [volume_size] wanted in zone [gpu2a], 50000 of 50000 left",
  ],
])("CreateVolumes with %o: %i", async (parameters: Record<string, string>, ret_code, message) => {
  expect(await client.call("CreateVolumes", { zone: "gpu2a", ...parameters })).toEqual({ ret_code, message });
  expect(await client.ok("DescribeVolumes", { zone: "gpu2a" })).toMatchObject({ total_count: 0 });
});

test("round_up makes a volume that would be too small as small as one can be", async () => {
  expect(await now(await create({ size: "10", volume_type: "1", round_up: "1" }))).toMatchObject({
    size: 100,
  });
});

test("it is attached to one instance, detached, and deleted only when free", async () => {
  const a = await create({ volume_name: "a" });
  const b = await create({ volume_name: "b" });
  const instance = await run({ instance_name: "node" });
  await client.done("AttachVolumes", { "volumes.1": a, "volumes.2": b, instance });
  const attached = (device: string) => ({ instance_id: instance, instance_name: "node", device });
  expect(await now(a)).toMatchObject({
    status: "in-use",
    transition_status: "",
    instance: attached("/dev/sdc"),
    instances: [attached("/dev/sdc")],
  });
  expect(await now(b)).toMatchObject({ status: "in-use", instance: attached("/dev/sdd") });
  const item = { size: 10, volume_type: 0 };
  expect(await instanceNow(instance)).toMatchObject({
    volume_ids: [a, b],
    volumes: [
      { volume_id: a, volume_name: "a", ...item, device: "/dev/sdc" },
      { volume_id: b, volume_name: "b", ...item, device: "/dev/sdd" },
    ],
  });
  expect(await client.ok("DescribeVolumes", { instance_id: instance })).toMatchObject({ total_count: 2 });
  expect(await client.call("AttachVolumes", { "volumes.1": a, instance })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, volume [${a}] is attached to instance [${instance}], can not be attached`,
  });
  expect(await client.call("ResizeVolumes", { "volumes.1": a, size: "20" })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, volume [${a}] is attached to instance [${instance}], can not be resized`,
  });
  expect(await client.call("DeleteVolumes", { "volumes.1": a })).toEqual({
    ret_code: 5400,
    message: `DependencyExists, volume [${a}] is used by [${instance}], can not be deleted`,
  });
  await client.done("DetachVolumes", { "volumes.1": a, instance });
  expect(await now(a)).toMatchObject({ status: "available", instance: {}, instances: [] });
  expect(await client.call("DetachVolumes", { "volumes.1": a, instance })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, volume [${a}] is not attached to instance [${instance}], can not be detached`,
  });
  await client.done("DeleteVolumes", { "volumes.1": a });
  expect(await now(a)).toMatchObject({ status: "deleted" });
  expect(await client.ok("DescribeVolumes", { search_word: a })).toMatchObject({ total_count: 0 });
  expect(await client.call("DeleteVolumes", { "volumes.1": a })).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, volume [${a}] does not exist`,
  });
  expect(await instanceNow(instance)).toMatchObject({ volume_ids: [b] });
});

test("it grows and never shrinks, within the sizes of its type", async () => {
  const id = await create({ size: "20" });
  await client.done("ResizeVolumes", { "volumes.1": id, size: "50" });
  expect(await now(id)).toMatchObject({ size: 50, status: "available" });
  for (const size of ["50", "40"]) {
    expect(await client.call("ResizeVolumes", { "volumes.1": id, size })).toEqual({
      ret_code: 1101,
      message: `InvalidParameterValue, parameter [size] is [${size}], allowed: more than 50, the size of volume [${id}]`,
    });
  }
  expect(await client.call("ResizeVolumes", { "volumes.1": id, size: "1010" })).toMatchObject({
    ret_code: 1101,
    message: expect.stringContaining("multiples of 10 from 10 to 1000 for volume_type 0"),
  });
  await client.ok("ModifyVolumeAttributes", { volume: id, volume_name: "renamed", description: "why" });
  expect(await now(id)).toMatchObject({ volume_name: "renamed", description: "why", size: 50 });
});

test("an instance starts with the volumes it is given and leaves them behind", async () => {
  const volume = await create();
  const instance = await run({ "volumes.1": volume });
  expect(await now(volume)).toMatchObject({ status: "in-use", instance: { instance_id: instance } });
  const { total_count: before } = await client.ok("DescribeInstances");
  expect(await client.call("RunInstances", wanted({ "volumes.1": volume }))).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, volume [${volume}] is attached to instance [${instance}], can not be attached`,
  });
  expect(await client.call("RunInstances", wanted({ "volumes.1": "vol-unknown0" }))).toEqual({
    ret_code: 2100,
    message: "ResourceNotFound, volume [vol-unknown0] does not exist",
  });
  const free = await create();
  expect(await client.call("RunInstances", wanted({ "volumes.1": free, count: "2" }))).toEqual({
    ret_code: 1101,
    message: "InvalidParameterValue, parameter [count] is [2], allowed: 1 where volumes are given",
  });
  expect(await client.ok("DescribeInstances")).toMatchObject({ total_count: before });
  expect(await now(free)).toMatchObject({ status: "available", transition_status: "" });
  await client.done("TerminateInstances", { "instances.1": instance });
  expect(await now(volume)).toMatchObject({ status: "available", instance: {} });
});

test("an instance has at most ten volumes", async () => {
  const { volumes } = await client.done("CreateVolumes", { size: "10", count: "11" });
  const all = Object.fromEntries((volumes as string[]).map((id, index) => [`volumes.${index + 1}`, id]));
  const instance = await run();
  expect(await client.call("AttachVolumes", { instance, ...all })).toEqual({
    ret_code: 2500,
    message: `QuotasExceeded, 11 of [instance_volumes] wanted in instance [${instance}], 10 allowed`,
  });
});

test("while a job is at work on a volume it says so and refuses other changes; without a lease it stays", async () => {
  const jobs = join(cloud.home, "volume-jobs.json");
  writeFileSync(
    jobs,
    JSON.stringify({ ResizeVolumes: 0.8, AttachVolumes: 0.8, DetachVolumes: 0.8, lease: 3600 }),
  );
  const slow = await startTestCloud({ jobs });
  onTestFinished(() => slow.stop());
  const of = slow.client;
  const volume = firstId((await of.done("CreateVolumes", { size: "10" })).volumes);
  const login_keypair = await makeKeyPair(of);
  const instance = firstId((await of.done("RunInstances", wanted({ login_keypair }))).instances);
  const transition = async () =>
    (await of.one("DescribeVolumes", "volume_set", { "volumes.1": volume })).transition_status;
  const resizing = String((await of.ok("ResizeVolumes", { "volumes.1": volume, size: "20" })).job_id);
  expect(await of.call("AttachVolumes", { "volumes.1": volume, instance })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, volume [${volume}] is being resized, can not be attached`,
  });
  await of.ended(resizing);
  const attaching = String((await of.ok("AttachVolumes", { "volumes.1": volume, instance })).job_id);
  expect(await transition()).toBe("attaching");
  expect(await of.call("DeleteVolumes", { "volumes.1": volume })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, volume [${volume}] is attaching, can not be deleted`,
  });
  await of.ended(attaching);
  const detaching = String((await of.ok("DetachVolumes", { "volumes.1": volume, instance })).job_id);
  expect(await transition()).toBe("detaching");
  await of.ended(detaching);
  expect(await of.call("DeleteVolumes", { "volumes.1": volume })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, the lease info of volume [${volume}] is not ready yet, can not be deleted, please try later`,
  });
  expect(await of.ok("GetLeaseInfo", { resource: volume })).toMatchObject({
    lease_info: { resource_id: volume, status: "pending" },
  });
});

test("a volume that is attached to an instance that goes meanwhile stays free", async () => {
  const jobs = join(cloud.home, "attach-jobs.json");
  writeFileSync(jobs, JSON.stringify({ AttachVolumes: 0.8 }));
  const slow = await startTestCloud({ jobs });
  onTestFinished(() => slow.stop());
  const of = slow.client;
  const volume = firstId((await of.done("CreateVolumes", { size: "10" })).volumes);
  const login_keypair = await makeKeyPair(of);
  const instance = firstId((await of.done("RunInstances", wanted({ login_keypair }))).instances);
  const { job_id } = await of.ok("AttachVolumes", { "volumes.1": volume, instance });
  await of.done("TerminateInstances", { "instances.1": instance });
  await of.ended(String(job_id));
  expect(await of.one("DescribeVolumes", "volume_set", { "volumes.1": volume })).toMatchObject({
    status: "available",
    transition_status: "",
    instance: {},
  });
});
