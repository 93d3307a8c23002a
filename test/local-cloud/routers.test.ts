import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { firstId, makeNetwork } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const cloud = useTestCloud();
const { client } = cloud;

const makeVxnet = async (type = "1"): Promise<string> =>
  firstId((await client.ok("CreateVxnets", { vxnet_type: type })).vxnets);
const makeRouter = async (network = "192.168.0.0/16"): Promise<string> =>
  firstId((await client.done("CreateRouters", { vpc_network: network })).routers);

test("a router's network is one that QingCloud gives", async () => {
  expect(await client.call("CreateRouters", { vpc_network: "10.0.0.0/16" })).toEqual({
    ret_code: 1101,
    message:
      "InvalidParameterValue, parameter [vpc_network] is [10.0.0.0/16], allowed: 192.168.0.0/16, 172.16.0.0/16 to 172.31.0.0/16",
  });
  expect(await client.call("CreateRouters")).toEqual({
    ret_code: 1100,
    message: "MissingParameter, parameter [vpc_network] is missing",
  });
  expect(await client.call("CreateRouters", { vpc_network: "192.168.0.0/16", router_type: "9" })).toEqual({
    ret_code: 1101,
    message: "InvalidParameterValue, parameter [router_type] is [9], allowed: 0, 1, 2, 3",
  });
});

test("a new router has what clients read: eip is an object, nothing is pending", async () => {
  const id = await makeRouter();
  expect(await client.one("DescribeRouters", "router_set", { "routers.1": id, verbose: "1" })).toMatchObject({
    router_id: id,
    router_type: 1,
    vpc_network: "192.168.0.0/16",
    is_applied: 1,
    status: "active",
    transition_status: "",
    eip: {},
    vxnets: [],
    security_group_id: expect.stringMatching(/^sg-/),
  });
});

