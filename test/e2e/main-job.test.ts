/** The main job on the local cloud: one story, each test goes on where the one before ended. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { changesAmong } from "../harness/calls.ts";
import { startCapture } from "../harness/capture.ts";
import { hostNetwork, namespaceNumbers, namespaceOf, namespacesOf, processesOf } from "../harness/machine.ts";
import { filesHolding, followedOf, outputsOf, ranksStarted, secretsOf } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";
import { command, type Ended, root } from "../harness/process.ts";

const script = join(root, "scripts", "train", "pytorch_mnist_dist.py");
const modules = [
  "arguments",
  "checkpoint",
  "data",
  "group",
  "metrics",
  "model",
  "pytorch_mnist_dist",
  "sync",
  "training",
];
const scriptSha256 = createHash("sha256").update(readFileSync(script)).digest("hex");
/** One that no node has kept from an earlier run. */
const otherScript = readFileSync(join(root, "scripts", "train", "mnist_dist.py"));
const otherSha256 = createHash("sha256").update(otherScript).digest("hex");
const hostBefore = hostNetwork();
let place: Place;
let first: Ended;
let gitBefore: string;

/** What git says of the files that the commands could write; the rest of the checkout may be edited meanwhile. */
function ownFilesInGit(): string {
  const paths = [
    ":(glob)Pulumi*",
    "package.json",
    "package-lock.json",
    "scripts/train",
    "infra/node_modules",
  ];
  return command("git", "-C", root, "status", "--porcelain", "--untracked-files=all", "--", ...paths);
}

beforeAll(async () => {
  place = new Place();
  gitBefore = ownFilesInGit();
  first = await place.npm(["start"]).ended;
});

afterAll(() => place.remove());

test("npm start ends with a model that two ranks in two zones trained", async () => {
  expect(first.code, first.text).toBe(0);
  const { zones, tunnels, training } = outputsOf(place);

  expect(zones).toMatchObject([
    { name: "beijing", zoneId: "gpu1a", bandwidthMbps: 20, network: "192.168.1.0/24" },
    { name: "shanghai", zoneId: "gpu2a", bandwidthMbps: 20, network: "192.168.2.0/24" },
  ]);
  expect(zones.flatMap(({ nodes }) => nodes.map(({ name, privateIp }) => [name, privateIp]))).toEqual([
    ["beijing-1", "192.168.1.2"],
    ["shanghai-1", "192.168.2.2"],
  ]);
  expect(tunnels).toMatchObject([
    { kind: "ipsec", zones: ["beijing", "shanghai"], encrypted: true, up: true, mtu: 1400 },
  ]);

  expect(training).toMatchObject({
    state: "succeeded",
    mode: "cross-zone",
    script: "pytorch_mnist_dist.py",
    scriptSha256,
    worldSize: 2,
    masterAddr: "192.168.1.2",
    masterPort: 29500,
    ranks: [
      { rank: 0, node: "beijing-1", exitCode: 0, epochs: 10, samplesSeen: 7190 },
      { rank: 1, node: "shanghai-1", exitCode: 0, epochs: 10, samplesSeen: 7190 },
    ],
  });
  expect(existsSync(training.report ?? "")).toBe(true);
  const [one, other] = training.ranks;
  expect(one?.accuracy).toBeGreaterThanOrEqual(0.95);
  expect(other?.accuracy).toBe(one?.accuracy);
  expect(other?.parametersSha256).toBe(one?.parametersSha256);
});

test("each rank trained on its own shard, and together on every sample", async () => {
  const shards = JSON.parse(
    command("/usr/bin/python3", join(import.meta.dirname, "shards.py"), "1797", "2", "1"),
  ) as { sha256: string[]; sizes: number[]; disjoint: boolean; complete: boolean };
  expect(shards).toMatchObject({ disjoint: true, complete: true, sizes: [719, 719] });
  const results = followedOf(place).flatMap((followed) => followed.results);
  expect(results.map(({ shardIndices }) => shardIndices)).toEqual(shards.sizes);
  expect(results.map((result) => result.shardSha256)).toEqual(shards.sha256);
});

