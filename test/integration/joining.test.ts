/** What the provider adds to a router that is not its own. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { callsOf, changesAmong } from "../harness/calls.ts";
import { firstId, makeNetwork } from "../local-cloud/support.ts";
import { useTestCloud } from "../local-cloud/use-test-cloud.ts";
import { Plugin, urnOf } from "./plugin.ts";
import type { Resource } from "./plugin-answers.ts";

vi.mock("../../qingcloud/delay.ts", () => import("./brisk-delay.ts"));

const zone = "gpu1a";
const cloud = useTestCloud();
let network: Awaited<ReturnType<typeof makeNetwork>>;

beforeAll(async () => {
  network = await makeNetwork(cloud.client);
});

describe("an EIP on a router that exists", () => {
  const urn = urnOf("cloud:VpcEip", "beijing-router");
  let plugin: Plugin;
  beforeAll(async () => {
    plugin = await Plugin.here(join(cloud.home, "config.yaml"));
  });
  afterAll(() => plugin?.stop());

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
      await expect(plugin.create(urn, inputs({ eipId }))).rejects.toThrow(
        `VPC router ${network.router} of zone ${zone} has the EIP ${network.eip}, so ${eipId} cannot be set. Use ${network.eip}, or take it from the router first.`,
      );
    });
    expect(changes).toEqual([]);
  });

  test("is found there and stays there", async () => {
    const changes = await changesBy(async () => {
      const found = await plugin.create(urn, inputs());
      expect(found.properties).toEqual({ ...inputs(), origin: "found" });
      await plugin.delete(found);
    });
    expect(changes).toEqual([]);
  });

  test("that an interrupted run has put there, half made, is taken away again", async () => {
    const updated = ["UpdateRouters", { "routers.1": network.router }];
    const changes = await changesBy(async () => {
      const halfMade: Resource = { urn, id: network.router, inputs: inputs(), properties: inputs() };
      const finished = await plugin.update(halfMade, inputs());
      expect(finished.properties.origin).toBe("set");
      await plugin.delete(finished);
      await plugin.delete(finished);
    });
    expect(changes).toEqual([["ModifyRouterAttributes", { router: network.router, eip: "" }], updated]);
  });

  test("that someone has taken away is found missing", async () => {
    const properties = { ...inputs(), origin: "set" };
    expect(await plugin.read({ urn, id: network.router, inputs: inputs(), properties })).toBeUndefined();
  });

  test("that another router has is somebody's, and stays there; the stack's own leaves it, applied there or not", async () => {
    const { client } = cloud;
    const second = firstId((await client.done("CreateRouters", { vpc_network: "172.16.0.0/16" })).routers);
    const eipOf = async (router: string) => {
      const found = await client.one("DescribeRouters", "router_set", { "routers.1": router });
      return [(found.eip as { eip_id?: string }).eip_id, found.is_applied];
    };
    const [router, secondUrn] = [network.router, urnOf("cloud:VpcEip", "shanghai-router")];
    await client.ok("ModifyRouterAttributes", { router, eip: network.eip });
    await client.done("UpdateRouters", { "routers.1": router });
    const theirs = inputs({ vpcId: second, keepFound: false });
    await expect(plugin.create(secondUrn, theirs)).rejects.toThrow(
      `eip [${network.eip}] is associated with router [${router}], can not be associated with router [${second}]`,
    );
    expect([await eipOf(router), await eipOf(second)]).toEqual([
      [network.eip, 1],
      [undefined, 1],
    ]);

    await client.ok("ModifyRouterAttributes", { router, eip: "" });
    await client.done("UpdateRouters", { "routers.1": router });
    const own = await plugin.create(urnOf("cloud:Eip", "beijing"), { zone, bandwidth: 1 });
    await client.ok("ModifyRouterAttributes", { router, eip: own.id });
    const set = await plugin.create(secondUrn, { ...theirs, eipId: own.id });
    expect([await eipOf(router), await eipOf(second)]).toEqual([
      [undefined, 1],
      [own.id, 1],
    ]);
    // Now this run wants it there.
    await expect(plugin.create(urn, inputs({ eipId: own.id }))).rejects.toThrow(
      `eip [${own.id}] is associated with router [${second}], can not be associated with router [${router}]`,
    );
    await plugin.delete(set);
    await plugin.delete(own);
  });
});
