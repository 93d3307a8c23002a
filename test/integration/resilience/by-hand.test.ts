/** Instances and routers that somebody terminates, stops or powers off: what is the stack's is put back or goes, and nobody else's is touched. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Account, changesOf, failureOf, halfMadeOf, own } from "../../harness/account.ts";
import { firstId, makeNetwork, publicKey } from "../../local-cloud/support.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let account: Account;
let grounds: Grounds;
let plugin: Plugin;
beforeAll(async () => {
  account = await Account.start();
  [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
});
afterAll(async () => await account?.stop());

const server = { imageId: "img-bare", cpu: 1, memoryGiB: 1 };
const nodeInputs = () => ({
  ...own,
  ...server,
  vxnetId: grounds.shared.vxnet,
  keypairId: grounds.shared.keyPair,
});
const terminate = (id: string) => account.client.done("TerminateInstances", { "instances.1": id });
const stop = (id: string) => account.client.done("StopInstances", { "instances.1": id });
const powerOff = (id: string) => account.client.done("PowerOffRouters", { "routers.1": id });
const statusOf = async (id: string) =>
  (await account.client.one("DescribeInstances", "instance_set", { "instances.1": id })).status;
const routerStatusOf = async (id: string) =>
  (await account.client.one("DescribeRouters", "router_set", { "routers.1": id })).status;

/** Somebody's instance in the recycle bin. */
async function theirsInBin(name: string, place: string): Promise<string> {
  const request = { image_id: "img-bare", instance_type: "c1m1", login_mode: "keypair" };
  const more = { login_keypair: grounds.shared.keyPair, "vxnets.1": place, instance_name: name };
  const id = firstId((await account.client.done("RunInstances", { ...request, ...more })).instances);
  await terminate(id);
  return id;
}

test("a terminated instance whose name was given stays in state; --replace or a deletion ceases it", async () => {
  const urn = urnOf("cloud:Instance", "given");
  const inputs = { ...nodeInputs(), name: "given", privateIp: "192.168.1.50" };
  const made = await plugin.create(urn, inputs);
  await terminate(made.id);
  const error = await failureOf(plugin.read(made));
  expect(error.message).toBe("it was terminated and lies in the recycle bin; the next `up` finishes it");
  const left = halfMadeOf(error);
  const refused = await failureOf(plugin.update(left, inputs));
  expect(refused.message).toBe(
    `Instance ${made.id} (given) was terminated and lies in the recycle bin of zone gpu1a. Bring it back (console: recycle bin), or have it ceased and made again: \`up --replace '${urn}'\`.`,
  );
  expect(halfMadeOf(refused).id).toBe(made.id);
  const replaced = await account.watch(async () => {
    await plugin.delete(left);
    return await plugin.create(urn, inputs);
  });
  expect(changesOf(replaced.calls)).toEqual(["CeaseInstances", "RunInstances"]);
  await plugin.delete(replaced.result);
});

test("one that was renamed by hand, too: its name does not find it", async () => {
  const made = await plugin.create(urnOf("cloud:Instance", "renamed"), nodeInputs());
  await account.client.ok("ModifyInstanceAttributes", { instance: made.id, instance_name: "by hand" });
  await terminate(made.id);
  const left = halfMadeOf(await failureOf(plugin.read(made)));
  expect(changesOf(await account.callsBy(() => plugin.delete(left)))).toEqual(["CeaseInstances"]);
});

test.each(["theirs", "node-deadbeef-12345678"])(
  "an address held in the recycle bin by %s, which is another one's, is said, and that is left alone",
  async (name) => {
    const address = name === "theirs" ? "192.168.1.60" : "192.168.1.61";
    const theirs = await theirsInBin(name, `${grounds.shared.vxnet}|${address}`);
    const inputs = { ...nodeInputs(), privateIp: address };
    for (const named of [inputs, { ...inputs, name }]) {
      const create = plugin.create(urnOf("cloud:Instance", "node"), named);
      expect((await failureOf(create)).message).toContain(
        `Instance ${theirs} (${name}) was terminated and lies in the recycle bin of zone gpu1a: it holds ${address} until it is ceased. It has another name than the instance to be made, so it is left alone. Cease it (console: recycle bin; API: CeaseInstances), or give another privateIp`,
      );
    }
    expect(await statusOf(theirs)).toBe("terminated");
    const lookup = plugin.invoke("qingcloud:cloud:getInstance", { zone: "gpu1a", name });
    expect((await failureOf(lookup)).message).toContain(`There is no Instance named "${name}" in zone gpu1a`);
  },
);

