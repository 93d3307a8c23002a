/** What a run did not end, and what is wanted again as it was before: the next `up` makes all of it so. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { isBehind } from "../../scripts/dev/repair-state.ts";
import { isProvider } from "../bench/interrupts/clock.ts";
import type { Value } from "../harness/configuration.ts";
import { waitFor } from "../harness/process.ts";
import { descendantsOf, Stack, up } from "../harness/stack.ts";
import { differencesOf, idsInZones } from "../harness/whole-cloud.ts";
import { firstId } from "../local-cloud/support.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const zoneIds = ["gpu1a", "gpu2a"] as const;
const zone = (name: string, zoneId: string, third: number, more: object = {}) => ({
  ...{ name, zoneId, network: `192.168.${third}.0/24`, imageId: "img-bare", ...more },
});
const [beijing, shanghai, tianjin] = [
  zone("beijing", "gpu1a", 1),
  zone("shanghai", "gpu2a", 2),
  zone("tianjin", "gpu1a", 3),
];
const destroy = ["destroy", ...up.slice(1)];

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
let before: string[];
beforeAll(async () => {
  stack = await Stack.here();
  before = await idsInZones(stack.cloud.client, zoneIds);
});
afterAll(async () => await stack?.remove());

const configure = (...zones: Value[]) => stack.configure({ zones });

async function expectWhole(): Promise<void> {
  expect(await differencesOf(stack.cloud.client, zoneIds, stack.resources(), before)).toEqual([]);
  await stack.noChanges();
}

/** An `up` as the project's command, which has to say that it looks first. */
async function upThatLooks(): Promise<void> {
  const { code, text } = await stack.start(...up).ended;
  expect([code, code === 0 ? "" : text]).toEqual([0, ""]);
  expect(text).toContain("it is compared first (--refresh; --refresh=false leaves that out)");
  expect(isBehind(stack.workspace)).toBe(false);
}

async function refusedAt(action: string): Promise<void> {
  await stack.cloud.refuse(action);
  const { code, text } = await stack.run(...up);
  await stack.cloud.letGo();
  expect(text).toContain(`${action} was refused`);
  expect(code).not.toBe(0);
}

/** A command that is met by something once it has called an action, whose jobs do not end. */
async function cutAt(action: string, args: readonly string[], meet: (pid: number) => void): Promise<void> {
  await stack.cloud.hold(action);
  const begun = stack.cloud.calls().length;
  const running = stack.start(...args);
  const isCalled = () =>
    stack.cloud
      .calls()
      .slice(begun)
      .some((call) => call.action === action);
  await waitFor(`a call of ${action}`, isCalled, 120);
  meet(running.child.pid ?? 0);
  const { code } = await running.ended;
  expect(code).not.toBe(0);
  await stack.cloud.letGo();
}

const interrupt = (pid: number) => process.kill(pid, "SIGINT");
const killProvider = (pid: number) => {
  const providers = descendantsOf(pid).filter((each) =>
    isProvider(readFileSync(`/proc/${each}/cmdline`, "utf8").replaceAll("\0", " ")),
  );
  expect(providers).toHaveLength(1);
  for (const each of providers) process.kill(each, "SIGKILL");
};

test("a destroy that Ctrl-C has ended among its deletions", async () => {
  configure(beijing, shanghai);
  await stack.ok(...up);
  await cutAt("TerminateInstances", destroy, interrupt);
  await upThatLooks();
  await expectWhole();
});

test("a change whose provider alone was killed", async () => {
  configure({ ...beijing, bandwidthMbps: 20 }, shanghai);
  await stack.ok(...up);
  configure({ ...beijing, bandwidthMbps: 50 }, shanghai);
  await cutAt("UpdateRouters", [...up, "--replace", urnOf("Vpc", "beijing-router")], killProvider);
  configure({ ...beijing, bandwidthMbps: 20 }, shanghai);
  expect(isBehind(stack.workspace)).toBe(true);
  for (const showing of [
    ["up", "--help"],
    ["destroy", "--preview-only"],
    ["preview", "--refresh"],
  ])
    await stack.start(...showing).ended;
  expect(isBehind(stack.workspace)).toBe(true);
  await upThatLooks();
  await expectWhole();
});

const urnOf = (type: string, name: string) =>
  stack.resources(`:${type}`).find(({ urn }) => urn.endsWith(`::${name}`))?.urn ?? "";

test.each(["UpdateRouters", "DeleteRouters", "DeleteVxnets"])(
  "a zone that was taken out, of which %s was refused",
  async (action) => {
    configure(beijing, shanghai, tianjin);
    await stack.ok(...up);
    configure(beijing, shanghai);
    await refusedAt(action);
    configure(beijing, shanghai, tianjin);
    await upThatLooks();
    await expectWhole();
  },
);

test("a zone that was to go to a router of somebody else's, or to come from it", async () => {
  const { client } = stack.cloud;
  const inZone = { zone: "gpu1a" };
  const { routers } = await client.done("CreateRouters", { ...inZone, vpc_network: "192.168.0.0/16" });
  const router = firstId(routers);
  const group = await client.ok("CreateSecurityGroup", { ...inZone, security_group_name: "theirs" });
  const security_group = String(group.security_group_id);
  await client.ok("ModifyRouterAttributes", { ...inZone, router, security_group });
  await client.done("UpdateRouters", { ...inZone, "routers.1": router });
  before.push(router, security_group);
  const joined = { ...beijing, existing: { vpcId: router } };
  for (const [from, to] of [
    [beijing, joined],
    [joined, beijing],
  ] as const) {
    configure(from, shanghai);
    await stack.ok(...up);
    configure(to, shanghai);
    await refusedAt("RunInstances");
    configure(from, shanghai);
    await upThatLooks();
    await expectWhole();
  }
  configure(beijing, shanghai);
  await stack.ok(...up);
});

test("a renaming is of a whole zone, and its name is free for another one once it has ended", async () => {
  const renamed = { ...beijing, name: "bj", formerly: "beijing" };
  configure(renamed, shanghai);
  const partial = await stack.start(...up, "--target", urnOf("Eip", "beijing")).ended;
  expect([partial.code, partial.stderr]).toEqual([
    1,
    'Zone "bj" was "beijing" until now, and is renamed as a whole: run `up` without --target, --target-replace and --exclude first. If that has been done, take `formerly` out.\n',
  ]);
  await refusedAt("ModifyRouterAttributes");
  const other = zone("beijing", "gpu1a", 4);
  configure({ ...renamed, formerly: undefined }, shanghai, other);
  const refused = await stack.start(...up).ended;
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toContain(
    'Zone "bj" has the network of "beijing" (192.168.1.0/24), whose renaming was cut off, and another zone is to be called "beijing". End that first: give "bj" `formerly: beijing`, leave the other one out, and run `up`; then put it back.',
  );
  configure(renamed, shanghai);
  await stack.ok(...up);
  configure({ ...renamed, formerly: undefined }, shanghai, other);
  await stack.ok(...up);
  await expectWhole();
});

test("what a killed provider has left keeps the stack's name from being changed", async () => {
  configure(zone("bj", "gpu1a", 1), shanghai, zone("tianjin", "gpu2a", 6));
  await cutAt("RunInstances", up, killProvider);
  configure(zone("bj", "gpu1a", 1), shanghai);
  await stack.ok(...up);
  const { code, text } = await stack.start("stack", "rename", "live").ended;
  expect([code, text]).toEqual([1, expect.stringContaining("Stack dev is not renamed")]);
  await stack.ok(...destroy);
  expect((await idsInZones(stack.cloud.client, zoneIds)).sort()).toEqual(before.sort());
});
