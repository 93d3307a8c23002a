/** Rules of the documentation that no other test is about. */
import { beforeAll, expect, test, vi } from "vitest";
import { bareInstance, firstId, makeKeyPair, makeNetwork, runInstance, withEndless } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();
let keypair: string;
beforeAll(async () => {
  keypair = await makeKeyPair(client);
});

const denied = (message: string) => ({ ret_code: 1400, message: `PermissionDenied, ${message}` });
const exceeded = (message: string) => ({ ret_code: 2500, message: `QuotasExceeded, ${message}` });
test("an EIP's bandwidth is lowered 100 times a day and raised as often as one likes", async () => {
  const eip = firstId((await client.ok("AllocateEips", { bandwidth: "300" })).eips);
  for (let times = 1; times <= 100; times += 1) {
    await client.done("ChangeEipsBandwidth", { "eips.1": eip, bandwidth: String(300 - times) });
  }
  const lower = { "eips.1": eip, bandwidth: "1" };
  expect(await client.call("ChangeEipsBandwidth", lower)).toEqual(
    exceeded(`the bandwidth of eip [${eip}] was lowered 100 times today, more is not allowed`),
  );
  await client.done("ChangeEipsBandwidth", { "eips.1": eip, bandwidth: "500" });
  try {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 24 * 3_600_000 });
    await client.done("ChangeEipsBandwidth", lower);
  } finally {
    vi.useRealTimers();
  }
});

test("an EIP's billing mode changes twice a day", async () => {
  const eip = firstId((await client.ok("AllocateEips", { bandwidth: "5" })).eips);
  const to = (billing_mode: string) => ({ "eips.1": eip, billing_mode });
  for (const mode of ["bandwidth", "traffic", "traffic", "bandwidth"]) {
    await client.done("ChangeEipsBillingMode", to(mode));
  }
  expect(await client.call("ChangeEipsBillingMode", to("traffic"))).toEqual(
    exceeded(`the billing mode of eip [${eip}] was changed 2 times today, more is not allowed`),
  );
  try {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 24 * 3_600_000 });
    await client.done("ChangeEipsBillingMode", to("traffic"));
  } finally {
    vi.useRealTimers();
  }
});

test("a powered off router takes and lets go of vxnets; one that is being made or deleted takes nothing", async () => {
  const { router } = await makeNetwork(client);
  const vxnet = firstId((await client.ok("CreateVxnets", { vxnet_type: "1" })).vxnets);
  expect(await client.done("PowerOffRouters", { "routers.1": router })).toMatchObject({ routers: [router] });
  const join = { router, vxnet, ip_network: "192.168.2.0/24" };
  await client.done("JoinRouter", join);
  await client.done("LeaveRouter", { router, "vxnets.1": vxnet });
  await withEndless("CreateRouters", async (at) => {
    const pending = firstId((await at.ok("CreateRouters", { vpc_network: "192.168.0.0/16" })).routers);
    const lonely = firstId((await at.ok("CreateVxnets", { vxnet_type: "1" })).vxnets);
    const eip = firstId((await at.ok("AllocateEips", { bandwidth: "5" })).eips);
    const isCreating = `router [${pending}] is creating`;
    const ofPending = { ...join, router: pending, vxnet: lonely };
    expect(await at.call("JoinRouter", ofPending)).toEqual(
      denied(`${isCreating}, can not be joined by a vxnet`),
    );
    expect(await at.call("UpdateRouters", { "routers.1": pending })).toEqual(
      denied(`${isCreating}, can not be updated`),
    );
    expect(await at.call("DeleteRouters", { "routers.1": pending })).toEqual(
      denied(`${isCreating}, can not be deleted`),
    );
    expect(await at.call("ModifyRouterAttributes", { router: pending, eip })).toEqual(
      denied(`${isCreating}, eip [${eip}] can not be associated with it`),
    );
  });
  await withEndless("DeleteRouters", async (at) => {
    const going = firstId((await at.done("CreateRouters", { vpc_network: "192.168.0.0/16" })).routers);
    const eip = firstId((await at.ok("AllocateEips", { bandwidth: "5" })).eips);
    await at.ok("DeleteRouters", { "routers.1": going });
    expect(await at.call("ModifyRouterAttributes", { router: going, eip })).toEqual(
      denied(`router [${going}] is deleting, eip [${eip}] can not be associated with it`),
    );
  });
});

