/** Changes of zones that have joined what is somebody's: nothing is lost or stuck, and what is somebody's stays as it was. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Stack, up } from "../harness/stack.ts";
import { differencesOf, idsInZones } from "../harness/whole-cloud.ts";
import { firstId } from "../local-cloud/support.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const zoneIds = ["gpu1a", "gpu2a"];
const zoneOf = (name: string, zoneId: string, third: number, more: object = {}) => ({
  ...{ name, zoneId, network: `192.168.${third}.0/24`, imageId: "img-bare", ...more },
});

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
let before: string[];
/** Somebody's, by zone: routers without an EIP, and in gpu2a a free EIP. */
let routers: Readonly<Record<string, string>>;
let eip: string;
/** Another router of somebody's in gpu1a. */
let spare: string;
beforeAll(async () => {
  stack = await Stack.here();
  const { client } = stack.cloud;
  routers = Object.fromEntries(
    await Promise.all(zoneIds.map(async (zone) => [zone, await makeRouter(zone)] as const)),
  );
  eip = firstId((await client.ok("AllocateEips", { zone: "gpu2a", bandwidth: "20" })).eips);
  spare = await makeRouter("gpu1a");
  before = await idsInZones(client, zoneIds);
  stack.configure({ zones: [joined("beijing"), withEip("shanghai")] });
  await change();
});
afterAll(async () => await stack?.remove());

async function makeRouter(zone: string): Promise<string> {
  const { client } = stack.cloud;
  const request = { zone, security_group_name: "theirs" };
  const group = String((await client.ok("CreateSecurityGroup", request)).security_group_id);
  const made = await client.done("CreateRouters", { zone, vpc_network: "192.168.0.0/16" });
  const router = firstId(made.routers);
  await client.ok("ModifyRouterAttributes", { zone, router, security_group: group });
  await client.done("ApplySecurityGroup", { zone, security_group: group });
  await client.done("UpdateRouters", { zone, "routers.1": router });
  return router;
}

/** In gpu1a, on somebody's router with an EIP of the stack's. */
const joined = (name: string, more: object = {}) =>
  zoneOf(name, "gpu1a", 1, { existing: { vpcId: routers.gpu1a }, ...more });
/** In gpu2a, with somebody's EIP on a router of the stack's. */
const withEip = (name: string, more: object = {}) =>
  zoneOf(name, "gpu2a", 2, { existing: { eipId: eip }, ...more });

/** One `up`, after which the whole state is in the whole cloud. */
async function change(): Promise<void> {
  const { code, text } = await stack.run(...up);
  if (code !== 0) throw new Error(`up ended with ${code}:\n${text}`);
  expect(await differencesOf(stack.cloud.client, zoneIds, stack.resources(), before)).toEqual([]);
}

const idsOf = (type: string) =>
  Object.fromEntries(
    stack.resources(`:${type}`).map(({ urn, id = "" }) => [urn.split("::").at(-1) ?? "", id]),
  );

test("zones under new names are the same ones: only names change", async () => {
  const ids = ["Eip", "Vpc", "VpcEip", "Instance"].map(idsOf);
  const renamed = {
    zones: [joined("bj", { formerly: "beijing" }), withEip("sh", { formerly: "shanghai" })],
  };
  stack.configure(renamed);
  const changes = await stack.cloud.changesBy(change);
  expect(changes.filter(([action]) => !/^Modify\w+Attributes$/.test(action))).toEqual([]);
  const withNewNames = (byName: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(byName).map(([name, id]) => [
        name.replace("beijing", "bj").replace("shanghai", "sh"),
        id,
      ]),
    );
  expect(["Eip", "Vpc", "VpcEip", "Instance"].map(idsOf)).toEqual(ids.map(withNewNames));
});

test("what the stack has made, and the router of another zone, are refused with what to do", async () => {
  const { "sh-router": vpcId } = idsOf("Vpc");
  const { "sh-vxnet": vxnetId } = idsOf("Vxnet");
  const { bj: eipId } = idsOf("Eip");
  stack.configure({
    zones: [
      zoneOf("bj", "gpu1a", 1, { existing: { eipId } }),
      zoneOf("sh", "gpu2a", 2, { existing: { vpcId, vxnetId } }),
      zoneOf("tianjin", "gpu1a", 3, { existing: { vpcId: routers.gpu1a } }),
    ],
  });
  const changes = await stack.cloud.changesBy(async () => {
    const { code, text } = await stack.run(...up);
    expect(code, text).not.toBe(0);
    for (const [setting, id] of [
      ["zones[0].existing.eipId", eipId],
      ["zones[1].existing.vpcId", vpcId],
      ["zones[1].existing.vxnetId", vxnetId],
    ]) {
      expect(text).toMatch(
        new RegExp(`${setting?.replaceAll(/[[\]]/g, "\\$&")}: is this stack's own, .*"${id}"`),
      );
    }
    expect(text).toContain(`crosszone:zones[2].existing.vpcId: is zone "bj"'s in this stack.`);
  });
  expect(changes).toEqual([]);
});

test("zones go from a joined router to their own and the other way round, in one up, and back", async () => {
  const eips = idsOf("Eip");
  const other = {
    zones: [zoneOf("bj", "gpu1a", 1), withEip("sh", { existing: { vpcId: routers.gpu2a, eipId: eip } })],
  };
  stack.configure(other);
  await change();
  expect(idsOf("Eip")).toEqual(eips);
  expect([idsOf("Vpc"), idsOf("VpcEip")]).toEqual([
    { "bj-router": expect.stringMatching(/^rtr-/) },
    { "sh-router": routers.gpu2a },
  ]);
  await stack.noChanges();
  stack.configure({ zones: [joined("bj"), zoneOf("sh", "gpu2a", 2)] });
  await change();
  expect(idsOf("Eip")).toEqual({ ...eips, sh: expect.stringMatching(/^eip-/) });
});

test("a zone that was killed while it joined a router, and is taken out of the configuration, goes", async () => {
  const zones = [joined("bj"), zoneOf("sh", "gpu2a", 2)];
  stack.configure({ zones: [...zones, zoneOf("tianjin", "gpu1a", 3, { existing: { vpcId: spare } })] });
  await stack.killUpAt("UpdateRouters");
  stack.configure({ zones });
  const without = await stack.start(...up).ended;
  expect([without.code, without.code === 0 ? "" : without.text]).toEqual([0, ""]);
  const { client } = stack.cloud;
  const router = await client.one("DescribeRouters", "router_set", { zone: "gpu1a", "routers.1": spare });
  expect(router.eip).toEqual({});
  const { code, text } = await stack.command("sweep", "--yes").ended;
  expect([code, code === 0 ? "" : text]).toEqual([0, ""]);
  expect(await differencesOf(client, zoneIds, stack.resources(), before)).toEqual([]);
  await stack.noChanges();
});

test("destroy leaves what is somebody's", async () => {
  await stack.ok("destroy", "--yes", "--skip-preview", "--color", "never");
  expect(await differencesOf(stack.cloud.client, zoneIds, stack.resources(), before)).toEqual([]);
});