test("the live output marks every line of training with its rank, and no file of the checkout changes", () => {
  for (const rank of [0, 1]) {
    const lines = first.stdout.split("\n").filter((line) => line.startsWith(`rank ${rank} | `));
    expect(lines.filter((line) => /epoch \d+\/10 loss/.test(line)).length).toBeGreaterThanOrEqual(8);
  }
  expect(first.stdout.split("\n").filter((line) => /^epoch/.test(line))).toEqual([]);
  expect(ownFilesInGit()).toBe(gitBefore);
});

test("no secret is seen in the output, the log of calls, the cloud's logs or the state", async () => {
  const secrets = await secretsOf(place);
  expect(Object.keys(secrets).sort()).toEqual([
    "passphrase",
    "pre-shared key beijing-shanghai",
    "private key beijing-1-host",
    "private key operator",
    "private key shanghai-1-host",
    "secret access key",
  ]);
  const { text } = place.checkpoint();
  for (const [what, secret] of Object.entries(secrets)) {
    expect(secret.length, what).toBeGreaterThanOrEqual(20);
    expect(first.text.includes(secret), `${what} in the output`).toBe(false);
    expect(text.includes(secret), `${what} in the exported state`).toBe(false);
    const inFiles = filesHolding(place.pulumiHome, secret);
    expect(inFiles.map((file) => file.slice(place.pulumiHome.length + 1))).toEqual(
      what === "passphrase" ? ["passphrase"] : [],
    );
    for (const file of ["calls.jsonl", "log"]) {
      expect(readFileSync(join(place.cloudHome, file), "utf8").includes(secret), `${what} in ${file}`).toBe(
        false,
      );
    }
    expect(filesHolding(join(place.cloudHome, "logs"), secret)).toEqual([]);
  }
  // User data travels in base64, and holds a host's private key.
  const launched = place.calls().filter(({ action }) => action === "RunInstances");
  expect(launched.map(({ parameters }) => parameters.userdata_value)).toEqual(["[secret]", "[secret]"]);
});

test("a second preview, a second start and a refresh change nothing and call nothing that could", async () => {
  const changes = await place.changesBy(async () => {
    await place.npmOk("pulumi", "preview", "--expect-no-changes", "--non-interactive");
    const again = await place.start();
    expect(again.code, again.text).toBe(0);
    expect(again.stdout).toContain("Nothing has changed since the last run: no resource was touched.");
    await place.pulumiOk("refresh", "--yes", "--expect-no-changes", "--non-interactive");
  });
  expect(changes).toEqual([]);
});

test("a changed training setting trains again and touches no resource of the network", async () => {
  const before = outputsOf(place);
  place.configure({ "training.epochs": 2 });
  expect(await place.changesBy(async () => expect((await place.start()).code).toBe(0))).toEqual([]);
  const after = outputsOf(place);
  expect(after.training.runId).not.toBe(before.training.runId);
  expect(after.training.ranks.map(({ epochs, exitCode }) => [epochs, exitCode])).toEqual([
    [2, 0],
    [2, 0],
  ]);
  expect(after.zones).toEqual(before.zones);
  expect(after.tunnels).toEqual(before.tunnels);
});

test("training crosses the tunnel, and nothing of it passes an EIP in clear", async () => {
  place.configure({ "training.seed": 2 });
  const before = await place.status();
  const captures = await Promise.all(
    before.routers.map(({ id }) => startCapture(namespaceOf(before, id), "eip")),
  );
  const ended = await place.start();
  const counts = await Promise.all(captures.map((capture) => capture.stop()));
  const after = await place.status();
  expect(ended.code, ended.text).toBe(0);

  const [result] = followedOf(place).flatMap(({ results }) => results);
  const gradientBytes = (result?.steps ?? 0) * (result?.gradientBytesPerStep ?? 0);
  expect(result?.steps).toBe(24);
  expect(result?.gradientBytesPerStep).toBe(38_282 * 4);
  for (const router of after.routers) {
    const earlier = before.routers.find(({ id }) => id === router.id);
    expect(router.sent - (earlier?.sent ?? 0)).toBeGreaterThanOrEqual(gradientBytes);
    expect(router.received - (earlier?.received ?? 0)).toBeGreaterThanOrEqual(gradientBytes);
  }
  for (const count of counts) {
    expect(count).toMatchObject({ clear: 0, examples: [], dropped: 0 });
    expect(count.esp_bytes).toBeGreaterThanOrEqual(2 * gradientBytes);
  }
});

