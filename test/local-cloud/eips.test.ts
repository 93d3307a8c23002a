import { expect, test } from "vitest";
import { firstId, makeNetwork, startTestCloud } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();

test("an EIP has every field that the unmodified clients read", async () => {
  const id = firstId((await client.ok("AllocateEips", { bandwidth: "5", eip_name: "first" })).eips);
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(await client.ok("DescribeEips", { "eips.1": id })).toEqual({
    action: "DescribeEipsResponse",
    ret_code: 0,
    total_count: 1,
    eip_set: [
      {
        eip_id: id,
        eip_name: "first",
        eip_addr: "203.0.113.10",
        description: "",
        bandwidth: 5,
        billing_mode: "bandwidth",
        associate_mode: 0,
        need_icp: 0,
        icp_codes: "",
        status: "available",
        transition_status: "",
        sub_code: 0,
        create_time: time,
        status_time: time,
        resource: {},
        eip_group: { eip_group_id: expect.any(String), eip_group_name: expect.any(String) },
        tags: [],
      },
    ],
  });
});

test("zones have their own pools and do not see each other's resources", async () => {
  const id = firstId((await client.ok("AllocateEips", { zone: "gpu2a", bandwidth: "1" })).eips);
  const eip = await client.one("DescribeEips", "eip_set", { zone: "gpu2a", "eips.1": id });
  expect(eip.eip_addr).toBe("198.51.100.10");
  expect(await client.ok("DescribeEips", { "eips.1": id })).toMatchObject({ eip_set: [], total_count: 0 });
  expect(await client.call("ReleaseEips", { "eips.1": id })).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, eip [${id}] does not exist`,
  });
});

test("pages, counts all that match, finds by name, and names may repeat", async () => {
  await client.ok("AllocateEips", { zone: "gpu2a", bandwidth: "1", count: "25", eip_name: "many" });
  const first = await client.ok("DescribeEips", { zone: "gpu2a", search_word: "MANY" });
  expect([(first.eip_set as unknown[]).length, first.total_count]).toEqual([20, 25]);
  const rest = await client.ok("DescribeEips", { zone: "gpu2a", search_word: "many", offset: "20" });
  expect([(rest.eip_set as unknown[]).length, rest.total_count]).toEqual([5, 25]);
  const all = await client.ok("DescribeEips", { zone: "gpu2a", limit: "1000" });
  expect((all.eip_set as unknown[]).length).toBe(all.total_count);
});

test("2500 when the quota does not suffice, and GetQuotaLeft says what is left", async () => {
  const left = (await client.one("GetQuotaLeft", "quota_left_set", { "resource_types.1": "eip" })).left;
  expect(await client.call("AllocateEips", { bandwidth: "1", count: "100" })).toEqual({
    ret_code: 2500,
    message: `QuotasExceeded, 100 of [eip] wanted in zone [gpu1a], ${left} of 100 left`,
  });
  expect(await client.call("GetQuotaLeft", { "resource_types.1": "gpu" })).toMatchObject({ ret_code: 1101 });
});

test("attributes change at once, bandwidth by a job, and an empty name clears", async () => {
  const id = firstId((await client.ok("AllocateEips", { bandwidth: "5" })).eips);
  await client.ok("ModifyEipAttributes", { eip: id, eip_name: "renamed", description: "why" });
  await client.done("ChangeEipsBandwidth", { "eips.1": id, bandwidth: "300" });
  await client.done("ChangeEipsBillingMode", { "eips.1": id, billing_mode: "traffic" });
  expect(await client.one("DescribeEips", "eip_set", { "eips.1": id })).toMatchObject({
    eip_name: "renamed",
    description: "why",
    bandwidth: 300,
    billing_mode: "traffic",
  });
  await client.ok("ModifyEipAttributes", { eip: id, description: "" });
  expect(await client.one("DescribeEips", "eip_set", { "eips.1": id })).toMatchObject({
    eip_name: "renamed",
    description: "",
  });
});

test("on a router it is inert until UpdateRouters, in both directions", async () => {
  const router = firstId((await client.done("CreateRouters", { vpc_network: "172.16.0.0/16" })).routers);
  const [eip = "", other = ""] = (await client.ok("AllocateEips", { bandwidth: "5", count: "2" }))
    .eips as string[];
  await client.ok("ModifyRouterAttributes", { router, eip });
  const routerNow = () => client.one("DescribeRouters", "router_set", { "routers.1": router });
  const eipNow = () => client.one("DescribeEips", "eip_set", { "eips.1": eip });
  expect(await routerNow()).toMatchObject({ is_applied: 0, eip: { eip_id: eip } });
  expect(await eipNow()).toMatchObject({ status: "available", resource: {} });
  expect(await client.call("ReleaseEips", { "eips.1": eip })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, eip [${eip}] is associated with router [${router}], can not be released`,
  });
  await client.done("UpdateRouters", { "routers.1": router });
  expect(await routerNow()).toMatchObject({ is_applied: 1, transition_status: "" });
  expect(await eipNow()).toMatchObject({
    status: "associated",
    resource: { resource_id: router, resource_type: "router" },
  });
  expect(await client.call("ModifyRouterAttributes", { router, eip: other })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, router [${router}] has eip [${eip}], eip [${other}] can not be associated with it too`,
  });
  const second = await makeNetwork(client);
  await client.ok("ModifyRouterAttributes", { router: second.router, eip: "" });
  expect(await client.call("ModifyRouterAttributes", { router: second.router, eip })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, eip [${eip}] is associated with router [${router}], can not be associated with router [${second.router}]`,
  });
  await client.ok("ModifyRouterAttributes", { router, eip: "" });
  expect(await routerNow()).toMatchObject({ is_applied: 0, eip: {} });
  expect(await eipNow()).toMatchObject({ status: "associated" });
  expect(await client.call("DeleteRouters", { "routers.1": router })).toEqual({
    ret_code: 5400,
    message: `DependencyExists, router [${router}] is used by [${eip}], can not be deleted`,
  });
  await client.done("UpdateRouters", { "routers.1": router });
  expect(await eipNow()).toMatchObject({ status: "available", resource: {} });
  await client.done("ReleaseEips", { "eips.1": eip });
  expect(await eipNow()).toMatchObject({ status: "released" });
  const unasked = await client.ok("DescribeEips", { search_word: eip });
  expect(unasked.total_count).toBe(0);
  await client.done("DeleteRouters", { "routers.1": router });
  expect(await routerNow()).toMatchObject({ status: "deleted" });
});

