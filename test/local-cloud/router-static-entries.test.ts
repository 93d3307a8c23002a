import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { firstId, makeNetwork } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const cloud = useTestCloud();
const { client } = cloud;

const add = async (router: string, type: number, ...values: string[]): Promise<string> =>
  firstId(
    (
      await client.ok("AddRouterStatics", {
        router,
        "statics.1.static_type": String(type),
        ...Object.fromEntries(values.map((value, index) => [`statics.1.val${index + 1}`, value])),
      })
    ).router_statics,
  );
const staticNow = (id: string) =>
  client.one("DescribeRouterStatics", "router_static_set", { "router_statics.1": id });
const entriesNow = async (router_static: string) =>
  (await client.ok("DescribeRouterStaticEntries", { router_static })).router_static_entry_set as Record<
    string,
    unknown
  >[];
const entryId = expect.stringMatching(/^rse-[a-z0-9]{8}$/);
const [home, away, more] = ["192.168.1.0/24", "192.168.2.0/24", "192.168.3.0/24"];

test("the networks of an IPSec tunnel are its entries, and an added entry is one more network", async () => {
  const { router, vxnet } = await makeNetwork(client);
  const tunnel = await add(router, 7, "1.2.3.4|aes|hidden|x", home, away);
  await client.done("UpdateRouters", { "routers.1": router });
  expect(await staticNow(tunnel)).toMatchObject({
    is_applied: 1,
    entry_set: [
      { router_static_entry_id: entryId, val1: home, val2: "" },
      { router_static_entry_id: entryId, val1: "", val2: away },
    ],
  });
  const added = await client.ok("AddRouterStaticEntries", {
    router_static: tunnel,
    "entries.1.val2": more,
    "entries.1.router_static_entry_name": "third",
    "entries.2.val1": "10.0.0.0/8",
  });
  const [third = "", fourth = ""] = added.router_static_entries as string[];
  expect(await staticNow(tunnel)).toMatchObject({
    val2: `${home}|10.0.0.0/8`,
    val3: `${away}|${more}`,
    is_applied: 0,
  });
  expect(await client.one("DescribeRouters", "router_set", { "routers.1": router })).toMatchObject({
    is_applied: 0,
  });
  expect(await entriesNow(tunnel)).toEqual([
    {
      router_id: router,
      router_static_id: tunnel,
      router_static_entry_id: entryId,
      router_static_entry_name: "",
      val1: home,
      val2: "",
    },
    expect.objectContaining({ val1: "", val2: away }),
    expect.objectContaining({
      router_static_entry_id: third,
      router_static_entry_name: "third",
      val1: "",
      val2: more,
    }),
    expect.objectContaining({ router_static_entry_id: fourth, val1: "10.0.0.0/8", val2: "" }),
  ]);
  await client.done("UpdateRouters", { "routers.1": router });
  expect(await staticNow(tunnel)).toMatchObject({ is_applied: 1 });
  for (const [names, message] of [
    [
      { "entries.1.val2": home },
      `InvalidParameterValue, parameter [entries.1.val2] is [${home}], allowed: networks that do not overlap [${home}] of vxnet [${vxnet}] in router [${router}]`,
    ],
    [
      { "entries.1.val2": "192.168.4.1/24" },
      "InvalidParameterValue, parameter [entries.1.val2] is [192.168.4.1/24], allowed: IPv4 networks such as 192.168.2.0/24, joined by |",
    ],
    [
      { "entries.1.val1": "hidden" },
      "InvalidParameterValue, parameter [entries.1.val1] is [[secret]], allowed: a network such as 192.168.2.0/24",
    ],
    [
      { "entries.1.val2": more },
      `ResourceAlreadyExists, router static entry [${third}] of router static [${tunnel}] has [${more}]`,
    ],
    [
      { "entries.1.router_static_entry_name": "x" },
      "MissingParameter, parameter [entries.1.val1] is missing",
    ],
  ] as const) {
    const reply = await client.call("AddRouterStaticEntries", { router_static: tunnel, ...names });
    expect(reply.message).toBe(message);
  }
});

