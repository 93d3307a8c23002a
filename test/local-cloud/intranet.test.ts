/** The routers' addresses in the intranet of their zone. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seed } from "../../local-cloud/services/zones/seed.ts";
import { Store } from "../../local-cloud/store/store.ts";
import { startTestCloud, type TestClient } from "./support.ts";

async function addresses(client: TestClient, zone: string): Promise<unknown[]> {
  const { router_set } = await client.ok("DescribeRouters", { zone });
  return (router_set as Record<string, unknown>[])
    .filter(({ status }) => status !== "deleted")
    .map((router) => router.private_ip)
    .sort();
}

test("every router has an address of its own in its zone, which is free again when it is deleted", async () => {
  const cloud = await startTestCloud();
  try {
    const { client } = cloud;
    const made = (await client.done("CreateRouters", { vpc_network: "192.168.0.0/16", count: "2" })).routers;
    await client.done("CreateRouters", { zone: "gpu2a", vpc_network: "192.168.0.0/16" });
    expect(await addresses(client, "gpu1a")).toEqual(["100.64.0.10", "100.64.0.11"]);
    expect(await addresses(client, "gpu2a")).toEqual(["100.65.0.10"]);
    await client.done("DeleteRouters", { "routers.1": String((made as unknown[])[0]) });
    expect(await addresses(client, "gpu1a")).toEqual(["100.64.0.11"]);
    await client.done("CreateRouters", { vpc_network: "192.168.0.0/16" });
    expect(await addresses(client, "gpu1a")).toEqual(["100.64.0.10", "100.64.0.11"]);
  } finally {
    await cloud.stop();
  }
});

test("routers of a state from before there was an intranet get an address", async () => {
  const cloud = await startTestCloud();
  const file = join(cloud.home, "copy.db");
  const store = new Store(file);
  try {
    await cloud.client.done("CreateRouters", { vpc_network: "192.168.0.0/16", count: "3" });
    const source = new Store(join(cloud.home, "state.db"));
    const routers = source.list("router");
    source.close();
    store.transaction(() => {
      for (const { privateIp: _, ...router } of routers) store.put(router);
    });
    seed(store);
    expect(store.list("router").map(({ privateIp }) => privateIp)).toEqual([
      "100.64.0.10",
      "100.64.0.11",
      "100.64.0.12",
    ]);
  } finally {
    store.close();
    await cloud.stop();
    rmSync(file, { force: true });
  }
});
