import { afterAll, beforeAll, expect, test } from "vitest";
import { firstId, startTestCloud, type TestClient, type TestCloud } from "./support.ts";

let cloud: TestCloud;
let client: TestClient;
beforeAll(async () => {
  cloud = await startTestCloud();
  client = cloud.client;
});
afterAll(() => cloud.stop());

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
