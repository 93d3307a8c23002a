/** What a killed provider has made and no state knows goes with the stack, if its mark says so; nothing else does. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { markOf } from "../../../provider/cloud/naming.ts";
import type { Properties } from "../../../provider/rpc/values.ts";
import { Account, changesOf, failureOf, zone } from "../../harness/account.ts";
import { idsInZones } from "../../harness/whole-cloud.ts";
import { firstId, publicKey } from "../../local-cloud/support.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

const zones = ["gpu1a", "gpu2a"] as const;
let account: Account;
let grounds: Grounds;
let plugin: Plugin;
let stackMark: Resource;
/** What the account holds beside the stack. */
let before: string[];

const held = async () => await idsInZones(account.client, zones);
/** What the account holds more than before the stack. */
const added = async () => (await held()).filter((id) => !before.includes(id));

beforeAll(async () => {
  account = await Account.start();
  grounds = await Grounds.make(account.client);
  before = await held();
});
afterAll(async () => await account?.stop());

async function begin(inputs: Properties): Promise<void> {
  plugin = await account.plugin();
  stackMark = await plugin.create(urnOf("state:StackMark", "mark"), inputs);
}

const make = (type: string, name: string, inputs: Properties) =>
  plugin.create(urnOf(`cloud:${type}`, name), { zone, mark: stackMark.properties.value, ...inputs });

const node = (vxnetId: string, keypairId: string, more: Properties = {}) => ({
  ...{ imageId: "img-bare", instanceType: "c1m1", vxnetId, keypairId },
  ...more,
});

/** Its user hears it of the mark. */
const expectTold = (text: RegExp) =>
  vi.waitFor(() => expect(account.engine.toldOf(stackMark.urn)).toContainEqual(expect.stringMatching(text)));

/** Advice about a resource with the stack's mark that this run does not know. */
const sweepWords =
  "if the state has it under another name, give the resource that name in an alias, or take it out of the program for one `up`; if a run that was killed has left it and no state knows it, `npm run sweep -- --stack test` lists it and `npm run sweep -- --stack test --yes` removes it; then run the same command again.";

/** Advice about a resource that this run has made or compared. */
const ownWords =
  "is this stack's own, and this run has it: change one of the two, or, if a run that was cut off has left the state behind the cloud, run `up --refresh`.";

/** A zone of a stack, whole. */
async function makeZone(name: string, more: Properties = {}) {
  const eip = await make("Eip", name, { bandwidth: 1, ...more });
  const group = await make("SecurityGroup", name, { rules: [], ...more });
  const keyPair = await make("KeyPair", name, { publicKey, ...more });
  const around = { eipId: eip.id, securityGroupId: group.id };
  const vpc = await make("Vpc", name, { vpcNetwork: "192.168.0.0/16", ...around, ...more });
  const network = { vpcId: vpc.id, ipNetwork: "192.168.1.0/24" };
  const vxnet = await make("Vxnet", name, { ...network, ...more });
  const volume = await make("Volume", name, { sizeGiB: 10, ...more });
  const instance = await make(
    "Instance",
    name,
    node(vxnet.id, keyPair.id, { volumeIds: [volume.id], ...more }),
  );
  const forward = { vpcId: vpc.id, sourcePort: 2200, targetAddress: "192.168.1.2", targetPort: 22 };
  const port = await make("PortForward", name, { ...forward, ...more });
  const tag = await make("Tag", name, more);
  const tagged = { tagId: tag.id, resourceType: "router", resourceId: vpc.id };
  await plugin.create(urnOf("cloud:TagAttachment", name), { zone, ...tagged, ...more });
  return { eip, group, keyPair, vpc, vxnet, volume, instance, port, tag };
}