test("entries are renamed at once, changed and deleted up to the last of a side, and found by every name", async () => {
  const { router } = await makeNetwork(client);
  const tunnel = await add(router, 7, "1.2.3.4|aes|hidden|x", home, `${away}|${more}`);
  await client.done("UpdateRouters", { "routers.1": router });
  const [, second, third] = (await entriesNow(tunnel)).map((entry) => String(entry.router_static_entry_id));
  if (second === undefined || third === undefined) throw new Error("there are three entries");
  const rename = { router_static_entry: second, router_static_entry_name: "renamed" };
  expect(await client.ok("ModifyRouterStaticEntryAttributes", rename)).toMatchObject({
    router_static_entry: second,
  });
  expect(await staticNow(tunnel)).toMatchObject({ is_applied: 1 });
  await client.ok("ModifyRouterStaticEntryAttributes", {
    router_static_entry: second,
    val2: "192.168.9.0/24",
  });
  expect(await staticNow(tunnel)).toMatchObject({ val3: `192.168.9.0/24|${more}`, is_applied: 0 });
  for (const name of ["router_static_entry_id", "router_static_entries", "router_static_entries.1"]) {
    expect(await client.ok("DescribeRouterStaticEntries", { [name]: second })).toMatchObject({
      total_count: 1,
      router_static_entry_set: [{ router_static_entry_id: second, router_static_entry_name: "renamed" }],
    });
  }
  const one = { "router_static_entries.1": second };
  expect(await client.ok("DeleteRouterStaticEntries", one)).toMatchObject({
    router_static_entries: [second],
  });
  expect(await staticNow(tunnel)).toMatchObject({ val2: home, val3: more });
  expect(await client.call("DeleteRouterStaticEntries", one)).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, router static entry [${second}] does not exist`,
  });
  expect(await client.call("DeleteRouterStaticEntries", { "router_static_entries.1": third })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, router static entry [${third}] has the last network of its side of router static [${tunnel}], can not be deleted, DeleteRouterStatics deletes the tunnel`,
  });
});

test("a change of a tunnel's networks keeps the entries of those that stay", async () => {
  const { router } = await makeNetwork(client);
  const tunnel = await add(router, 6, "1.2.3.4|7|10.254.1.2|10.254.1.3", `${away}|${more}`);
  const [first] = await entriesNow(tunnel);
  expect(await staticNow(tunnel)).toMatchObject({ entry_set: [{ val1: away, val2: "" }, { val1: more }] });
  await client.ok("ModifyRouterStaticAttributes", { router_static: tunnel, val2: `192.168.7.0/24|${away}` });
  expect(await entriesNow(tunnel)).toEqual([first, expect.objectContaining({ val1: "192.168.7.0/24" })]);
  expect(
    await client.call("AddRouterStaticEntries", { router_static: tunnel, "entries.1.val2": "hidden" }),
  ).toEqual({ ret_code: 1100, message: "MissingParameter, parameter [entries.1.val1] is missing" });
});

test("entries of a VPN are accounts, other statics have none, and no record keeps a password", async () => {
  const { router } = await makeNetwork(client);
  const [vpn, forward] = [await add(router, 2, "pptp"), await add(router, 1, "22", "192.168.1.2", "22")];
  const account = { "entries.1.val1": "admin", "entries.1.val2": "hidden-1" };
  const id = firstId(
    (await client.ok("AddRouterStaticEntries", { router_static: vpn, ...account })).router_static_entries,
  );
  await client.ok("ModifyRouterStaticEntryAttributes", { router_static_entry: id, val2: "hidden-2" });
  expect(await entriesNow(vpn)).toMatchObject([{ val1: "admin", val2: "hidden-2" }]);
  await client.ok("DeleteRouterStaticEntries", { "router_static_entries.1": id });
  expect(await client.call("AddRouterStaticEntries", { router_static: forward, ...account })).toEqual({
    ret_code: 1400,
    message: `PermissionDenied, router static [${forward}] is of type [1], it can not have entries`,
  });
  expect(readFileSync(join(cloud.home, "calls.jsonl"), "utf8")).not.toContain("hidden-");
});
