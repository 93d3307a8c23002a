/** What is in use is not deleted: it is waited for, then told by id, and goes once it is free. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Properties } from "../../../provider/rpc/values.ts";
import { Account, changesOf, failureOf, own } from "../../harness/account.ts";
import type { Call } from "../../harness/calls.ts";
import { firstId, publicKey, type TestClient } from "../../local-cloud/support.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import { Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

// All wait for their timeouts at the same time.
vi.setConfig({ maxConcurrency: 7 });

let account: Account;
let grounds: Grounds;
let plugin: Plugin;
beforeAll(async () => {
  account = await Account.start();
  [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
});
afterAll(async () => await account?.stop());

/** What uses the resource, and how it lets it go. */
interface Use {
  readonly by: string;
  free(): Promise<unknown>;
}

interface Case {
  readonly name: string;
  readonly type: string;
  /** In the error, e.g. `VPC router`. */
  readonly what: string;
  inputs(client: TestClient): Promise<Properties> | Properties;
  use(client: TestClient, id: string): Promise<Use>;
  /** The call that is refused. */
  readonly refused: string;
  /** Where the cloud is not asked: what is said instead of its refusal. */
  readonly words?: string;
}

const vpcNetwork = "192.168.0.0/16";
const routerOf = async (client: TestClient) =>
  firstId((await client.done("CreateRouters", { vpc_network: vpcNetwork })).routers);
const eipOf = async (client: TestClient) =>
  firstId((await client.ok("AllocateEips", { bandwidth: "1" })).eips);

async function setEip(client: TestClient, router: string, eip: string): Promise<void> {
  await client.ok("ModifyRouterAttributes", { router, eip });
  await client.done("UpdateRouters", { "routers.1": router });
}

async function instanceOf(client: TestClient, more: Readonly<Record<string, string>>): Promise<string> {
  const server = { image_id: "img-bare", instance_type: "c1m1", login_mode: "keypair" };
  const request = { ...server, login_keypair: grounds.shared.keyPair, ...more };
  return firstId((await client.done("RunInstances", request)).instances);
}

const cases: readonly Case[] = [
  {
    name: "a router with somebody's vxnet",
    type: "Vpc",
    what: "VPC router",
    refused: "DeleteRouters 5400",
    inputs: () => ({ vpcNetwork }),
    async use(client, router) {
      const vxnet = firstId((await client.ok("CreateVxnets", { vxnet_type: "1" })).vxnets);
      await client.done("JoinRouter", { router, vxnet, ip_network: "192.168.9.0/24" });
      return { by: vxnet, free: () => client.done("LeaveRouter", { router, "vxnets.1": vxnet }) };
    },
  },
  {
    name: "a router with an EIP that the state does not know",
    type: "Vpc",
    what: "VPC router",
    refused: "DeleteRouters 5400",
    inputs: () => ({ vpcNetwork }),
    async use(client, router) {
      const eip = await eipOf(client);
      await setEip(client, router, eip);
      return { by: eip, free: () => setEip(client, router, "") };
    },
  },
  {
    name: "an EIP whose name is its user's on a router that the state does not know",
    type: "Eip",
    what: "EIP",
    refused: "ReleaseEips 1400",
    inputs: () => ({ bandwidth: 1, name: "mine" }),
    async use(client, eip) {
      const router = await routerOf(client);
      await setEip(client, router, eip);
      return { by: router, free: () => setEip(client, router, "") };
    },
  },
  {
    name: "a key pair on an instance",
    type: "KeyPair",
    what: "key pair",
    refused: "DeleteKeyPairs 5400",
    inputs: () => ({ publicKey }),
    async use(client, keyPair) {
      const instance = await instanceOf(client, { login_keypair: keyPair });
      const request = { "keypairs.1": keyPair, "instances.1": instance };
      return { by: instance, free: () => client.done("DetachKeyPairs", request) };
    },
  },
  {
    name: "a security group of a router",
    type: "SecurityGroup",
    what: "security group",
    refused: "DeleteSecurityGroups 5400",
    inputs: () => ({}),
    async use(client, group) {
      const router = await routerOf(client);
      const set = async (security_group: string) => {
        await client.ok("ModifyRouterAttributes", { router, security_group });
        await client.done("ApplySecurityGroup", { security_group });
      };
      await set(group);
      return { by: router, free: () => set(grounds.shared.group) };
    },
  },
  {
    name: "a volume at an instance",
    type: "Volume",
    what: "volume",
    refused: "DeleteVolumes 5400",
    inputs: () => ({ sizeGiB: 10 }),
    async use(client, volume) {
      const { instance } = grounds.shared;
      const request = { "volumes.1": volume, instance };
      await client.done("AttachVolumes", request);
      return { by: instance, free: () => client.done("DetachVolumes", request) };
    },
  },
  {
    name: "a vxnet with an instance",
    type: "Vxnet",
    what: "vxnet",
    refused: "DeleteVxnets 5400",
    // Not even asked for: it would leave its router first, and the instance lose its address.
    words: "instances are in it: i-",
    inputs: async (client) => ({ vpcId: await routerOf(client), ipNetwork: "192.168.7.0/24" }),
    async use(client, vxnet) {
      const instance = await instanceOf(client, { "vxnets.1": vxnet });
      const gone = { "instances.1": instance, direct_cease: "1" };
      return { by: instance, free: () => client.done("TerminateInstances", gone) };
    },
  },
];

// Each has resources of its own, and no fault is about.
test.concurrent.each(cases.map((each) => [each.name, each] as const))(
  "%s is waited for, told by id at the timeout, and deleted once it is free",
  async (name, { type, what, refused, words, inputs, use }) => {
    const { client, engine } = account;
    const urn = urnOf(`cloud:${type}`, name.replaceAll(" ", "-"));
    const made = await plugin.create(urn, { ...own, ...(await inputs(client)) });
    const { by, free } = await use(client, made.id);

    const { message } = await failureOf(plugin.delete(made, { timeout: 3 }));
    const [action, code] = refused.split(" ");
    expect(message).toMatch(
      new RegExp(
        `^${what} ${made.id} of zone gpu1a cannot be deleted after \\d+ s: ${words ?? `${action} was refused with ${code} \\(`}`,
      ),
    );
    expect(message).toMatch(new RegExp(` Still used by ${by}: delete or detach these first\\.$`));
    const waits = `waiting to delete ${what} ${made.id} `;
    const told = () => engine.toldOf(urn).filter((each) => each.startsWith(waits)).length;
    await vi.waitFor(() => expect(told()).toBeGreaterThan(0), { timeout: 20_000 });
    expect(await plugin.read(made)).toBeDefined();

    const before = told();
    const deleted = plugin.delete(made);
    await vi.waitFor(() => expect(told()).toBeGreaterThan(before), { timeout: 20_000 });
    const freeing = account.calls().length;
    await free();
    const freed = account.calls().length;
    await deleted;
    expect(await plugin.read(made)).toBeUndefined();
    // While it is taken from what uses it, it is at work.
    const isBusy = ({ ret_code }: Call, index: number) =>
      index >= freeing && index < freed && ret_code === 1400;
    const calls = account
      .calls()
      .filter((call, index) => Object.values(call.parameters).includes(made.id) && !isBusy(call, index));
    const ends = changesOf(calls).filter((each) => each.startsWith(String(action)));
    expect([...new Set(ends)]).toEqual(words === undefined ? [refused, action] : [action]);
    expect(ends.filter((each) => each === action)).toHaveLength(1);
  },
);
