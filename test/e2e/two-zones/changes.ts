/** Later changes: in place, on the same instances; and the bytes that each way to synchronise sends. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Value } from "../../harness/configuration.ts";
import { followedOf, outputsOf } from "../../harness/outputs.ts";
import type { Place } from "../../harness/place.ts";
import { root } from "../../harness/process.ts";
import { ranksStarted } from "../../harness/ranks.ts";
import { parameters, scriptsOfTraining, stepsPerEpoch, test } from "./story.ts";

/** One that no node has kept from an earlier run. */
const otherScript = readFileSync(join(root, "scripts", "train", "mnist_dist.py"));
const otherSha256 = createHash("sha256").update(otherScript).digest("hex");
const otherUrl = "http://198.18.0.1/mnist_dist.py";

const epochs = 5;
const steps = epochs * stepsPerEpoch;
/** By rank 4: conv 32 x 144, linear 64 x 512 and linear 10 x 64; as they are: conv 16 x 9, and all biases. */
const approximated = 4 * (32 + 144 + 64 + 512 + 10 + 64) + 16 * 9 + 16 + 32 + 64 + 10;

/**
 * Trains with some settings.
 * @param payload bytes that each rank must hand to the group, and that its EIP must send with little more
 * @param small messages beside them
 * @returns the actions that were called which change something, sorted
 */
async function train(place: Place, settings: Record<string, Value>, payload: number, small = 0) {
  place.configure(settings);
  const before = await place.status();
  const changes = await place.changesByUp();
  const { routers } = await place.status();
  const results = followedOf(place).flatMap((each) => each.results);
  expect(results.map((each) => Math.round(each.gradientBytesPerStep * steps))).toEqual([payload, payload]);
  for (const router of routers) {
    const earlier = before.routers.find(({ id }) => id === router.id);
    const sent = router.sent - (earlier?.sent ?? 0);
    expect(sent).toBeGreaterThanOrEqual(payload);
    // Headers of TCP, ESP and UDP; the first parameters, which rank 0 sends; gloo's own packets around small messages;
    // SSH and other small packets.
    expect(sent).toBeLessThanOrEqual(1.2 * (payload + 4 * parameters) + 3000 * small + 150_000);
  }
  return changes;
}

const twice = (...actions: string[]) => actions.flatMap((action) => [action, action]);

export function changes(): void {
  test("bandwidth changes in place, and the tunnel gets faster; another SSH key comes to running instances", async ({
    place,
  }) => {
    const before = outputsOf(place);
    expect(before.tunnels[0]?.goodputMbps).toBeLessThan(20);
    place.configure({ "zones[0].bandwidthMbps": 50, "zones[1].bandwidthMbps": 50 });
    const operator = place.checkpoint().resources.find(({ urn }) => urn.endsWith("SshKey::operator"));
    expect(await place.changesByUp("--replace", operator?.urn ?? "")).toEqual(
      [
        ...twice("ChangeEipsBandwidth"),
        ...twice("AttachKeyPairs", "CreateKeyPair", "DeleteKeyPairs", "DetachKeyPairs"),
      ].sort(),
    );
    const after = outputsOf(place);
    expect(after.zones).toEqual(before.zones.map((zone) => ({ ...zone, bandwidthMbps: 50 })));
    // The tuning follows the round trips that the check has measured again.
    expect({ ...after.training, tuning: [] }).toEqual({ ...before.training, tuning: [] });
    expect(after.tunnels[0]?.goodputMbps).toBeGreaterThan(35);
  });

  test("another shape comes to stopped instances, which are the same and are reached with the new key: they train, and the EIPs' bytes are those of fp16", async ({
    place,
  }) => {
    const before = outputsOf(place);
    // It is reached by the routes that its user data sets at every boot.
    const resized = await train(
      place,
      { "zones[0].shape.instanceType": "c4m8", "training.epochs": epochs, "training.sync": "fp16" },
      steps * 2 * parameters,
    );
    expect(resized).toEqual(["ResizeInstances", "StartInstances", "StopInstances"]);
    const after = outputsOf(place);
    expect(after.zones).toEqual(before.zones);
    expect(after.training.runId).not.toBe(before.training.runId);
  });

  test("the bytes on the EIPs fall as powersgd promises", async ({ place }) => {
    // It begins with two steps of ddp.
    const payload = 4 * (2 * parameters + (steps - 2) * approximated);
    expect(await train(place, { "training.sync": "powersgd" }, payload, 3 * steps)).toEqual([]);
  });

  test("the bytes on the EIPs fall as local-sgd promises: something every 20 steps", async ({ place }) => {
    expect(await train(place, { "training.sync": "local-sgd" }, (steps / 20) * 4 * parameters)).toEqual([]);
  });

  test("a script by URL is fetched by the nodes, and trains with the modules that are brought beside it; the EIPs' bytes are those of diloco: a byte a parameter every 20 steps, and the scales of 10 blocks", async ({
    place,
  }) => {
    const settings = {
      "training.script.files": scriptsOfTraining.map((name) => `scripts/train/${name}.py`),
      "training.script.source": "url",
      "training.script.url": otherUrl,
      "training.script.sha256": otherSha256,
      "training.sync": "diloco",
      "training.syncOptions.precision": "int8",
      "training.lr": 0.003,
    };
    expect(await train(place, settings, (steps / 20) * (parameters + 4 * 10))).toEqual([]);
    const { training } = outputsOf(place);
    expect(training).toMatchObject({
      state: "succeeded",
      script: "mnist_dist.py",
      scriptSha256: otherSha256,
    });
    const { resources } = place.checkpoint();
    const names = resources.map(({ urn }) => urn.split("::").at(-1));
    expect(names.filter((name) => name?.endsWith("-mnist_dist.py"))).toEqual([]);
    const fetched = resources
      .filter(({ urn }) => urn.endsWith("-fetch"))
      .map(({ outputs }) => outputs?.stdout);
    expect(fetched.length).toBe(2);
    for (const stdout of fetched)
      expect(JSON.parse(String(stdout)).files[0]).toMatchObject({ sha256: otherSha256, fetched: true });
  });

  test("a script with another SHA-256 than expected runs nowhere", async ({ place }) => {
    const wrong = "0123456789abcdef".repeat(4);
    const startedBefore = ranksStarted(place);
    place.configure({ "training.script.sha256": wrong });
    const changesMade = await place.changesBy(async () => {
      const ended = await place.up();
      expect(ended.code).not.toBe(0);
      expect(ended.text).toContain(`has SHA-256 ${otherSha256}, expected is ${wrong}`);
      expect(ended.text).toContain(otherUrl);
    });
    expect(changesMade).toEqual([]);
    expect(ranksStarted(place)).toEqual(startedBefore);
    place.configure({
      "training.script": undefined,
      "training.sync": undefined,
      "training.syncOptions": undefined,
      "training.lr": 0.05,
    });
  });
}