test("a vxnet goes with the stack's own in the recycle bin, which no state knows; another one's is named", async () => {
  const { client } = account;
  const { router } = await makeNetwork(client);
  const network = { ...own, vpcId: router, ipNetwork: "192.168.8.0/24" };
  const vxnet = await plugin.create(urnOf("cloud:Vxnet", "bin"), network);
  const node = await plugin.create(urnOf("cloud:Instance", "bin"), { ...nodeInputs(), vxnetId: vxnet.id });
  const theirs = await theirsInBin("theirs-too", vxnet.id);
  await terminate(node.id);
  expect(await plugin.read(node)).toBeUndefined();

  const error = await failureOf(plugin.delete(vxnet, { timeout: 3 }));
  expect(error.message).toMatch(
    new RegExp(
      ` Still used by ${theirs} in the recycle bin \\(CeaseInstances\\): delete or detach these first\\.$`,
    ),
  );
  expect(await statusOf(node.id)).toBe("ceased");
  expect(await statusOf(theirs)).toBe("terminated");
  await client.done("CeaseInstances", { "instances.1": theirs });
  await plugin.delete(vxnet);
});

test("an instance that was stopped runs after any update; one that is imported may be stopped", async () => {
  const urn = urnOf("cloud:Instance", "stopped");
  const inputs = { ...nodeInputs(), name: "stopped" };
  const made = await plugin.create(urn, inputs);
  await stop(made.id);
  const imported = (await plugin.import(urn, `gpu1a/${made.id}`)) as Resource;
  expect(await plugin.read(imported)).toEqual(imported);
  expect(account.engine.toldOf(urn)).toContain(
    `Instance ${made.id} is stopped. It was imported, so it is left as it is: start it (console, or API: StartInstances).`,
  );
  const changes = await account.callsBy(async () => {
    await plugin.update(made, { ...inputs, name: "stopped 2" });
  });
  expect(changesOf(changes)).toEqual(["ModifyInstanceAttributes", "StartInstances"]);
  expect(await statusOf(made.id)).toBe("running");
  await plugin.delete(made);
});

const forwardOn = (router: string) => ({
  ...own,
  vpcId: router,
  sourcePort: 2201,
  targetAddress: "192.168.1.2",
  targetPort: 22,
});

test("a router of the stack that was powered off is powered on where its update takes that, also to be deleted", async () => {
  const { client } = account;
  const eipId = firstId((await client.ok("AllocateEips", { bandwidth: "1" })).eips);
  const inputs = { ...own, vpcNetwork: "192.168.0.0/16", eipId };
  const router = await plugin.create(urnOf("cloud:Vpc", "off"), inputs);
  const forward = await plugin.create(urnOf("cloud:PortForward", "off"), forwardOn(router.id));
  await powerOff(router.id);
  const error = await failureOf(plugin.read(router));
  expect(error.message).toBe("it is powered off; the next `up` finishes it");
  const finished = await account.watch(() => plugin.update(halfMadeOf(error), inputs));
  expect(changesOf(finished.calls)).toEqual(["PowerOnRouters"]);
  expect(await plugin.read(router)).toEqual(finished.result);

  // Another run, which has met none of them.
  const next = await account.plugin();
  await powerOff(router.id);
  expect(changesOf(await account.callsBy(() => next.delete(forward)))).toEqual([
    "DeleteRouterStatics",
    "UpdateRouters 1400",
    "PowerOnRouters",
    "UpdateRouters",
  ]);
  await powerOff(router.id);
  expect(changesOf(await account.callsBy(() => next.delete(router)))).toEqual([
    "PowerOnRouters",
    "ModifyRouterAttributes",
    "UpdateRouters",
    "DeleteRouters",
  ]);
});

