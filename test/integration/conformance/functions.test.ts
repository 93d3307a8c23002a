/** The functions that tell of the cloud itself; those that look a resource up are in names.test.ts. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { functions } from "../../../provider/definitions.ts";
import { callsOf, changesAmong } from "../../harness/calls.ts";
import { firstId, makeNetwork, startTestCloud, type TestCloud } from "../../local-cloud/support.ts";
import { Plugin } from "../plugin.ts";
import { zone } from "./entry.ts";

let cloud: TestCloud;
let plugin: Plugin;
beforeAll(async () => {
  cloud = await startTestCloud();
  plugin = await Plugin.start(join(cloud.home, "config.yaml"));
});
afterAll(async () => {
  await plugin?.stop();
  await cloud?.stop();
});

/** Asks, which may change nothing. */
async function ask(name: string, args: object = {}) {
  const before = callsOf(cloud.home).length;
  const answer = await plugin.invoke(`qingcloud:cloud:${name}`, { ...args });
  expect(changesAmong(callsOf(cloud.home).slice(before))).toEqual([]);
  return answer;
}

test("getZones tells the active zones of the account", async () => {
  expect(await ask("getZones")).toEqual({ zoneIds: ["gpu1a", "gpu2a"] });
});

describe("getImages", () => {
  const deepLearning = {
    id: "img-deeplearning",
    name: "Deep learning: Python 3 and PyTorch",
    platform: "linux",
    provider: "system",
  };
  const bare = { id: "img-bare", name: "Bare", platform: "linux", provider: "system" };

  test.each([
    [{}, [deepLearning, bare]],
    [{ provider: "system", osFamily: "debian" }, [deepLearning, bare]],
    [{ search: "pytorch" }, [deepLearning]],
    [{ provider: "self" }, []],
    [{ osFamily: "windows" }, []],
  ])("%j finds what is available and matches", async (filter, images) => {
    expect(await ask("getImages", { zone, ...filter })).toEqual({ images });
  });

  test("of another provider is refused at its property", async () => {
    await expect(ask("getImages", { zone, provider: "other" })).rejects.toThrow(
      'provider: Invalid option: expected one of "system"|"self"',
    );
  });
});

test("getInstanceTypes tells sizes, and GPUs where they are documented", async () => {
  const { instanceTypes } = (await ask("getInstanceTypes", { zone })) as { instanceTypes: { id: string }[] };
  const byId = (id: string) => instanceTypes.filter((each) => each.id === id);
  expect(byId("c2m4")).toEqual([{ id: "c2m4", cpu: 2, memoryGiB: 4 }]);
  expect(byId("g2ntp100.4xlarge.r4")).toEqual([
    { id: "g2ntp100.4xlarge.r4", cpu: 16, memoryGiB: 64, gpus: 1 },
  ]);
  expect(new Set(instanceTypes.map(({ id }) => id)).size).toBe(instanceTypes.length);
});

test("getQuotaLeft tells what is left of one and of all, and less after something is made", async () => {
  const all = (await ask("getQuotaLeft", { zone })) as { quotas: { resourceType: string; left: number }[] };
  const left = all.quotas.find(({ resourceType }) => resourceType === "eip")?.left ?? 0;
  expect(all.quotas.length).toBeGreaterThan(5);
  expect(left).toBeGreaterThan(1);
  const eip = firstId((await cloud.client.ok("AllocateEips", { bandwidth: "7" })).eips);
  const bandwidth = all.quotas.find(({ resourceType }) => resourceType === "eip_bandwidth")?.left ?? 0;
  expect(await ask("getQuotaLeft", { zone, resourceTypes: ["eip", "eip_bandwidth"] })).toEqual({
    quotas: [
      { resourceType: "eip", left: left - 1 },
      { resourceType: "eip_bandwidth", left: bandwidth - 7 },
    ],
  });
  await cloud.client.done("ReleaseEips", { "eips.1": eip });
});