test("an EIP of associate_mode 1 can not be put on a router", async () => {
  const { router, eip: had } = await makeNetwork(client);
  const eip = firstId((await client.ok("AllocateEips", { bandwidth: "5", associate_mode: "1" })).eips);
  await client.ok("ModifyRouterAttributes", { router, eip: "" });
  expect(await client.call("ModifyRouterAttributes", { router, eip })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, eip [${eip}] has associate_mode 1, can not be associated with router [${router}]`,
  });
  expect(had).not.toBe(eip);
});

test("nothing is deleted without its lease", async () => {
  const slow = await startTestCloud({ jobs: "realistic" });
  const eip = firstId((await slow.client.ok("AllocateEips", { bandwidth: "5" })).eips);
  expect(await slow.client.call("ReleaseEips", { "eips.1": eip })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, the lease info of eip [${eip}] is not ready yet, can not be released, please try later`,
  });
  expect(await slow.client.ok("GetLeaseInfo", { resource: eip })).toMatchObject({
    lease_info: { resource_id: eip, status: "pending" },
  });
  await slow.stop();
  const id = firstId((await client.ok("AllocateEips", { bandwidth: "5" })).eips);
  expect(await client.ok("GetLeaseInfo", { resource: id })).toMatchObject({
    resource_id: id,
    lease_info: { resource_id: id, zone_id: "gpu1a", status: "active", contract: { duration: "1h" } },
  });
  expect(await client.call("GetLeaseInfo", { resource: "eip-unknown0" })).toEqual({
    ret_code: 2100,
    message: "ResourceNotFound, resource [eip-unknown0] does not exist",
  });
});