test("a vxnet joins one router, as a free /24 inside its network", async () => {
  const [router, other, vxnet, second] = [
    await makeRouter(),
    await makeRouter(),
    await makeVxnet(),
    await makeVxnet(),
  ];
  const allowed = `a /24 inside [192.168.0.0/16], the network of router [${router}]`;
  for (const ip_network of ["192.168.1.0/25", "172.16.1.0/24", "192.168.1.1/24", "x"]) {
    expect(await client.call("JoinRouter", { router, vxnet, ip_network })).toEqual({
      ret_code: 1101,
      message: `InvalidParameterValue, parameter [ip_network] is [${ip_network}], allowed: ${allowed}`,
    });
  }
  expect(
    await client.call("JoinRouter", {
      router,
      vxnet,
      ip_network: "192.168.1.0/24",
      manager_ip: "192.168.2.1",
    }),
  ).toEqual({
    ret_code: 1101,
    message:
      "InvalidParameterValue, parameter [manager_ip] is [192.168.2.1], allowed: an address from 192.168.1.1 to 192.168.1.254",
  });
  await client.done("JoinRouter", { router, vxnet, ip_network: "192.168.1.0/24" });
  expect(await client.one("DescribeVxnets", "vxnet_set", { "vxnets.1": vxnet })).toMatchObject({
    vpc_router_id: router,
    available_ip_count: 253,
    router: {
      router_id: router,
      manager_ip: "192.168.1.1",
      ip_network: "192.168.1.0/24",
      dyn_ip_start: "192.168.1.2",
      dyn_ip_end: "192.168.1.254",
    },
  });
  expect(await client.call("JoinRouter", { router: other, vxnet, ip_network: "192.168.1.0/24" })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, vxnet [${vxnet}] is in router [${router}], can not be joined to router [${other}]`,
  });
  expect(await client.call("JoinRouter", { router, vxnet: second, ip_network: "192.168.1.0/24" })).toEqual({
    ret_code: 1101,
    message: `InvalidParameterValue, parameter [ip_network] is [192.168.1.0/24], allowed: a network that does not overlap [192.168.1.0/24] of vxnet [${vxnet}]`,
  });
  const selfManaged = await makeVxnet("0");
  expect(
    await client.call("JoinRouter", { router, vxnet: selfManaged, ip_network: "192.168.3.0/24" }),
  ).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, vxnet [${selfManaged}] is not managed, can not be joined to router [${router}]`,
  });
  expect(await client.ok("DescribeRouterVxnets", { router })).toMatchObject({
    total_count: 1,
    router_vxnet_set: [{ router_id: router, vxnet_id: vxnet, ip_network: "192.168.1.0/24", features: 1 }],
  });
  expect(await client.call("DeleteVxnets", { "vxnets.1": vxnet })).toEqual({
    ret_code: 5400,
    message: `DependencyExists, vxnet [${vxnet}] is used by [${router}], can not be deleted`,
  });
  expect(await client.call("DeleteRouters", { "routers.1": router })).toEqual({
    ret_code: 5400,
    message: `DependencyExists, router [${router}] is used by [${vxnet}], can not be deleted`,
  });
  expect(await client.call("LeaveRouter", { router: other, "vxnets.1": vxnet })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, vxnet [${vxnet}] is not in router [${other}], can not be changed or left`,
  });
  await client.done("LeaveRouter", { router, "vxnets.1": vxnet });
  expect(await client.one("DescribeVxnets", "vxnet_set", { "vxnets.1": vxnet })).toMatchObject({
    vpc_router_id: "",
  });
  expect(await client.ok("DeleteVxnets", { "vxnets.1": vxnet })).toMatchObject({ vxnets: [vxnet] });
  await client.done("DeleteRouters", { "routers.1": router });
});

test("the base network can not be deleted", async () => {
  expect(await client.one("DescribeVxnets", "vxnet_set", { "vxnets.1": "vxnet-0" })).toMatchObject({
    vxnet_type: 2,
  });
  expect(await client.call("DeleteVxnets", { "vxnets.1": "vxnet-0" })).toEqual({
    ret_code: 1400,
    message: "PermissionDenied, vxnet [vxnet-0] is the base network, can not be deleted",
  });
});

test("only an active and idle router takes UpdateRouters", async () => {
  const { router } = await makeNetwork(client);
  await client.done("PowerOffRouters", { "routers.1": router });
  expect(await client.call("UpdateRouters", { "routers.1": router })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, router [${router}] is not active, can not be updated`,
  });
  await client.done("PowerOnRouters", { "routers.1": router });
  await client.done("UpdateRouters", { "routers.1": router });
  expect(await client.call("PowerOnRouters", { "routers.1": router })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, router [${router}] is not poweroffed, can not be powered on`,
  });
});

const add = (router: string, type: number, ...values: string[]) =>
  client.call("AddRouterStatics", {
    router,
    "statics.1.static_type": String(type),
    ...Object.fromEntries(values.map((value, index) => [`statics.1.val${index + 1}`, value])),
  });

test("port forwards: checked, unique by port and protocol, inert until UpdateRouters", async () => {
  const { router } = await makeNetwork(client);
  expect(await add(router, 1, "0", "192.168.1.2", "22")).toMatchObject({
    ret_code: 1101,
    message: "InvalidParameterValue, parameter [statics.1.val1] is [0], allowed: a port from 1 to 65535",
  });
  expect(await add(router, 1, "22", "10.0.0.1", "22")).toMatchObject({
    message:
      "InvalidParameterValue, parameter [statics.1.val2] is [10.0.0.1], allowed: an address inside [192.168.0.0/16]",
  });
  expect(await add(router, 1, "22", "192.168.1.2")).toMatchObject({
    ret_code: 1100,
    message: "MissingParameter, parameter [statics.1.val3] is missing",
  });
  expect(await add(router, 1, "22", "192.168.1.2", "22", "sctp")).toMatchObject({
    message: "InvalidParameterValue, parameter [statics.1.val4] is [sctp], allowed: tcp, udp",
  });
  const id = firstId((await add(router, 1, "2222", "192.168.1.2", "22")).router_statics);
  expect(await add(router, 1, "2222", "192.168.1.3", "22", "tcp")).toEqual({
    ret_code: 2110,
    message: `ResourceAlreadyExists, router static [${id}] forwards tcp port [2222] of router [${router}]`,
  });
  expect(await add(router, 1, "2222", "192.168.1.3", "22", "udp")).toMatchObject({ ret_code: 0 });
  const now = () => client.one("DescribeRouterStatics", "router_static_set", { "router_statics.1": id });
  expect(await now()).toMatchObject({
    val1: "2222",
    val4: "tcp",
    is_applied: 0,
    router_id: router,
    static_type: 1,
  });
  await client.done("UpdateRouters", { "routers.1": router });
  expect(await now()).toMatchObject({ is_applied: 1 });
  await client.ok("ModifyRouterStaticAttributes", { router_static: id, val3: "2022" });
  expect(await now()).toMatchObject({ val3: "2022", val2: "192.168.1.2", is_applied: 0 });
  expect(await client.one("DescribeRouters", "router_set", { "routers.1": router })).toMatchObject({
    is_applied: 0,
  });
  expect(await client.ok("DeleteRouterStatics", { "router_statics.1": id })).toMatchObject({
    router_statics: [id],
  });
  expect(await client.call("DeleteRouterStatics", { "router_statics.1": id })).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, router static [${id}] does not exist`,
  });
});