test("the bytes on the EIPs fall as the sync mode promises", async () => {
  const parameters = 38_282;
  const steps = 120;
  place.configure({ "training.epochs": 10 });
  // By rank 4: conv 32 x 144, linear 64 x 512 and linear 10 x 64; as they are: conv 16 x 9, and all biases.
  const approximated = 4 * (32 + 144 + 64 + 512 + 10 + 64) + 16 * 9 + 16 + 32 + 64 + 10;
  // Of ddp it is 4 bytes a parameter and step, as above. powersgd begins with two such steps. local-sgd and diloco hand over
  // something every 20 steps, diloco one byte a parameter and the scales of 10 blocks.
  const modes: { settings: Record<string, string | number>; payload: number; small?: number }[] = [
    { settings: { sync: "fp16" }, payload: steps * 2 * parameters },
    {
      settings: { sync: "powersgd" },
      payload: 4 * (2 * parameters + (steps - 2) * approximated),
      small: 3 * steps,
    },
    { settings: { sync: "local-sgd" }, payload: 6 * 4 * parameters },
    {
      settings: { sync: "diloco", "syncOptions.precision": "int8", lr: 0.003 },
      payload: 6 * (parameters + 4 * 10),
    },
  ];
  for (const { settings, payload, small = 0 } of modes) {
    for (const [key, value] of Object.entries(settings)) place.configure({ [`training.${key}`]: value });
    const before = await place.status();
    const ended = await place.start();
    expect(ended.code, ended.text).toBe(0);
    const results = followedOf(place).flatMap((each) => each.results);
    expect(results.map((each) => Math.round((each.gradientBytesPerStep ?? 0) * steps))).toEqual([
      payload,
      payload,
    ]);
    for (const router of (await place.status()).routers) {
      const earlier = before.routers.find(({ id }) => id === router.id);
      const sent = router.sent - (earlier?.sent ?? 0);
      expect(sent).toBeGreaterThanOrEqual(payload);
      // Headers of TCP, ESP and UDP; the first parameters, which rank 0 sends; gloo's own packets around small messages;
      // SSH, the path check and other small packets.
      expect(sent).toBeLessThanOrEqual(1.2 * (payload + 4 * parameters) + 3000 * small + 300_000);
    }
  }
});

test("bandwidth changes in place, and the tunnel gets faster", async () => {
  const before = outputsOf(place);
  expect(before.tunnels[0]?.goodputMbps).toBeLessThan(20);
  place.configure({ "zones[0].bandwidthMbps": 50 });
  place.configure({ "zones[1].bandwidthMbps": 50 });
  const changes = await place.changesBy(async () => expect((await place.start()).code).toBe(0));
  expect(changes).toEqual(["ChangeEipsBandwidth", "ChangeEipsBandwidth"]);
  const after = outputsOf(place);
  expect(after.zones).toEqual(before.zones.map((zone) => ({ ...zone, bandwidthMbps: 50 })));
  expect(after.training).toEqual(before.training);
  expect(after.tunnels[0]?.goodputMbps).toBeGreaterThan(35);
});