test("a tunnel's target is not the network of a vxnet that is just joining", async () => {
  await withEndless("JoinRouter", async (at) => {
    const router = firstId((await at.done("CreateRouters", { vpc_network: "192.168.0.0/16" })).routers);
    const vxnet = firstId((await at.ok("CreateVxnets", { vxnet_type: "1" })).vxnets);
    await at.ok("JoinRouter", { router, vxnet, ip_network: "192.168.1.0/24" });
    const tunnel = { router, "statics.1.static_type": "6", "statics.1.val2": "192.168.1.0/25" };
    expect(
      await at.call("AddRouterStatics", { ...tunnel, "statics.1.val1": "1.2.3.4||10.254.1.2|10.254.1.3" }),
    ).toEqual({
      ret_code: 1101,
      message: `InvalidParameterValue, parameter [statics.1.val2] is [192.168.1.0/25], allowed: networks that do not overlap [192.168.1.0/24] of vxnet [${vxnet}] in router [${router}]`,
    });
  });
});

test("DHCP and DNS are changed for a vxnet that is named", async () => {
  const { router, vxnet } = await makeNetwork(client);
  for (const parameters of [
    { features: "1" },
    { dyn_ip_start: "192.168.1.9" },
    { dyn_ip_end: "192.168.1.9" },
  ]) {
    expect(await client.call("ModifyRouterAttributes", { router, ...parameters })).toEqual({
      ret_code: 1100,
      message: "MissingParameter, parameter [vxnet] is missing",
    });
  }
  const range = { dyn_ip_start: "192.168.1.9", dyn_ip_end: "192.168.1.20" };
  await client.ok("ModifyRouterAttributes", { router, vxnet, features: "1", ...range });
  const now = () => client.one("DescribeRouterVxnets", "router_vxnet_set", { router });
  expect(await now()).toMatchObject({ ...range, features: 1 });
  for (const [features, after] of [
    ["2", 3],
    ["0", 2],
    ["1", 3],
  ] as const) {
    await client.ok("ModifyRouterAttributes", { router, vxnet, features });
    expect(await now()).toMatchObject({ ...range, features: after });
  }
  expect(await client.call("ModifyRouterAttributes", { router, vxnet, features: "4" })).toEqual({
    ret_code: 1101,
    message: "InvalidParameterValue, parameter [features] is [4], allowed: 3 or less",
  });
});

test("DescribeVxnetInstances tells the shape and the DHCP options that the router has for an instance", async () => {
  const { router, vxnet } = await makeNetwork(client);
  const id = await runInstance(client, keypair, { "vxnets.1": vxnet });
  const now = () => client.one("DescribeVxnetInstances", "instance_set", { vxnet, status: "running" });
  expect(await now()).toEqual({
    vxnet_id: vxnet,
    instance_id: id,
    instance_name: "",
    description: "",
    instance_type: "c2m2",
    vcpus_current: 2,
    memory_current: 2048,
    status: "running",
    transition_status: "",
    sub_code: 0,
    create_time: expect.stringMatching(/Z$/),
    status_time: expect.stringMatching(/Z$/),
    image_id: "img-bare",
    private_ip: "192.168.1.2",
    nic_id: expect.stringMatching(/^52:54:/),
    sequence: 0,
    dhcp_options: {},
  });
  const option = { "statics.1.val1": id, "statics.1.val2": "domain-name-servers=8.8.8.8" };
  const { router_statics } = await client.ok("AddRouterStatics", {
    router,
    "statics.1.static_type": "3",
    ...option,
  });
  expect(await now()).toMatchObject({ dhcp_options: {} });
  await client.done("UpdateRouters", { "routers.1": router });
  expect(await now()).toMatchObject({
    dhcp_options: { router_static_id: firstId(router_statics), val2: "domain-name-servers=8.8.8.8" },
  });
});

