/** What an interrupted run left is finished as the program wants it by now, also after a refresh. */
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Properties } from "../../../provider/rpc/values.ts";
import { Account, changesOf, failureOf, halfMadeOf, own } from "../../harness/account.ts";
import { firstId, makeKeyPair, publicKey } from "../../local-cloud/support.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { Gateway } from "./gateway.ts";
import { Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let account: Account;
let grounds: Grounds;
beforeAll(async () => {
  account = await Account.start();
  grounds = await Grounds.make(account.client);
});
afterAll(async () => await account?.stop());

const actionsOf = () => account.calls().map(({ action }) => action);

/** Waits until the call was answered: the cloud is asked for its job then. */
async function untilAtWork(action: string, before: number): Promise<void> {
  await vi.waitFor(
    () => {
      const since = actionsOf().slice(before);
      expect(since.indexOf(action)).toBeGreaterThanOrEqual(0);
      expect(since.lastIndexOf("DescribeJobs")).toBeGreaterThan(since.indexOf(action));
    },
    { timeout: 20_000, interval: 20 },
  );
}

const nodeInputs = () => ({
  ...own,
  imageId: "img-bare",
  cpu: 1,
  memoryGiB: 2,
  vxnetId: grounds.shared.vxnet,
  keypairId: grounds.shared.keyPair,
});

/** Ends work by Ctrl-C while the job of an action goes on, which it does until `account.letGo`. */
async function interrupted(plugin: Plugin, action: string, work: () => Promise<Resource>): Promise<Resource> {
  await account.hold(action);
  const before = actionsOf().length;
  const failed = failureOf(work());
  await untilAtWork(action, before);
  await plugin.cancel();
  return halfMadeOf(await failed);
}

const instanceOf = async (id: string) =>
  (await account.client.one("DescribeInstances", "instance_set", { "instances.1": id, verbose: "1" })) as {
    status: string;
    memory_current: number;
    keypair_ids: string[];
    instance_name: string;
  };

test("an instance that was being made is finished with the size, key and name that are wanted now", async () => {
  const urn = urnOf("cloud:Instance", "changed");
  const first = await account.plugin();
  const left = await interrupted(first, "RunInstances", () => first.create(urn, nodeInputs()));
  const next = await account.plugin();
  const wanted = { ...nodeInputs(), name: "as wanted", memoryGiB: 4, keypairId: grounds.shared.otherKeyPair };
  const finished = await account.letGo(() => next.update(left, wanted));
  expect(await instanceOf(left.id)).toMatchObject({
    status: "running",
    memory_current: 4096,
    keypair_ids: [grounds.shared.otherKeyPair],
    instance_name: "as wanted",
  });
  expect(await next.read(finished)).toEqual(finished);
  expect(await next.diff(finished, wanted)).toEqual({});
  await next.delete(finished);
});

test("a refresh does not forget that it is half-made: the next run finishes it", async () => {
  const urn = urnOf("cloud:Volume", "refreshed");
  const inputs = { ...own, sizeGiB: 10 };
  const first = await account.plugin();
  const left = await interrupted(first, "CreateVolumes", () => first.create(urn, inputs));
  const next = await account.plugin();
  const error = await failureOf(next.read(left));
  expect(error.message).toBe("it was not finished; the next `up` finishes it");
  const refreshed = halfMadeOf(error);
  expect(refreshed.id).toBe(left.id);
  const finished = await account.letGo(() => next.update(refreshed, { ...inputs, sizeGiB: 20 }));
  expect(await next.read(finished)).toEqual(finished);
  expect(finished.inputs.sizeGiB).toBe(20);
  await next.delete(finished);
});

test("an orphan that differs in what cannot be changed is told, with what to do, and stays as it is", async () => {
  const urn = urnOf("cloud:Instance", "orphan");
  const first = await account.process();
  await account.hold("RunInstances");
  const before = actionsOf().length;
  const lost = failureOf(first.create(urn, nodeInputs()));
  await untilAtWork("RunInstances", before);
  await first.stop("SIGKILL");
  await lost;

  const next = await account.plugin();
  const inputs = { ...nodeInputs(), imageId: "img-deeplearning" };
  const { result: error, calls } = await account.watch(() =>
    account.letGo(() => failureOf(next.create(urn, inputs))),
  );
  expect(changesOf(calls)).toEqual([]);
  const left = halfMadeOf(error);
  expect(error.message).toBe(
    `An interrupted run left ${left.id} with another imageId, which the cloud cannot change. Give the program what it has, or replace it: \`up --replace '${urn}'\`.`,
  );
  await next.delete(left);
  const remains = (await account.client.ok("DescribeInstances", { "instances.1": left.id })).instance_set;
  expect(remains).toMatchObject([{ status: "ceased" }]);
});

test.each(["the next run", "a refresh and the next run"])(
  "a running node whose resize was interrupted is resized and runs again by %s",
  async (by) => {
    const urn = urnOf("cloud:Instance", `resized by ${by}`.replaceAll(" ", "-"));
    const first = await account.plugin();
    const made = await first.create(urn, nodeInputs());
    const wanted = { ...nodeInputs(), memoryGiB: 4 };
    let left = await interrupted(first, "ResizeInstances", () => first.update(made, wanted));
    expect((await instanceOf(made.id)).status).toBe("stopped");

    const next = await account.plugin();
    if (by.startsWith("a refresh")) left = halfMadeOf(await failureOf(next.read(left)));
    const finished = await account.letGo(() => next.update(left, wanted));
    expect(await instanceOf(made.id)).toMatchObject({ status: "running", memory_current: 4096 });
    expect(await next.diff(finished, wanted)).toEqual({});
    await next.delete(finished);
  },
);

test("a static whose change was not applied is no more in effect than before: a refresh says so, the next run applies it", async () => {
  const router = firstId(
    (await account.client.done("CreateRouters", { vpc_network: "192.168.0.0/16" })).routers,
  );
  const inputs = { ...own, vpcId: router, sourcePort: 2201, targetAddress: "192.168.1.2", targetPort: 22 };
  const first = await account.process();
  const urn = urnOf("cloud:PortForward", "unapplied");
  const made = await first.create(urn, inputs);
  await account.cloud.fault({ action: "UpdateRouters", kind: "refuse", code: 5100, times: 1000 });
  const before = actionsOf().length;
  const failed = failureOf(first.update(made, { ...inputs, sourcePort: 2202 }));
  await vi.waitFor(() => expect(actionsOf().slice(before)).toContain("UpdateRouters"), { timeout: 20_000 });
  await first.stop("SIGKILL");
  await failed;
  await account.clearFaults();

  const next = await account.plugin();
  const error = await failureOf(next.read(made));
  expect(error.message).toBe(
    "its router has changes that are not applied (UpdateRouters); the next `up` finishes it",
  );
  const finished = await next.update(halfMadeOf(error), { ...inputs, sourcePort: 2202 });
  const told = await account.client.one("DescribeRouterStatics", "router_static_set", {
    "router_statics.1": made.id,
  });
  expect(told).toMatchObject({ val1: "2202", is_applied: 1 });
  expect(await next.read(finished)).toEqual(finished);
  await next.delete(finished);
});

test("a vxnet that left its router by hand, and an instance that left its vxnet, join again in place", async () => {
  const { client } = account;
  const router = firstId((await client.done("CreateRouters", { vpc_network: "172.16.0.0/16" })).routers);
  const plugin = await account.plugin();
  const network = { ...own, vpcId: router, ipNetwork: "172.16.7.0/24" };
  const vxnet = await plugin.create(urnOf("cloud:Vxnet", "left"), network);
  const keypair = await makeKeyPair(client);
  const node = { ...nodeInputs(), vxnetId: vxnet.id, privateIp: "172.16.7.5", keypairId: keypair };
  const instance = await plugin.create(urnOf("cloud:Instance", "left"), node);
  await client.done("LeaveVxnet", { vxnet: vxnet.id, "instances.1": instance.id });
  await client.done("LeaveRouter", { router, "vxnets.1": vxnet.id });

  const drifted = { vxnet: await plugin.read(vxnet), instance: await plugin.read(instance) };
  if (drifted.vxnet === undefined || drifted.instance === undefined) throw new Error("gone");
  expect(await plugin.diff(drifted.vxnet, network)).toEqual({ vpcId: "UPDATE", ipNetwork: "UPDATE" });
  expect(await plugin.diff(drifted.instance, node)).toMatchObject({ vxnetId: "UPDATE" });
  const calls = await account.callsBy(async () => {
    await plugin.update(drifted.vxnet as Resource, network);
    await plugin.update(drifted.instance as Resource, node);
  });
  expect(changesOf(calls)).toEqual(["JoinRouter", "JoinVxnet"]);
  expect(await plugin.read(instance)).toEqual(instance);
  expect(await plugin.read(vxnet)).toEqual(vxnet);
  await plugin.delete(instance);
  await plugin.delete(vxnet);
});

describe("Ctrl-C while a create waits for its answer", () => {
  let gateway: Gateway;
  let plugin: Plugin;
  beforeEach(async () => {
    gateway = await Gateway.start(account.client.keys.port);
    const config = account.write("gateway.yaml", gateway.through(readFileSync(account.configFile, "utf8")));
    plugin = await account.plugin(config);
  });
  afterEach(async () => await gateway.stop());

  const node = () => ({ ...own, vpcId: grounds.shared.router });
  const calls: Readonly<Record<string, readonly [type: string, inputs: () => Properties]>> = {
    AllocateEips: ["Eip", () => ({ ...own, bandwidth: 1 })],
    CreateSecurityGroup: ["SecurityGroup", () => ({ ...own, rules: [] })],
    CreateKeyPair: ["KeyPair", () => ({ ...own, publicKey })],
    CreateRouters: ["Vpc", () => ({ ...own, vpcNetwork: "172.17.0.0/16" })],
    CreateVxnets: ["Vxnet", () => ({ ...node(), ipNetwork: "192.168.77.0/24" })],
    RunInstances: ["Instance", nodeInputs],
    CreateVolumes: ["Volume", () => ({ ...own, sizeGiB: 10 })],
    CreateTag: ["Tag", () => own],
    AddRouterStatics: [
      "PortForward",
      () => ({ ...node(), sourcePort: 2277, targetAddress: "192.168.1.2", targetPort: 22 }),
    ],
  };

  test.each(Object.keys(calls))(
    "%s: its id is kept, however late it comes, and the user is told",
    async (action) => {
      const [type = "", inputs = () => ({})] = calls[action] ?? [];
      const urn = urnOf(`cloud:${type}`, "answered-late");
      const { arrived, release } = gateway.holdNext(action);
      // What is made by one call alone is complete with its answer.
      const kept = plugin.create(urn, inputs()).catch(halfMadeOf);
      await arrived;
      await plugin.cancel();
      const told = () =>
        account.engine.told.filter((each) => each.urn === urn && each.severity === "warning");
      await vi.waitFor(() => expect(told()).toHaveLength(1), { timeout: 20_000, interval: 20 });
      expect(told()[0]?.message).toMatch(
        /^Cancelled; waiting for the cloud's answer, at most two minutes: it may be making \S.* "(answered-late|0badcafe)-\S+"( of \S+)?\. A second Ctrl-C stops waiting; the state then does not know what was made, and the next `up` finds it by its name\.$/,
      );
      release();
      const left = await kept;
      const next = await account.plugin();
      const made = await account.callsBy(() => next.update(left, inputs()));
      expect(changesOf(made)).not.toContain(action);
      await next.delete(left);
      expect(await next.read(left)).toBeUndefined();
    },
  );

  test("and the answer is lost: what it has made is looked for, and found", async () => {
    // Under a new mark nothing is looked for before.
    const mark = (await plugin.create(urnOf("state:StackMark", "mark"), {})).id;
    const urn = urnOf("cloud:Eip", "lost-late");
    gateway.answerNext("AllocateEips", { status: 502, body: {} });
    gateway.answerNext("DescribeEips", { status: 502, body: {} });
    const { arrived, release } = gateway.holdNext("DescribeEips");
    const kept = plugin.create(urn, { ...own, mark, bandwidth: 1 }).catch(halfMadeOf);
    await arrived;
    await plugin.cancel();
    release();
    const { id } = await kept;
    const { eip_set } = await account.client.ok("DescribeEips", { search_word: mark });
    expect((eip_set as { eip_id: string }[]).map((each) => each.eip_id)).toEqual([id]);
  });
});
