/** A stack after a killed run, and after other things that leave state and cloud apart: no command makes it worse. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { physicalName } from "../../provider/cloud/naming.ts";
import { backendUrl, workingConfig } from "../../scripts/dev/stack.ts";
import { stateFile } from "../../scripts/dev/state-file.ts";
import { refuseLostState } from "../../scripts/dev/strays.ts";
import { beginUp, unfinishedFile } from "../../scripts/dev/unfinished-up.ts";
import { Stack, up } from "../harness/stack.ts";
import { differencesOf, idsInZones } from "../harness/whole-cloud.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const zoneIds = ["gpu1a", "gpu2a"] as const;
const zone = (name: string, zoneId: string, third: number, more: object = {}) => ({
  ...{ name, zoneId, network: `192.168.${third}.0/24`, imageId: "img-bare", ...more },
});
const shanghai = zone("shanghai", "gpu2a", 2);

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
let before: string[];
beforeAll(async () => {
  stack = await Stack.here();
  before = await idsInZones(stack.cloud.client, zoneIds);
});
afterAll(async () => await stack?.remove());

const differences = () => differencesOf(stack.cloud.client, zoneIds, stack.resources(), before);

async function expectDone(running: { ended: Promise<{ code: number | null; text: string }> }) {
  const { code, text } = await running.ended;
  expect([code, code === 0 ? "" : text]).toEqual([0, ""]);
}

test("a zone is not renamed while what a killed run has left bears its former name", async () => {
  stack.configure({ zones: [zone("beijing", "gpu1a", 1), shanghai] });
  await stack.killUpAt("RunInstances", 2);
  const unnamed = await stack.start("stack", "rename", "live").ended;
  expect(unnamed.text).toMatch(
    /^Stack dev is not renamed: a run that was killed has left .*\bInstance i-\w+ \(beijing-1-\S+\) of zone gpu1a\b.*\. Remove it: npm run sweep -- --yes\. Or run `npm run pulumi -- up` once with the configuration of that run, which goes on with it\. Then rename the stack\.$/m,
  );
  // Its place in the network is what the node under the new name is to have, whether it runs or lies in the recycle bin.
  const { client } = stack.cloud;
  const { instance_set } = await client.ok("DescribeInstances", { zone: "gpu1a" });
  const [node] = instance_set as { instance_id: string }[];
  await client.done("TerminateInstances", { "instances.1": node?.instance_id ?? "" });
  stack.configure({ zones: [zone("bj", "gpu1a", 1, { formerly: "beijing" }), shanghai] });
  const begun = stack.cloud.calls().length;
  const { code, stdout, stderr } = await stack.start(...up).ended;
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(
    /^Zone "bj" was "beijing" until now, and a run that was killed has left .*\bInstance i-\w+ \(beijing-1-\S+\) of zone gpu1a\b.*\. Remove it: npm run sweep -- --yes\. Or give the zone the name "beijing" again, and all else that it had in that run, and run `up` once, which goes on with it\. Then rename the zone\.$/m,
  );
  expect(stderr).not.toContain("(shanghai-1-");
  const changes = stack.cloud
    .calls()
    .slice(begun)
    .filter(({ action }) => !/^(Describe|Get)/.test(action));
  expect(changes).toEqual([]);
  await expectDone(stack.command("sweep", "--yes"));
  await stack.ok(...up);
  expect(await differences()).toEqual([]);
});

const named = (type: string, name: string) =>
  stack.resources(`:${type}`).find(({ urn }) => urn.endsWith(`::${name}`));

test("what a killed run has made, and the configuration no longer wants, is reported by each up until it is removed", async () => {
  const { workspace, cloud } = stack;
  // As of a zone's move that was killed, and is taken back.
  beginUp(workspace);
  const mark = stack.resources(":StackMark")[0]?.id;
  const eip_name = physicalName(named("Eip", "shanghai")?.urn ?? "", { mark });
  const { eips } = await cloud.client.ok("AllocateEips", { zone: "gpu1a", bandwidth: "1", eip_name });
  for (let time = 0; time < 2; time += 1) {
    const { code, text } = await stack.start(...up).ended;
    expect([code, text.split("\n").filter((line) => line.startsWith("An earlier run"))]).toEqual([
      0,
      [
        `An earlier run that did not end has left what the configuration no longer wants and no state has: Eip ${eips} (${eip_name}) of zone gpu1a. It may cost money. Remove it: npm run sweep -- --yes`,
      ],
    ]);
  }
  await expectDone(stack.command("sweep", "--yes"));
  expect((await stack.start(...up).ended).text).not.toContain("An earlier run");
  expect(existsSync(unfinishedFile(workspace))).toBe(false);
  expect(await differences()).toEqual([]);
});

test("a host key that is replaced takes its node with it, also where the run that replaced it ended before", async () => {
  const urnOfKey = (node: string) => named("SshKey", `${node}-host`)?.urn ?? "";
  const nodes = () => ["bj-1", "shanghai-1"].map((name) => named("Instance", name)?.id);
  const [bj, shanghai] = nodes();
  await stack.ok(...up, "--replace", urnOfKey("bj-1"), "--target", urnOfKey("bj-1"));
  expect(nodes()).toEqual([bj, shanghai]);
  await stack.ok(...up, "--replace", urnOfKey("shanghai-1"));
  for (const id of nodes()) expect([bj, shanghai]).not.toContain(id);
  expect(await differences()).toEqual([]);
  const { deployment } = JSON.parse(await stack.ok("stack", "export", "--show-secrets")) as Exported;
  const stored = (urn: string) => JSON.stringify(deployment.resources.find((each) => each.urn === urn));
  for (const node of ["bj-1", "shanghai-1"]) {
    const [key = "none"] = /BEGIN OPENSSH.*?END OPENSSH/.exec(stored(urnOfKey(node))) ?? [];
    expect(stored(named("Instance", node)?.urn ?? "").includes(key)).toBe(true);
  }
  await stack.noChanges();
});

const textOf = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : undefined);

test("a stack that is renamed takes its settings with it; those of the checkout stay", async () => {
  const { root, pulumi } = stack.workspace;
  const ofCheckout = () => ["dev", "live"].map((name) => textOf(join(root, `Pulumi.${name}.yaml`)));
  const committed = ofCheckout();
  const settings = (name: string) => parse(readFileSync(join(pulumi, `Pulumi.${name}.yaml`), "utf8"));
  const before = settings("dev");
  try {
    await expectDone(stack.start("stack", "rename", "live"));
    expect(ofCheckout()).toEqual(committed);
    expect(settings("live")).toEqual(before);
    await expectDone(stack.start("stack", "rename", "dev", "--stack", "live"));
    expect(ofCheckout()).toEqual(committed);
  } finally {
    const [dev = ""] = committed;
    if (ofCheckout()[0] === undefined) writeFileSync(join(root, "Pulumi.dev.yaml"), dev);
  }
  expect(settings("dev")).toEqual(before);
  expect(stack.resources(":Instance").length).toBe(2);
});

test("a state without its mark gets another one, and keeps all that it knows; what it does not know is named", async () => {
  const { workspace, cloud } = stack;
  const mark = stack.resources(":StackMark")[0];
  const file = stateFile(workspace);
  const { checkpoint, ...rest } = JSON.parse(readFileSync(file, "utf8")) as Kept;
  const resources = checkpoint.latest.resources
    .filter(({ urn }) => urn !== mark?.urn)
    .map(({ dependencies = [], propertyDependencies: _, ...each }) => ({
      ...each,
      dependencies: dependencies.filter((urn) => urn !== mark?.urn),
    }));
  const latest = { ...checkpoint.latest, resources };
  writeFileSync(file, JSON.stringify({ ...rest, checkpoint: { ...checkpoint, latest } }));
  const environment = { PULUMI_BACKEND_URL: backendUrl(workspace) };
  const refused = () => refuseLostState(workspace, environment, workingConfig(workspace));
  await refused();

  const eip_name = physicalName(named("Eip", "shanghai")?.urn ?? "", { mark: mark?.id });
  const { eips } = await cloud.client.ok("AllocateEips", { bandwidth: "1", eip_name });
  await expect(refused()).rejects.toThrow(
    /^The account already has 1 resources of a stack "dev" of this project in gpu1a \(mark [0-9a-f]{8}\), and the state here knows none of them\. It has others, and no StackMark: has it been edited by hand\?$/m,
  );
  const listed = await stack.command("sweep", "--yes", "--mark", mark?.id ?? "").ended;
  expect([listed.code, listed.stdout]).toEqual([0, expect.stringContaining(String(eips))]);
  const kept = ["Eip", "Vpc", "Vxnet", "Instance"].flatMap((type) => stack.resources(`:${type}`));
  await stack.ok(...up);
  const now = stack.resources();
  for (const { urn, id } of kept) expect(now.find((each) => each.urn === urn)?.id).toBe(id);
  expect(await differences()).toEqual([]);
});

test("an update that was killed, and whose setting is put back, is undone by the next up", async () => {
  stack.configure({ zones: [zone("bj", "gpu1a", 1), shanghai, zone("tianjin", "gpu1a", 3)] });
  await stack.ok(...up);
  stack.configure({ "tunnel.intranet": "off" });
  const exchanged = async (work: () => Promise<unknown>) =>
    (await stack.cloud.changesBy(work)).filter(
      ([action, of]) => action === "ModifyRouterAttributes" && "security_group" in of,
    );
  expect(await exchanged(() => stack.killUpAt("UpdateRouters", 2))).toHaveLength(2);
  stack.configure({ "tunnel.intranet": "auto" });
  const undone = await exchanged(async () => {
    const { code, text } = await stack.start(...up).ended;
    expect([code, code === 0 ? "" : text]).toEqual([0, ""]);
    expect(text).toContain("it is compared first (--refresh; --refresh=false leaves that out)");
  });
  expect(undone).toHaveLength(2);
  expect(await differences()).toEqual([]);
  await stack.noChanges();
});

/** An up in which an action is refused. */
async function refusedAt(action: string): Promise<void> {
  await stack.cloud.refuse(action);
  const { code, text } = await stack.run(...up);
  expect(code, text).not.toBe(0);
  expect(text).toContain(`${action} was refused`);
  await stack.cloud.letGo();
}

