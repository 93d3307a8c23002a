import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { firstId, startTestCloud, type TestCloud } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();

test("GetResourceLimit answers what is enforced, sizes by volume type", async () => {
  expect(await client.ok("GetResourceLimit", { volume_type: "1" })).toEqual({
    action: "GetResourceLimitResponse",
    ret_code: 0,
    resource_limits: {
      gpu_zones: ["gpu1a", "gpu2a"],
      max_gpu_count: 16,
      max_eip_bandwidth: 1000,
      max_eip_count: 100,
      max_instance_count: 100,
      max_router_count: 50,
      max_router_entries: 253,
      max_router_statics: 800,
      max_router_vxnets: 253,
      max_security_group_rules: 100,
      max_vxnet_count: 100,
      max_volume_count: 100,
      max_volume_per_inst: 10,
      min_volume_size: 100,
      max_volume_size: 5000,
      volume_step: 10,
      valid_volume_types: [0, 1, 2, 3, 5, 6, 100, 200],
      valid_instance_classes: [0, 1, 2, 3, 4, 5, 6, 100, 101, 200, 201, 300, 301],
      valid_cpu_cores: [1, 2, 4, 8, 16, 32, 64],
      valid_memory_size: [1, 2, 4, 6, 8, 12, 16, 24, 32, 40, 64, 80, 128, 160, 320].map(
        (size) => size * 1024,
      ),
    },
  });
  expect(await client.call("GetResourceLimit", { volume_type: "4" })).toMatchObject({ ret_code: 1101 });
  expect(
    (await client.ok("GetQuotaLeft", { "resource_types.1": "volume_size", zone: "gpu2a" })).quota_left_set,
  ).toEqual([{ resource_type: "volume_size", left: 50_000 }]);
});

test("DescribeQuotas answers the whole quotas, GetQuotaLeft what is left of each", async () => {
  await client.ok("AllocateEips", { zone: "gpu2a", bandwidth: "7", count: "2" });
  const { quota_set, user_id } = await client.ok("DescribeQuotas", { zone: "gpu2a" });
  expect(user_id).toBe("usr-localcld");
  expect(quota_set).toMatchObject([
    { eip: 100, eip_bandwidth: 20_000, instance: 100, router: 50, vxnet: 100 },
  ]);
  const { quota_left_set } = await client.ok("GetQuotaLeft", { zone: "gpu2a" });
  const left = (quota_left_set as { resource_type: string; left: number }[]).map(
    (item) => [item.resource_type, item.left] as const,
  );
  const [all] = quota_set as Record<string, number>[];
  expect(Object.fromEntries(left)).toEqual({ ...all, eip: 98, eip_bandwidth: 19_986 });
});

test("a security group and a router hold no more than their limits", async () => {
  const security_group = String((await client.ok("CreateSecurityGroup")).security_group_id);
  const rules = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [
        [`rules.${index + 1}.protocol`, "icmp"],
        [`rules.${index + 1}.priority`, "1"],
      ]).flat(),
    );
  await client.ok("AddSecurityGroupRules", { security_group, ...rules(60) });
  expect(await client.call("AddSecurityGroupRules", { security_group, ...rules(41) })).toEqual({
    ret_code: 2500,
    message: `QuotasExceeded, 101 of [security_group_rules] wanted in security group [${security_group}], 100 allowed`,
  });
  const router = firstId((await client.done("CreateRouters", { vpc_network: "172.16.0.0/16" })).routers);
  const statics = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [
      [`statics.${index + 1}.static_type`, "8"],
      [`statics.${index + 1}.val1`, `node${index}`],
      [`statics.${index + 1}.val2`, "172.16.1.2"],
    ]).flat(),
  );
  for (let round = 0; round < 8; round += 1) await client.ok("AddRouterStatics", { router, ...statics });
  expect(await client.call("AddRouterStatics", { router, ...statics })).toEqual({
    ret_code: 2500,
    message: `QuotasExceeded, 801 of [router_statics] wanted in router [${router}] of type [8], 800 allowed`,
  });
});

test("quotas can be set; the home keeps them, and a lowered one takes nothing away", async () => {
  const home = mkdtempSync(join(tmpdir(), "local-cloud-"));
  const left = async ({ client: of }: TestCloud, name: string) =>
    (await of.ok("GetQuotaLeft", { "resource_types.1": name })).quota_left_set;
  const first = await startTestCloud({ home, quota: "vxnet=101, eip=0" });
  const vxnets = await first.client.ok("CreateVxnets", { vxnet_type: "1", count: "100" });
  expect(vxnets.vxnets).toHaveLength(100);
  expect(await left(first, "vxnet")).toEqual([{ resource_type: "vxnet", left: 1 }]);
  expect(await first.client.call("AllocateEips", { bandwidth: "1" })).toEqual({
    ret_code: 2500,
    message: "QuotasExceeded, 1 of [eip] wanted in zone [gpu1a], 0 of 0 left",
  });
  expect((await first.client.ok("GetResourceLimit")).resource_limits).toMatchObject({
    max_vxnet_count: 101,
    max_eip_count: 0,
    max_router_count: 50,
  });
  await first.stop();
  const second = await startTestCloud({ home, quota: "eip=1" });
  expect(await left(second, "vxnet")).toEqual([{ resource_type: "vxnet", left: 1 }]);
  expect(await left(second, "eip")).toEqual([{ resource_type: "eip", left: 1 }]);
  await second.stop();
  const third = await startTestCloud({ home, quota: "vxnet=50" });
  expect(await left(third, "vxnet")).toEqual([{ resource_type: "vxnet", left: 0 }]);
  expect(await third.client.ok("DescribeVxnets")).toMatchObject({ total_count: 101 });
  await third.stop();
  rmSync(home, { recursive: true });
});

test.each(["instance", "instance=many", "gpu=1", "instance=1,", ""])(
  "--quota %j is refused with the names that there are",
  async (quota) => {
    const home = mkdtempSync(join(tmpdir(), "local-cloud-"));
    await expect(startTestCloud({ home, quota })).rejects.toThrow(
      /^--quota .*: must be NAME=NUMBER\[,NAME=NUMBER…\], e\.g\. instance=2000; ".*" is not, names are instance, cpu, memory, eip, .*tag$/,
    );
    rmSync(home, { recursive: true });
  },
);
