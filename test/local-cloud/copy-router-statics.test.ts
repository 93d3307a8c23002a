import { expect, test } from "vitest";
import { firstId } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();

const router = async (vpc_network: string, zone = "gpu1a"): Promise<string> =>
  firstId((await client.done("CreateRouters", { vpc_network, zone })).routers);
const staticsOf = async (id: string, zone = "gpu1a") =>
  (await client.ok("DescribeRouterStatics", { router: id, zone })).router_static_set as Record<
    string,
    unknown
  >[];

/** A router with an IPSec tunnel, a VPN with an account, and a GRE tunnel. */
async function source(): Promise<{ id: string; statics: string[] }> {
  const id = await router("192.168.0.0/16");
  const { router_statics } = await client.ok("AddRouterStatics", {
    router: id,
    "statics.1.static_type": "7",
    "statics.1.router_static_name": "to-b",
    "statics.1.val1": "1.2.3.4|aes|hidden|x",
    "statics.1.val2": "192.168.1.0/24",
    "statics.1.val3": "10.1.0.0/24|192.168.9.0/24",
    "statics.2.static_type": "2",
    "statics.2.val1": "pptp",
    "statics.3.static_type": "6",
    "statics.3.val1": "1.2.3.5|7|10.254.1.2|10.254.1.3",
    "statics.3.val2": "10.2.0.0/24",
  });
  const statics = router_statics as string[];
  const account = { "entries.1.val1": "admin", "entries.1.val2": "hidden" };
  await client.ok("AddRouterStaticEntries", { router_static: String(statics[1]), ...account });
  return { id, statics };
}

test("statics are copied to another zone's router, where UpdateRouters has to apply them", async () => {
  const { id } = await source();
  const there = await router("172.16.0.0/16", "gpu2a");
  const names = { source_router_id: id, dest_router_id: there, dest_zone: "gpu2a" };
  expect(await client.call("CopyRouterStatics", names)).toEqual({
    action: "CopyRouterStaticsResponse",
    ret_code: 0,
  });
  expect(await staticsOf(there, "gpu2a")).toMatchObject([
    {
      router_static_name: "to-b",
      router_id: there,
      static_type: 7,
      val1: "1.2.3.4|aes|hidden|x",
      val2: "172.16.1.0/24",
      val3: "10.1.0.0/24|172.16.9.0/24",
      is_applied: 0,
      entry_set: [{ val1: "172.16.1.0/24" }, { val2: "10.1.0.0/24" }, { val2: "172.16.9.0/24" }],
    },
    { static_type: 2, val1: "pptp", entry_set: [{ val1: "admin", val2: "hidden" }] },
    { static_type: 6, val2: "10.2.0.0/24", entry_set: [{ val1: "10.2.0.0/24" }] },
  ]);
  expect(
    await client.one("DescribeRouters", "router_set", { zone: "gpu2a", "routers.1": there }),
  ).toMatchObject({ is_applied: 0 });
  const both = [await staticsOf(id), await staticsOf(there, "gpu2a")].flat();
  const idsOf = (item: Record<string, unknown>) =>
    (item.entry_set as { router_static_entry_id: string }[]).map((entry) => entry.router_static_entry_id);
  const ids = both.flatMap((item) => [String(item.router_static_id), ...idsOf(item)]);
  expect(new Set(ids).size).toBe(ids.length);
});

test.each([
  ["the names of the documentation's table", "source_router_id", "dest_router_id", "router-statics.1"],
  ["the names of its example", "source_router", "dest_router", "router_statics.1"],
])("%s are understood, and one static is copied where one is named", async (_, from, to, list) => {
  const { id, statics } = await source();
  const same = await router("192.168.0.0/16");
  const names = { [from]: id, [to]: same, dest_zone: "gpu1a", [list]: String(statics[0]) };
  await client.ok("CopyRouterStatics", names);
  expect(await staticsOf(same)).toMatchObject([{ static_type: 7, val2: "192.168.1.0/24" }]);
  await client.ok("CopyRouterStatics", { [from]: id, [to]: same, dest_zone: "gpu1a", "static-type.1": "6" });
  expect((await staticsOf(same)).map((item) => item.static_type)).toEqual([7, 6]);
});

test("what can not be copied is refused, and nothing is", async () => {
  const { id, statics } = await source();
  const other = await router("192.168.0.0/16");
  const names = { source_router_id: id, dest_router_id: other, dest_zone: "gpu1a" };
  expect(await client.call("CopyRouterStatics", { ...names, dest_zone: "pek3a" })).toEqual({
    ret_code: 1101,
    message: "InvalidParameterValue, parameter [dest_zone] is [pek3a], allowed: gpu1a, gpu2a",
  });
  expect(await client.call("CopyRouterStatics", { ...names, source_router_id: other })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, router [${other}] can not be copied to itself`,
  });
  expect(await client.call("CopyRouterStatics", { ...names, "router-statics.1": "rtrs-none0000" })).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, router static of router [${id}] [rtrs-none0000] does not exist`,
  });
  await client.ok("CopyRouterStatics", { ...names, "static_type.1": "6" });
  const [taken] = await staticsOf(other);
  expect(await client.call("CopyRouterStatics", names)).toEqual({
    ret_code: 2110,
    message: `ResourceAlreadyExists, router static [${taken?.router_static_id}] of router [${other}] has its p2p addresses in subnet [10.254.1.0/24]`,
  });
  expect((await staticsOf(other)).length).toBe(1);
  expect((await staticsOf(id)).map((item) => item.router_static_id)).toEqual(statics);
});