test("getResourceLimit tells what the API tells, by names with units", async () => {
  const { resource_limits: limits } = (await cloud.client.ok("GetResourceLimit")) as unknown as {
    resource_limits: Record<string, unknown>;
  };
  expect(await ask("getResourceLimit", { zone })).toEqual({
    gpuZones: ["gpu1a", "gpu2a"],
    maxGpus: limits.max_gpu_count,
    maxEipBandwidth: limits.max_eip_bandwidth,
    maxRouterStatics: 800,
    maxRouterVxnets: 253,
    maxSecurityGroupRules: 100,
    maxVolumesPerInstance: 10,
    validCpus: limits.valid_cpu_cores,
    validMemoryMiB: limits.valid_memory_size,
  });
});

test("getPrices tells what leases cost an hour, and null where they name none or what is gone", async () => {
  const { router, eip } = await makeNetwork(cloud.client);
  expect(await ask("getPrices", { zone, resources: [router, eip, "rtr-none0000"] })).toEqual({
    perHour: [0.05, null, null],
  });
});

test("getEipHolder tells what an EIP is on, and nothing where it is free or there is none", async () => {
  const { router, eip } = await makeNetwork(cloud.client, zone, "192.168.2.0/24");
  await cloud.client.ok("ModifyRouterAttributes", { router, router_name: "holder" });
  const free = firstId((await cloud.client.ok("AllocateEips", { bandwidth: "1" })).eips);
  expect(await ask("getEipHolder", { zone, id: eip })).toEqual({ holderId: router, holderName: "holder" });
  expect(await ask("getEipHolder", { zone, id: free })).toEqual({});
  expect(await ask("getEipHolder", { zone, id: "eip-00000000" })).toEqual({});
});

test("getIntranetAddress tells where a router is in its zone's intranet, and what to do where there is none", async () => {
  const { router } = await makeNetwork(cloud.client, zone, "192.168.3.0/24");
  const [found] = (await cloud.client.ok("DescribeRouters", { "routers.1": router })).router_set as {
    private_ip: string;
  }[];
  expect(found?.private_ip).toMatch(/^100\.64\./);
  expect(await ask("getIntranetAddress", { zone, vpcId: router })).toEqual({ address: found?.private_ip });
  await expect(ask("getIntranetAddress", { zone, vpcId: "rtr-none0000" })).rejects.toThrow(
    `There is no VPC router "rtr-none0000" in zone ${zone} of this account. Correct vpcId or zone; where someone deleted it by hand, \`pulumi refresh\`.`,
  );
});

describe("every function", () => {
  const ofZone = functions.filter((each) => "zone" in each.arguments.shape);

  test("has a zone to ask in, but getZones", () => {
    const others = functions.filter((each) => !ofZone.includes(each));
    expect(others.map(({ token }) => token)).toEqual(["qingcloud:cloud:getZones"]);
  });

  test("takes the provider's zone where the program names none", async () => {
    expect(await ask("getImages")).toEqual(await ask("getImages", { zone }));
  });

  describe("without any zone", () => {
    let zoneless: Plugin;
    beforeAll(async () => {
      const file = join(cloud.home, "without-zone.yaml");
      const text = readFileSync(join(cloud.home, "config.yaml"), "utf8");
      writeFileSync(file, text.replace(/^zone: .*$/m, ""), { mode: 0o600 });
      zoneless = await Plugin.start(file);
    });
    afterAll(() => zoneless?.stop());

    test.each(ofZone)("is refused with what to do: $token", async ({ token, ...each }) => {
      const needed = Object.entries({ id: "x", vpcId: "x", resources: [] });
      const args = Object.fromEntries(needed.filter(([name]) => name in each.arguments.shape));
      await expect(zoneless.invoke(token, args)).rejects.toThrow(
        "zone: give it, e.g. `pek3a`, or set qingcloud:zone (given: nothing)",
      );
    });
  });

  test("that there is not is told with those that there are", async () => {
    await expect(ask("getSnapshot")).rejects.toThrow(
      /^"qingcloud:cloud:getSnapshot" is no function of this provider; there are: .*qingcloud:cloud:getZones/,
    );
  });
});