test("a router that is another one's stays off: what waits for it says so", async () => {
  const { router } = await makeNetwork(account.client);
  const forward = await plugin.create(urnOf("cloud:PortForward", "theirs"), forwardOn(router));
  await powerOff(router);
  const next = await account.plugin();
  const { message } = await failureOf(next.delete(forward));
  expect(message).toBe(
    `VPC router ${router}, without a name, of zone gpu1a is powered off, so its changes cannot be applied (UpdateRouters). Pulumi has not named it, so it may be somebody else's and stays off: power it on (console, or API: PowerOnRouters), then run the same command again.`,
  );
  expect(await routerStatusOf(router)).toBe("poweroffed");
  await account.client.done("PowerOnRouters", { "routers.1": router });
  await next.delete(forward);
});

test("a volume that is at another instance is not attached, with what to do", async () => {
  const volume = await plugin.create(urnOf("cloud:Volume", "taken"), { ...own, sizeGiB: 10 });
  const [first, second] = await Promise.all(
    ["first", "second"].map((name) => plugin.create(urnOf("cloud:Instance", name), nodeInputs())),
  );
  const attachment = (instance: Resource | undefined) => ({
    ...{ zone: own.zone, volumeId: volume.id, instanceId: instance?.id ?? "" },
  });
  const made = await plugin.create(urnOf("cloud:VolumeAttachment", "old"), attachment(first));
  await plugin.nextRun();
  const { message } = await failureOf(
    plugin.create(urnOf("cloud:VolumeAttachment", "new"), attachment(second)),
  );
  expect(message).toContain(
    ` Volume ${volume.id} is at instance ${first?.id}: detach it there first. If another VolumeAttachment of this program has it, give this one that one's name in an alias, or take that one out of the program for one \`up\`.`,
  );
  for (const each of [made, volume, first, second]) if (each !== undefined) await plugin.delete(each);
});

test("a volume that is at an instance does not grow, with what to do, and grows once that is done", async () => {
  const size = (sizeGiB: number) => ({ ...own, sizeGiB });
  const volume = await plugin.create(urnOf("cloud:Volume", "grows"), size(10));
  const node = await plugin.create(urnOf("cloud:Instance", "keeper"), nodeInputs());
  const attachment = { zone: own.zone, volumeId: volume.id, instanceId: node.id };
  const attached = await plugin.create(urnOf("cloud:VolumeAttachment", "grows"), attachment);
  const { message } = await failureOf(plugin.update(volume, size(20)));
  expect(message).toContain(
    ` Volume ${volume.id} is at instance ${node.id}, and grows from 10 to 20 GiB only while it is at none: give it sizeGiB 10, take its VolumeAttachment out of the program (or its id out of \`volumeIds\`) and run \`up\`; then give it sizeGiB 20 and what was taken out, and run \`up\` again.`,
  );
  await plugin.nextRun();
  await plugin.delete(attached);
  await plugin.nextRun();
  const grown = await plugin.update(volume, size(20));
  expect((await plugin.read(grown))?.inputs).toMatchObject({ sizeGiB: 20 });
  for (const each of [grown, node]) await plugin.delete(each);
});

test("a key pair that an update which did not end has left on an instance next to the other is taken off to be deleted", async () => {
  const key = (name: string, generation: string) =>
    plugin.create(urnOf("cloud:KeyPair", name), { ...own, publicKey, generation });
  const [former, latter] = [await key("former", "1"), await key("latter", "2")];
  const inputs = { ...nodeInputs(), keypairId: former.id };
  const made = await plugin.create(urnOf("cloud:Instance", "keys"), inputs);
  const request = { "keypairs.1": latter.id, "instances.1": made.id };
  await account.client.done("AttachKeyPairs", request);
  await plugin.nextRun();
  const changed = { ...made, inputs: { ...made.inputs, keypairId: latter.id } };
  expect(await plugin.diff(changed, changed.inputs)).toEqual({});
  const calls = await account.callsBy(() => plugin.deleteInThisRun(former));
  expect(changesOf(calls)).toEqual(["DetachKeyPairs", "DeleteKeyPairs"]);
  // Its only one stays: it would let nobody in.
  const { message } = await failureOf(plugin.deleteInThisRun(latter, { timeout: 1 }));
  expect(message).toContain(`Still used by ${made.id}`);
  for (const each of [made, latter]) await plugin.delete(each);
});