describe("with `sweep`", () => {
  beforeEach(() => begin({ sweep: true }));

  test("the mark's deletion removes all that bears it, in every zone, from routers and groups of others too", async () => {
    const { router, group, vxnet, keyPair } = grounds.shared;
    await makeZone("one");
    await makeZone("other", { zone: "gpu2a" });
    await make("Instance", "joined", node(vxnet, keyPair));
    const binned = await make("Instance", "recycled", node(vxnet, keyPair));
    await account.client.done("TerminateInstances", { "instances.1": binned.id });
    await make("Vxnet", "joined", { vpcId: router, ipNetwork: "192.168.9.0/24" });
    const forward = { vpcId: router, sourcePort: 2290, targetAddress: "192.168.1.2", targetPort: 22 };
    await make("PortForward", "joined", forward);
    const rule = { protocol: "tcp", priority: 3, action: "accept", direction: 0, fromPort: 22, toPort: 22 };
    await make("SecurityGroupRule", "joined", { securityGroupId: group, ...rule });
    const list = { securityGroupId: grounds.shared.otherGroup, rules: [rule, { ...rule, priority: 4 }] };
    await make("SecurityGroupRules", "joined", list);
    expect((await added()).length).toBe(2 * 9 + 7);

    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
    expect(await held()).toEqual(before);
    const told = account.engine.toldOf(stackMark.urn).filter((line) => line.startsWith("Instance i-"));
    expect(told.map((line) => line.replaceAll(/ i-\S+|-[-0-9a-f]+/g, "")).sort()).toEqual(
      [
        "(joined) of zone gpu1a",
        "(one) of zone gpu1a",
        "(other) of zone gpu2a",
        "(recycled) of zone gpu1a",
      ].map((name) => `Instance ${name} bears this stack's mark and is in no state: it is removed.`),
    );
  });

  const known = [
    ["vxnet", "with an instance in it"],
    ["vpc", "with a vxnet and an instance in it"],
    ["eip", "on a router"],
    ["keyPair", "of an instance"],
    ["group", "of a router"],
    ["volume", "on an instance"],
  ] as const;
  test.each(known)("a known %s %s that no state knows is deleted first of all", async (kind) => {
    const all = await makeZone("killed");
    await plugin.delete(all[kind]);
    expect(await plugin.read(all[kind])).toBeUndefined();
    await plugin.nextRun();
    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
  });

  test("what is somebody else's stays: a name of their own, another mark, and what only looks like it", async () => {
    const { client } = account;
    const { value } = stackMark.properties;
    const digits = String(value).slice(0, 8);
    const names = [`mine-${digits}`, `${digits}`, `x-${digits}-12345678-9`, "x-0badf00d-12345678"];
    const others = await Promise.all(
      names.map(async (eip_name) =>
        firstId((await client.ok("AllocateEips", { bandwidth: "1", eip_name })).eips),
      ),
    );
    const eip = await make("Eip", "own", { bandwidth: 1 });
    expect((await added()).sort()).toEqual([...others, eip.id].sort());
    await plugin.delete(stackMark);
    expect((await added()).sort()).toEqual(others.toSorted());
    await client.done(
      "ReleaseEips",
      Object.fromEntries(others.map((id, index) => [`eips.${index + 1}`, id])),
    );
  });

  test("a run that has made or compared anything removes nothing that can be without what it deletes, and does not forget the mark of what is there", async () => {
    const { vxnet, keyPair, eip, instance } = await makeZone("running");
    await plugin.nextRun();
    await plugin.diff(instance, { ...instance.inputs, imageId: "img-deeplearning" });
    const told = async (resource: Resource) => {
      const deletion = failureOf(plugin.deleteInThisRun(resource, { timeout: 1 }));
      return (await deletion).message;
    };
    const { id, properties } = instance;
    for (const each of [vxnet, keyPair])
      expect(await told(each)).toContain(
        `Still used by ${id}: delete or detach these first. ${id} (${properties.name}) ${ownWords}`,
      );
    // An EIP of the stack leaves any router that this run does not know.
    await plugin.deleteInThisRun(eip);
    const calls = await account.callsBy(async () => {
      expect((await failureOf(plugin.deleteInThisRun(stackMark))).message).toMatch(
        /^These bear this stack's mark, are in no state, and stay: .*Vpc rtr-\S+ \(running-\S+\) of zone gpu1a, .*\. Remove them by `npm run sweep -- --stack test --yes`, or in the console; then run this again\.$/,
      );
    });
    expect(changesOf(calls)).toEqual([]);
    await plugin.nextRun();
    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
  });

  test("a run with --target removes nothing that is in what it deletes: the state may have it", async () => {
    const { vxnet, instance } = await makeZone("part");
    const part = await account.plugin(undefined, "destroy --yes --target URN");
    const { message } = await failureOf(part.deleteInThisRun(vxnet, { timeout: 1 }));
    expect(message).toContain(`Still used by ${instance.id}`);
    expect(await plugin.read(instance)).toEqual(instance);
    await plugin.nextRun();
    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
  });

  test("what no state knows and has the port or the address that is asked for is named, and what removes it", async () => {
    const { router, vxnet, keyPair } = grounds.shared;
    const forward = { vpcId: router, sourcePort: 2291, targetAddress: "192.168.1.2", targetPort: 22 };
    const address = { ...node(vxnet, keyPair), privateIp: "192.168.1.91" };
    for (const [type, inputs] of [["PortForward", forward] as const, ["Instance", address] as const]) {
      const { id, properties } = await make(type, "former", inputs);
      const twice = await failureOf(make(type, "latter", inputs));
      expect(twice.message).toContain(` ${id} (${properties.name}) ${ownWords}`);
      expect(twice.message).not.toContain("sweep");
      await plugin.nextRun();
      const { message } = await failureOf(make(type, "latter", inputs));
      expect(message).toContain(
        ` The name of ${id} (${properties.name}) bears this stack's mark: ${sweepWords}`,
      );
      const others = await failureOf(
        plugin.create(urnOf(`cloud:${type}`, "latter"), { zone, ...inputs, mark: "0badcafe" }),
      );
      expect(others.message).toContain(id);
      expect(others.message).not.toContain("sweep");
    }
    await plugin.nextRun();
    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
  });

  test("a key pair of a former key that this run does not know is named where another takes its name", async () => {
    const urn = urnOf("cloud:KeyPair", "operator");
    const told = () => account.engine.toldOf(urn).filter((line) => line.startsWith("Key pair kp-"));
    const first = await make("KeyPair", "operator", { publicKey });
    await plugin.diff(first, { ...first.inputs, generation: "2" });
    const second = await make("KeyPair", "operator", { publicKey, generation: "2" });
    await plugin.delete(first);
    expect(told()).toEqual([]);
    await plugin.nextRun();
    await make("KeyPair", "operator", { publicKey, generation: "3" });
    await vi.waitFor(() =>
      expect(told()).toEqual([
        `Key pair ${second.id} (${second.properties.name}) has the name of this one with another key, and this run does not know it. If it is in no state, \`npm run sweep -- --stack test\` lists it and \`npm run sweep -- --stack test --yes\` removes it.`,
      ]),
    );
    await plugin.nextRun();
    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
  });

  test("a provider that sees nothing but deletions in an up removes nothing of what others of the run may have", async () => {
    const { group, keyPair, volume, instance, vpc } = await makeZone("shared");
    const other = await account.plugin(undefined, "up");
    for (const [each, user] of [
      [group, vpc] as const,
      [keyPair, instance] as const,
      [volume, instance] as const,
    ]) {
      const { message } = await failureOf(other.deleteInThisRun(each, { timeout: 1 }));
      expect(message).toContain(`Still used by ${user.id}`);
    }
    expect((await failureOf(other.deleteInThisRun(stackMark))).message).toContain(
      "are in no state, and stay: ",
    );
    await plugin.nextRun();
    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
  });

  test("in such a run, what nothing knows goes with what it lies in: a replacement that was killed has made it there", async () => {
    const { vpc, tag, keyPair } = await makeZone("killed");
    await plugin.nextRun();
    await plugin.diff(tag, tag.inputs);
    await plugin.deleteInThisRun(vpc);
    expect((await added()).filter((id) => /^(rtr|rtrs|vxnet|i)-/.test(id))).toEqual([]);
    expect(await plugin.read(keyPair)).toBeDefined();
    await plugin.nextRun();
    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
  });

  test("a router that no state knows goes with its security group in an up that has compared others, unless that goes on after errors", async () => {
    const { group, vpc, tag } = await makeZone("killed");
    for (const command of ["up --continue-on-error", "up"]) {
      const run = await account.plugin(undefined, command);
      await run.diff(tag, tag.inputs);
      const deleted = run.deleteInThisRun(group, { timeout: command === "up" ? 60 : 1 });
      if (command === "up") await deleted;
      else
        expect((await failureOf(deleted)).message).toContain(
          `Still used by ${vpc.id}: delete or detach these first. The name of ${vpc.id} (${vpc.properties.name}) bears this stack's mark: ${sweepWords}`,
        );
    }
    expect((await added()).filter((id) => /^(rtr|rtrs|vxnet|i)-/.test(id))).toEqual([]);
    await plugin.nextRun();
    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
  });

  test("what cannot be removed is named, the rest goes, and the mark stays", async () => {
    const eip = await make("Eip", "kept", { bandwidth: 1 });
    await make("KeyPair", "gone", { publicKey });
    await plugin.nextRun();
    const refusal = { kind: "refuse", code: 5000, message: "no", times: 1000 };
    await account.cloud.fault({ action: "ReleaseEips", ...refusal, code: 1400 });
    const failure = await failureOf(plugin.delete(stackMark, { timeout: 1 }));
    expect(failure.message).toMatch(
      new RegExp(
        `^These bear this stack's mark, are in no state, and could not be removed:\\nEip ${eip.id} \\(kept-\\S+\\) of zone gpu1a: .*1400.*\\nRemove them in the console, or run the same command again\\.$`,
      ),
    );
    expect(await added()).toEqual([eip.id]);
    await account.clearFaults();
    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
  });

  test("a copy of the state, as another stack's, removes nothing of what it does not know", async () => {
    const { vxnet, instance } = await makeZone("copied");
    await plugin.nextRun();
    const ofCopy = ({ urn, ...rest }: Resource): Resource => ({
      ...rest,
      urn: urn.replace(/^urn:pulumi:\w+/, "urn:pulumi:copy"),
    });
    const copy = ofCopy(stackMark);
    const failure = await failureOf(plugin.deleteInThisRun(ofCopy(vxnet), { timeout: 1 }));
    expect(failure.message).toContain(`Still used by ${instance.id}`);
    expect(await plugin.read(copy)).toMatchObject({ properties: { value: stackMark.properties.value } });
    const calls = await account.callsBy(() => plugin.delete(copy));
    expect(changesOf(calls)).toEqual([]);
    await vi.waitFor(() =>
      expect(account.engine.toldOf(copy.urn)).toContainEqual(
        expect.stringMatching(
          /^These bear this stack's mark, are in no state, and stay: .*Instance i-\S+ \(copied-\S+\) of zone gpu1a, .*\. Remove them in the console, or run `up` before: this state is a copy of another stack's, or of one that had another name\.$/,
        ),
      ),
    );
    // The copy's `up` gives it a mark that is its alone: what it makes then is none of the first stack's.
    expect(await plugin.diff(copy, copy.inputs)).toEqual({ sweep: "UPDATE_REPLACE" });
    const own = await plugin.create(copy.urn, copy.inputs);
    expect(own.id).not.toBe(copy.id);
    expect(await plugin.diff(own, own.inputs)).toEqual({});
    await plugin.nextRun();
    await plugin.delete(stackMark);
    expect(await added()).toEqual([]);
  });

  test("marks that a replacement which was cut off has left in the state are looked for, too", async () => {
    const earlier = stackMark;
    const { instance } = await makeZone("earlier");
    await begin({ sweep: true });
    const { client } = account;
    const eip = await make("Eip", "later", { bandwidth: 1 });
    vi.stubEnv("CROSSZONE_MARKS", `${earlier.id} ${stackMark.id}`);
    try {
      await plugin.delete(stackMark);
    } finally {
      vi.unstubAllEnvs();
    }
    expect((await client.one("DescribeEips", "eip_set", { "eips.1": eip.id })).status).toBe("released");
    expect(
      (await client.one("DescribeInstances", "instance_set", { "instances.1": instance.id })).status,
    ).toBe("ceased");
    expect(await added()).toEqual([]);
  });

  test("a zone that cannot be looked at is a failure", async () => {
    await plugin.nextRun();
    const refusal = { kind: "refuse", code: 1200, message: "no right", times: 1000 };
    await account.cloud.fault({ action: "DescribeVolumes", zone: "gpu2a", ...refusal });
    expect((await failureOf(plugin.delete(stackMark))).message).toContain("no right");
    await account.clearFaults();
    await plugin.delete(stackMark);
  });
});

describe("without `sweep`", () => {
  test("what is in no state is listed and stays; once the program says `sweep`, it goes", async () => {
    await begin({});
    const eip = await make("Eip", "left", { bandwidth: 1 });
    await plugin.nextRun();
    // As a refresh does: a mark without inputs is compared after its read, too.
    await plugin.read(stackMark);
    await plugin.diff(stackMark, stackMark.inputs);
    const calls = await account.callsBy(() => plugin.deleteInThisRun(stackMark));
    expect(changesOf(calls)).toEqual([]);
    await expectTold(
      /^These bear this stack's mark, are in no state, and stay: Eip eip-\S+ \(left-\S+\) of zone gpu1a\. Remove them in the console, or give the StackMark `sweep: true`\.$/,
    );
    expect(await added()).toEqual([eip.id]);
    const swept = await plugin.update(stackMark, { sweep: true });
    expect(swept.properties.value).toBe(markOf(stackMark.id, true, stackMark.urn));
    // Its resources have the same names.
    expect(await plugin.diff(eip, { ...eip.inputs, mark: swept.properties.value })).toEqual({});
    await plugin.delete(swept);
    expect(await added()).toEqual([]);
  });
});