test("changes that were refused half-way, and are taken back, are undone by the next up", async () => {
  const zones = [zone("bj", "gpu1a", 1, { bandwidthMbps: 50 }), shanghai];
  stack.configure({ zones });
  await stack.ok(...up);
  const changed = zone("bj", "gpu1a", 5, { bandwidthMbps: 300, shape: { cpu: 2, memoryGiB: 4 } });
  stack.configure({ zones: [changed, shanghai] });
  await refusedAt("JoinRouter");
  stack.configure({ zones });
  await stack.ok(...up);
  expect(await differences()).toEqual([]);
  await stack.noChanges();
});

test("a renaming that was refused half-way is ended, or taken back, without the loss of anything", async () => {
  const ids = () =>
    ["Eip", "Vpc", "Vxnet", "Instance", "KeyPair"].flatMap((type) =>
      stack.resources(`:${type}`).map(({ id }) => id),
    );
  const before = ids();
  stack.configure({ zones: [zone("peking", "gpu1a", 1, { formerly: "bj", bandwidthMbps: 50 }), shanghai] });
  await refusedAt("ModifyInstanceAttributes");
  stack.configure({ zones: [zone("bj", "gpu1a", 1, { bandwidthMbps: 50 }), shanghai] });
  const refused = await stack.start(...up).ended;
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toContain("'crosszone:zones[0].formerly' peking.");
  stack.configure({ "zones[0].formerly": "peking" });
  await stack.ok(...up);
  expect(ids().sort()).toEqual(before.sort());
  expect(await differences()).toEqual([]);
  await stack.noChanges();
});

interface Kept {
  readonly checkpoint: {
    readonly latest: {
      readonly resources: readonly {
        readonly urn: string;
        readonly dependencies?: readonly string[];
        readonly propertyDependencies?: object;
      }[];
    };
  };
}

interface Exported {
  readonly deployment: { readonly resources: readonly { readonly urn: string }[] };
}