test("an instance that is being resized does not start, nor is it resized again", async () => {
  await withEndless("ResizeInstances", async (at) => {
    const id = await runInstance(at, await makeKeyPair(at));
    await at.done("StopInstances", { "instances.1": id });
    const resize = { "instances.1": id, cpu: "4", memory: "4096" };
    await at.ok("ResizeInstances", resize);
    expect(await at.call("StartInstances", { "instances.1": id })).toEqual(
      denied(`instance [${id}] is being resized, can not be started`),
    );
    expect(await at.call("ResizeInstances", resize)).toEqual(
      denied(`instance [${id}] is being resized, can not be resized`),
    );
  });
});

test("an instance is in a vxnet once, of a documented class and model, and its topology is of its CPUs", async () => {
  const { vxnet } = await makeNetwork(client);
  for (const [more, ret_code, message] of [
    [
      { "vxnets.1": vxnet, "vxnets.2": `${vxnet}|192.168.1.9` },
      1400,
      `PermissionDenied, an instance can be in vxnet [${vxnet}] once only`,
    ],
    [
      { instance_class: "7" },
      1101,
      "InvalidParameterValue, parameter [instance_class] is [7], allowed: 0, 1, 2, 3, 4, 5, 6, 100, 101, 200, 201, 300, 301",
    ],
    [
      { cpu_model: "Z80" },
      1101,
      "InvalidParameterValue, parameter [cpu_model] is [Z80], allowed: Westmere, SandyBridge, IvyBridge, Haswell, Broadwell",
    ],
    [
      { cpu_topology: "1,4,1" },
      1101,
      "InvalidParameterValue, parameter [cpu_topology] is [1,4,1], allowed: sockets,cores,threads with the product 2, the CPUs",
    ],
    [
      { cpu_topology: "2" },
      1101,
      "InvalidParameterValue, parameter [cpu_topology] is [2], allowed: sockets,cores,threads with the product 2, the CPUs",
    ],
  ] as const) {
    expect(await client.call("RunInstances", bareInstance(keypair, more))).toEqual({ ret_code, message });
  }
  const id = await runInstance(client, keypair, { cpu_topology: "1,2,1", cpu_model: "Haswell" });
  const now = () => client.one("DescribeInstances", "instance_set", { "instances.1": id });
  expect(await now()).toMatchObject({ cpu_topology: "1,2,1", extra: { cpu_model: "Haswell" } });
  await client.done("StopInstances", { "instances.1": id });
  await client.done("ResizeInstances", { "instances.1": id, cpu: "4", memory: "4096" });
  expect(await now()).toMatchObject({ cpu_topology: "", extra: { cpu_model: "Haswell" } });
  const other = { cpu: "4", memory: "4096", cpu_topology: "2,2,1", cpu_model: "Broadwell" };
  await client.done("ResizeInstances", { "instances.1": id, ...other });
  expect(await now()).toMatchObject({ cpu_topology: "2,2,1", extra: { cpu_model: "Broadwell" } });
});

test.each([
  ["0-based lists", { "eips.0": "eip-none0000" }],
  ["1-based lists", { "eips.1": "eip-none0000" }],
  ["sparse lists, with what is empty left out", { "eips.1": "", "eips.7": "eip-none0000" }],
  ["a list of one under its bare name", { eips: "eip-none0000" }],
])("%s are read", async (_, parameters: Record<string, string>) => {
  expect(await client.call("ReleaseEips", parameters)).toEqual({
    ret_code: 2100,
    message: "ResourceNotFound, eip [eip-none0000] does not exist",
  });
});
