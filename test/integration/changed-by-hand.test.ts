/**
 * A living stack changed outside Pulumi: nodes terminated and stopped, routers powered off. The next `up` says what it found
 * and puts it back, `destroy` leaves nothing; after each the whole state is compared with the whole cloud.
 */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Stack, up } from "../harness/stack.ts";
import { idsInZone } from "../harness/whole-cloud.ts";
import { firstId } from "../local-cloud/support.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const zones = { beijing: "gpu1a", shanghai: "gpu2a" } as const;
type Name = keyof typeof zones;
const names = Object.keys(zones) as Name[];

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
/** What the zones have before the stack: their default groups, and a terminated instance of somebody else's. */
let before: Record<Name, string[]>;
beforeAll(async () => {
  stack = await Stack.here();
  await leaveOthersInBin();
  before = await held();
  await stack.ok(...up);
  await expectWhole();
});
afterAll(async () => await stack?.remove());

async function leaveOthersInBin(): Promise<void> {
  const { client } = stack.cloud;
  const request = { image_id: "img-bare", instance_type: "c1m1", login_mode: "passwd" };
  const login = { login_passwd: "Their-passw0rd", instance_name: "theirs" };
  const id = firstId((await client.done("RunInstances", { ...request, ...login })).instances);
  await client.done("TerminateInstances", { "instances.1": id });
}

async function held(): Promise<Record<Name, string[]>> {
  const { client } = stack.cloud;
  const ids = await Promise.all(names.map((name) => idsInZone(client, zones[name])));
  return Object.fromEntries(names.map((name, index) => [name, ids[index] ?? []])) as Record<Name, string[]>;
}

/** Kinds that have no id of their own in the cloud. */
const withoutId = /^qingcloud:(state:|link:)|:(SecurityGroupRules)$/;

/** Every id of the state is in the cloud, once, and the cloud holds nothing else but rules, which are in their groups. */
async function expectWhole(): Promise<void> {
  const ids = stack.resources().flatMap(({ type, id = "" }) => (withoutId.test(type) ? [] : [id]));
  expect(new Set(ids).size).toBe(ids.length);
  const inCloud = Object.entries(await held()).flatMap(([name, all]) =>
    all.filter((id) => !before[name as Name].includes(id) && !id.startsWith("sgr-")),
  );
  expect(inCloud.toSorted()).toEqual(ids.filter((id) => !id.startsWith("sgr-")).toSorted());
  expect(stack.resources().flatMap(({ initErrors = [] }) => initErrors)).toEqual([]);
}

function idOf(type: string, name: Name): string {
  const found = stack.resources(`:${type}`).filter(({ urn }) => urn.split("::").at(-1)?.startsWith(name));
  if (found[0]?.id === undefined || found.length > 1) throw new Error(`${found.length} ${type} of ${name}`);
  return found[0].id;
}

const node = (name: Name) => idOf("Instance", name);
const router = (name: Name) => idOf("Vpc", name);
const byHand = async (action: string, name: Name, parameters: Record<string, string>) =>
  await stack.cloud.client.done(action, { zone: zones[name], ...parameters });
const terminate = (name: Name) => byHand("TerminateInstances", name, { "instances.1": node(name) });
const stop = (name: Name) => byHand("StopInstances", name, { "instances.1": node(name) });
const powerOff = (name: Name) => byHand("PowerOffRouters", name, { "routers.1": router(name) });

const instanceOf = (name: Name) =>
  stack.cloud.client.one("DescribeInstances", "instance_set", {
    zone: zones[name],
    "instances.1": node(name),
  });
const routerOf = (name: Name) =>
  stack.cloud.client.one("DescribeRouters", "router_set", { zone: zones[name], "routers.1": router(name) });

test("a node terminated, one stopped and a router powered off are noticed, said and put back by one up", async () => {
  const terminated = node("beijing");
  const others = stack.resources().flatMap(({ id = "" }) => (id === terminated ? [] : [id]));
  await terminate("beijing");
  await stop("shanghai");
  await powerOff("shanghai");

  let text = "";
  const changes = await stack.cloud.changesBy(async () => {
    text = (await stack.run(...up, "--refresh")).text;
  });
  expect(text).toContain(`Instance ${terminated} (`);
  expect(text).toContain("lies in the recycle bin");
  expect(text).toContain("it is stopped; the next `up` finishes it");
  expect(text).toContain("it is powered off; the next `up` finishes it");
  expect(changes.map(([action]) => action).toSorted(), text).toEqual([
    "CeaseInstances",
    "PowerOnRouters",
    "RunInstances",
    "StartInstances",
  ]);
  await expectWhole();
  expect(await instanceOf("beijing")).toMatchObject({
    status: "running",
    transition_status: "",
    vxnets: [{ private_ip: "192.168.1.2" }],
  });
  expect(await instanceOf("shanghai")).toMatchObject({ status: "running", transition_status: "" });
  expect(await routerOf("shanghai")).toMatchObject({
    status: "active",
    transition_status: "",
    is_applied: 1,
  });
  // All else is the same, and there is one node in the place of the other.
  const now = stack.resources().map(({ id = "" }) => id);
  expect(now.filter((id) => !others.includes(id))).toEqual([node("beijing")]);
  expect(node("beijing")).not.toBe(terminated);
  expect(now).toHaveLength(others.length + 1);
});

test("then there is nothing to change", async () => {
  await stack.noChanges();
});

test("destroy leaves nothing of it, also of what a refresh has found gone, and all of what is not the stack's", async () => {
  await terminate("beijing");
  await stack.ok("refresh", "--yes", "--skip-preview", "--color", "never");
  expect(stack.resources(":Instance")).toHaveLength(1);
  await terminate("shanghai");
  await powerOff("beijing");
  await powerOff("shanghai");
  const { code, text } = await stack.run("destroy", "--yes", "--skip-preview", "--color", "never");
  expect(code, text).toBe(0);
  expect(stack.resources()).toEqual([]);
  expect(await held()).toEqual(before);
});
