/** Router statics of types 3 and 8 in the API: what they may say, and the addresses that they fix. */
import { beforeAll, expect, test } from "vitest";
import { firstId, makeKeyPair, makeNetwork, runInstance } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();
let network: Awaited<ReturnType<typeof makeNetwork>>;
let keypair: string;
beforeAll(async () => {
  network = await makeNetwork(client);
  keypair = await makeKeyPair(client);
});

const makeInstance = () => runInstance(client, keypair, { "vxnets.1": network.vxnet });

const add = (type: number, val1: string, val2: string) =>
  client.call("AddRouterStatics", {
    router: network.router,
    "statics.1.static_type": String(type),
    "statics.1.val1": val1,
    "statics.1.val2": val2,
  });
const inVxnet = (instance: string) =>
  client.one("DescribeVxnetInstances", "instance_set", { vxnet: network.vxnet, "instances.1": instance });

test("a fixed address is the instance's from UpdateRouters on, also after a stop and a start", async () => {
  const instance = await makeInstance();
  const { private_ip: given } = await inVxnet(instance);
  const val2 = "domain-name-servers=8.8.8.8;fixed-address=192.168.1.99";
  const id = firstId((await add(3, instance, val2)).router_statics);
  expect(await inVxnet(instance)).toMatchObject({ private_ip: given, dhcp_options: {} });
  await client.done("UpdateRouters", { "routers.1": network.router });
  const fixed = { private_ip: "192.168.1.99", dhcp_options: { router_static_id: id, val2 } };
  expect(await inVxnet(instance)).toMatchObject(fixed);
  await client.done("StopInstances", { "instances.1": instance });
  await client.done("StartInstances", { "instances.1": instance });
  expect(await inVxnet(instance)).toMatchObject(fixed);
});

test("an address that a static fixes is given to no other by DHCP, also before UpdateRouters", async () => {
  const first = await makeInstance();
  const { private_ip: last } = await inVxnet(first);
  const next = String(last).replace(/\d+$/, (place) => String(Number(place) + 1));
  const after = String(last).replace(/\d+$/, (place) => String(Number(place) + 2));
  await add(3, first, `fixed-address=${next}`);
  expect(await inVxnet(await makeInstance())).toMatchObject({ private_ip: after });
  await client.done("UpdateRouters", { "routers.1": network.router });
  expect(await inVxnet(first)).toMatchObject({ private_ip: next });
});

test("an address that another has, or that is in no vxnet of the router, can not be fixed", async () => {
  const [first, second] = [await makeInstance(), await makeInstance()];
  const { private_ip: taken } = await inVxnet(second);
  expect(await add(3, first, `fixed-address=${taken}`)).toEqual({
    ret_code: 2110,
    message: `ResourceAlreadyExists, address [${taken}] of vxnet [${network.vxnet}] is taken by [${second}]`,
  });
  expect(await add(3, first, "fixed-address=192.168.1.1")).toMatchObject({ ret_code: 2110 });
  expect(await add(3, first, "fixed-address=192.168.2.9")).toEqual({
    ret_code: 1101,
    message: `InvalidParameterValue, parameter [statics.1.val2] is [fixed-address=192.168.2.9], allowed: an address in a vxnet of router [${network.router}], which has [192.168.1.0/24]`,
  });
});

test("options are key=value pairs, and names are names", async () => {
  const instance = await makeInstance();
  for (const val2 of ["8.8.8.8", "domain-name-servers=dns", "domain-name=a b", ";"]) {
    expect(await add(3, instance, val2)).toMatchObject({
      ret_code: 1101,
      message: expect.stringContaining("key=value pairs joined by ;"),
    });
  }
  for (const name of ["a b", "-a", "a\n10.0.0.1 b"]) {
    expect(await add(8, name, "192.168.1.2")).toEqual({
      ret_code: 1101,
      message:
        "InvalidParameterValue, parameter [statics.1.val1] is [[secret]], allowed: a host or domain name such as node1 or db.example.com",
    });
  }
  expect(await add(8, "db.example.com", "192.168.1.2;192.168.1.3")).toMatchObject({ ret_code: 0 });
});

test("a vxnet tells how many addresses its DHCP can still give, the base network too", async () => {
  const available = async (vxnet: string) =>
    (await client.one("DescribeVxnets", "vxnet_set", { "vxnets.1": vxnet })).available_ip_count;
  const before = Number(await available(network.vxnet));
  const instance = await makeInstance();
  expect(await available(network.vxnet)).toBe(before - 1);
  expect(await available("vxnet-0")).toBe(253);
  await client.done("JoinVxnet", { vxnet: "vxnet-0", "instances.1": instance });
  expect(await available("vxnet-0")).toBe(252);
});
