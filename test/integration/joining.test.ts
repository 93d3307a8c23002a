/** What the provider answers about things that exist, and what it adds to a router that is not its own. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { firstId, makeNetwork, startTestCloud, type TestCloud } from "../local-cloud/support.ts";
import { Plugin } from "./plugin.ts";
import { callsOf, changesAmong, Provider, urnOf } from "./support.ts";

const zone = "gpu1a";
let cloud: TestCloud;
let network: Awaited<ReturnType<typeof makeNetwork>>;

beforeAll(async () => {
  cloud = await startTestCloud();
  network = await makeNetwork(cloud.client);
});
afterAll(() => cloud?.stop());

describe("the functions that look something up", () => {
  let plugin: Plugin;
  beforeAll(async () => {
    plugin = await Plugin.start(join(cloud.home, "config.yaml"));
  });
  afterAll(() => plugin?.stop());

  const look = (name: string, id: string) => plugin.invoke(`qingcloud:cloud:${name}`, { zone, id });

  test("answer the id with inputs and outputs by the provider's names", async () => {
    const address = expect.stringMatching(/^203\.0\.113\.\d+$/);
    expect(await look("getVpc", network.router)).toEqual({
      id: network.router,
      name: "",
      vpcNetwork: "192.168.0.0/16",
      type: 1,
      eipId: network.eip,
      eipAddress: address,
      securityGroupId: expect.stringMatching(/^sg-/),
    });
    expect(await look("getVxnet", network.vxnet)).toEqual({
      id: network.vxnet,
      name: "",
      vpcId: network.router,
      ipNetwork: "192.168.1.0/24",
    });
    expect(await look("getEip", network.eip)).toEqual({
      id: network.eip,
      name: "",
      address,
      bandwidth: 10,
      billingMode: "bandwidth",
    });
  });

  test("leave out what is not there, and say what an EIP is on", async () => {
    const free = firstId((await cloud.client.ok("AllocateEips", { bandwidth: "1" })).eips);
    const bare = firstId(
      (await cloud.client.done("CreateRouters", { vpc_network: "172.16.0.0/16" })).routers,
    );
    expect(Object.keys(await look("getVpc", bare)).sort()).toEqual([
      "id",
      "name",
      "securityGroupId",
      "type",
      "vpcNetwork",
    ]);
    expect(await look("getEipHolder", free)).toEqual({});
    expect(await look("getEipHolder", network.eip)).toEqual({ holderId: network.router, holderName: "" });
  });

  test.each([
    ["getVpc", "rtr-00000000", "VPC router"],
    ["getVxnet", "vxnet-00000000", "vxnet"],
    ["getEip", "eip-00000000", "EIP"],
  ])("%s of what does not exist is an error with what, id, zone and what to do", async (name, id, what) => {
    await expect(look(name, id)).rejects.toThrow(
      `There is no ${what} "${id}" in zone ${zone} of this account. Correct the id or the zone`,
    );
  });
});

describe("an EIP on a router that exists", () => {
  const urn = urnOf("qingcloud:cloud:VpcEip", "beijing-router");
  let provider: Provider;
  beforeAll(async () => {
    provider = await Provider.start(join(cloud.home, "config.yaml"));
  });
  afterAll(() => provider?.stop());

  async function changesBy(work: () => Promise<unknown>) {
    const before = callsOf(cloud.home).length;
    await work();
    return changesAmong(callsOf(cloud.home).slice(before));
  }
  const inputs = (more: object = {}) => ({
    zone,
    vpcId: network.router,
    eipId: network.eip,
    keepFound: true,
    ...more,
  });

  test("that has another one is refused with both", async () => {
    const eipId = firstId((await cloud.client.ok("AllocateEips", { bandwidth: "1" })).eips);
    const changes = await changesBy(async () => {
      await expect(provider.create(urn, inputs({ eipId }))).rejects.toThrow(
        `VPC router ${network.router} of zone ${zone} has the EIP ${network.eip}, so ${eipId} cannot be set. Use ${network.eip}, or take it from the router first.`,
      );
    });
    expect(changes).toEqual([]);
  });

  test("is found there and stays there", async () => {
    const changes = await changesBy(async () => {
      const { id, properties } = await provider.create(urn, inputs());
      expect(properties).toEqual({ ...inputs(), origin: "found" });
      await provider.delete(urn, id, inputs(), properties);
    });
    expect(changes).toEqual([]);
  });

  test("that an interrupted run has put there, half made, is taken away again", async () => {
    const updated = ["UpdateRouters", { "routers.1": network.router }];
    const changes = await changesBy(async () => {
      const halfMade = inputs();
      const { properties } = await provider.update(urn, network.router, halfMade, halfMade, halfMade);
      expect(properties.origin).toBe("set");
      await provider.delete(urn, network.router, halfMade, properties);
      await provider.delete(urn, network.router, halfMade, properties);
    });
    expect(changes).toEqual([["ModifyRouterAttributes", { router: network.router, eip: "" }], updated]);
  });

  test("that someone has taken away is found missing", async () => {
    const known = { inputs: inputs(), properties: { ...inputs(), origin: "set" } };
    expect(await provider.read(urn, network.router, known)).toBeUndefined();
  });
});