test("another SSH key comes to running instances, another shape to stopped ones; both are the same instances", async () => {
  const before = outputsOf(place);
  const instances = before.zones.map(({ nodes }) => nodes.map(({ instanceId }) => instanceId));
  const { resources } = place.checkpoint();
  const operator = resources.find(({ urn }) => urn.endsWith("qingcloud:state:SshKey::operator"))?.urn ?? "";
  const rotated = await place.changesBy(() =>
    place.pulumiOk("up", "--yes", "--skip-preview", "--non-interactive", "--replace", operator),
  );
  const ofBoth = (...actions: string[]) => actions.flatMap((action) => [action, action]);
  expect(rotated).toEqual(ofBoth("AttachKeyPairs", "CreateKeyPair", "DeleteKeyPairs", "DetachKeyPairs"));

  place.configure({ "zones[0].shape.instanceType": "c4m8" });
  const resized = await place.changesBy(async () => expect((await place.start()).code).toBe(0));
  expect(resized).toEqual(["ResizeInstances", "StartInstances", "StopInstances"]);

  // It is reached with the new key, by the routes that its user data sets at every boot.
  place.configure({ "training.seed": 4 });
  const trained = await place.start();
  expect(trained.code, trained.text).toBe(0);
  const after = outputsOf(place);
  expect(after.zones.map(({ nodes }) => nodes.map(({ instanceId }) => instanceId))).toEqual(instances);
  expect(after.training.runId).not.toBe(before.training.runId);
});

test("a script by URL is fetched by the nodes, and trains with the modules that are brought beside it", async () => {
  for (const [index, name] of modules.entries())
    place.configure({ [`training.script.files[${index}]`]: `scripts/train/${name}.py` });
  place.configure({ "training.script.source": "url" });
  place.configure({ "training.script.url": "http://198.18.0.1/mnist_dist.py" });
  place.configure({ "training.script.sha256": otherSha256 });
  place.configure({ "training.seed": 3 });
  const ended = await place.start();
  expect(ended.code, ended.text).toBe(0);
  const { training } = outputsOf(place);
  expect(training).toMatchObject({ state: "succeeded", script: "mnist_dist.py", scriptSha256: otherSha256 });
  const { resources } = place.checkpoint();
  const names = resources.map(({ urn }) => urn.split("::").at(-1));
  expect(names.filter((name) => name?.endsWith("-mnist_dist.py"))).toEqual([]);
  const fetched = resources.filter(({ urn }) => urn.endsWith("-fetch")).map(({ outputs }) => outputs?.stdout);
  expect(fetched.length).toBe(2);
  for (const stdout of fetched)
    expect(JSON.parse(String(stdout)).files[0]).toMatchObject({ sha256: otherSha256, fetched: true });
});

test("a script with another SHA-256 than expected runs nowhere", async () => {
  const wrong = "0123456789abcdef".repeat(4);
  const startedBefore = ranksStarted(place);
  place.configure({ "training.script.sha256": wrong });
  const changes = await place.changesBy(async () => {
    const ended = await place.start();
    expect(ended.code).not.toBe(0);
    expect(ended.text).toContain(`has SHA-256 ${otherSha256}, expected is ${wrong}`);
    expect(ended.text).toContain("http://198.18.0.1/mnist_dist.py");
  });
  expect(changes).toEqual([]);
  expect(ranksStarted(place)).toEqual(startedBefore);

  place.configure({ "training.script": undefined });
  const again = await place.start();
  expect(again.code, again.text).toBe(0);
});

test("destroy and stop leave nothing on this machine", async () => {
  const { routers, nodes, pid } = await place.status();
  const prefix = `${routers[0]?.namespace.split("-")[0]}-`;
  const names = namespacesOf(prefix);
  expect(names.length).toBe(7);
  const numbers = namespaceNumbers(names);
  expect(processesOf(numbers, place.directory).map(({ pid: found }) => found)).toEqual(
    expect.arrayContaining([pid, ...nodes.map((node) => node.pid)]),
  );

  await place.pulumiOk("destroy", "--yes", "--non-interactive");
  const status = await place.status();
  for (const zone of status.zones) {
    expect(zone.jobs).toBe(0);
    expect(Object.values(zone.resources)).toEqual(Object.values(zone.resources).map(() => 0));
  }
  expect(status).toMatchObject({ routers: [], nodes: [] });
  expect(namespacesOf(prefix)).toEqual([]);
  expect(processesOf(numbers, place.directory).map((found) => found.pid)).toEqual([status.pid]);
  expect(place.checkpoint().resources).toEqual([]);
  expect(hostNetwork()).toEqual(hostBefore);

  await place.cloudOk("stop");
  expect(processesOf(numbers, place.directory)).toEqual([]);
  expect(changesAmong(place.calls()).length).toBeGreaterThan(0);
  expect(place.outputs()).toEqual({});
});