test("IPSec: four or three parts, target networks apart from the router's own, the key in no message", async () => {
  const { router, vxnet } = await makeNetwork(client);
  const [local, remote] = ["192.168.1.0/24", "192.168.2.0/24"];
  expect(await add(router, 7, "203.0.113.9|aes|k3y|203.0.113.9", local, remote, "main")).toMatchObject({
    ret_code: 0,
  });
  expect(await add(router, 7, "203.0.113.9|k3y|%any", local, "192.168.4.0/24|192.168.5.0/24")).toMatchObject({
    ret_code: 0,
  });
  const format = "allowed: remote_ip|alg|psk|remote_device_id";
  const bad = "InvalidParameterValue, parameter [statics.1.val1] is [[secret]]";
  for (const val1 of ["k3y", "nohost|aes|k3y|x", "1.2.3.4|aes||x"]) {
    const reply = await add(router, 7, val1, local, remote);
    expect(reply.ret_code).toBe(1101);
    expect(reply.message).toMatch(`${bad}, ${format}`);
    expect(reply.message).not.toContain("k3y");
  }
  expect(await add(router, 7, "1.2.3.4|aes|k3y|x", local, "192.168.1.0/25")).toEqual({
    ret_code: 1101,
    message: `InvalidParameterValue, parameter [statics.1.val3] is [192.168.1.0/25], allowed: networks that do not overlap [192.168.1.0/24] of vxnet [${vxnet}] in router [${router}]`,
  });
  expect(await add(router, 7, "1.2.3.4|aes|k3y|x", local, remote, "quick")).toMatchObject({
    message: "InvalidParameterValue, parameter [statics.1.val4] is [quick], allowed: main, aggrmode",
  });
  const other = await makeVxnet();
  expect(await client.call("JoinRouter", { router, vxnet: other, ip_network: remote })).toMatchObject({
    ret_code: 1101,
    message: expect.stringMatching(
      /allowed: a network that does not overlap \[192\.168\.2\.0\/24\], which router static/,
    ),
  });
});

test("GRE: key, addresses of the tunnel, uniqueness", async () => {
  const { router } = await makeNetwork(client);
  const first = await add(router, 6, "203.0.113.9|1010|10.254.1.2|10.254.1.3", "192.168.2.0/24");
  expect(first).toMatchObject({ ret_code: 0 });
  expect(await add(router, 6, "203.0.113.8|1011|10.254.1.9|10.254.1.10", "192.168.3.0/24")).toEqual({
    ret_code: 2110,
    message: `ResourceAlreadyExists, router static [${firstId(first.router_statics)}] of router [${router}] has its p2p addresses in subnet [10.254.1.0/24]`,
  });
  expect(await add(router, 6, "203.0.113.8|0|10.254.2.2|10.254.2.4", "192.168.3.0/24")).toMatchObject({
    ret_code: 1101,
  });
  expect(await add(router, 6, "203.0.113.8|1|10.254.2.2|10.254.3.4", "192.168.3.0/24")).toMatchObject({
    ret_code: 1101,
  });
  expect(await add(router, 5, "1.2.3.4")).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, router [${router}] is a VPC, statics of type 5 can not be added`,
  });
});

const network = "192.168.1.0/24";
test.each([
  ["a key, in a tunnel of the wrong form", 7, ["1.2.3.4|aes|aes|hidden-1|x", network, network]],
  ["a key, in a tunnel without a remote", 7, ["nowhere|aes|hidden-1|x", network, network]],
  ["a key, in a tunnel to its own network", 7, ["1.2.3.4|aes|hidden-1|x", network, network]],
  ["a key of IPSec given as GRE", 6, ["1.2.3.4|aes|hidden-1|x", network]],
  ["a key of IPSec given as a port forward", 1, ["1.2.3.4|aes|hidden-1|x", network, network]],
  ["a key of IPSec given as a VPN", 2, ["1.2.3.4|aes|hidden-1|x", network, network]],
  ["a key of IPSec given as DHCP options", 3, ["1.2.3.4|aes|hidden-1|x", network, network]],
  ["a password of a VPN of the wrong kind", 2, ["openvpn", "user:hidden-1"]],
  ["a password of a VPN given as a port forward", 1, ["pptp", "user:hidden-1", "100"]],
  ["a password of a VPN given as DNS", 8, ["l2tp", "user:hidden-1", "hidden-1"]],
  ["a password of a VPN given as DHCP options", 3, ["l2tp", "user:hidden-1", "hidden-1"]],
] as const)("no message repeats %s", async (_, type, values) => {
  const { router } = await makeNetwork(client);
  const reply = await add(router, type, ...values);
  expect(reply.ret_code).not.toBe(0);
  expect(reply.message).toMatch(/\[statics\.1\.val\d\]|\[\[secret\]\]/);
  expect(reply.message).not.toContain("hidden");
});

test("no message of a change repeats a key, and the record of calls keeps no value that may be one", async () => {
  const { router } = await makeNetwork(client);
  const tunnel = firstId(
    (await add(router, 7, "1.2.3.4|aes|hidden-2|x", network, "192.168.2.0/24")).router_statics,
  );
  const reply = await client.call("ModifyRouterStaticAttributes", {
    router_static: tunnel,
    val1: "hidden-3",
  });
  expect(reply).toEqual({
    ret_code: 1101,
    message:
      "InvalidParameterValue, parameter [val1] is [[secret]], allowed: remote_ip|alg|psk|remote_device_id",
  });
  const vpn = firstId((await add(router, 2, "l2tp", "user:hidden-4", "hidden-5")).router_statics);
  await client.ok("ModifyRouterStaticAttributes", {
    router_static: vpn,
    val2: "user:hidden-6",
    val3: "hidden-7",
  });
  expect(readFileSync(join(cloud.home, "calls.jsonl"), "utf8")).not.toContain("hidden-");
});
