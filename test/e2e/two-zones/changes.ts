/** Later changes: in place, on the same instances; and the bytes that each way to synchronise sends. */
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { followedOf, outputsOf } from "../../harness/outputs.ts";
import type { Place } from "../../harness/place.ts";
import { type Ended, type Running, root, waitFor } from "../../harness/process.ts";
import { logsOnDisk, ranksStarted } from "../../harness/ranks.ts";
import { modulesOfTraining, parameters, stepsPerEpoch, test } from "./story.ts";

/** One that no node has kept from an earlier run. */
const otherScript = readFileSync(join(root, "scripts", "train", "mnist_dist.py"));
const otherSha256 = createHash("sha256").update(otherScript).digest("hex");
const otherUrl = "http://198.18.0.1/mnist_dist.py";

const epochs = 5;
const steps = epochs * stepsPerEpoch;
/** By rank 4: conv 32 x 144, linear 64 x 512 and linear 10 x 64; as they are: conv 16 x 9, and all biases. */
const approximated = 4 * (32 + 144 + 64 + 512 + 10 + 64) + 16 * 9 + 16 + 32 + 64 + 10;

interface Mode {
  /** For training.sync; the last mode has those of the stack's configuration. */
  readonly flags: readonly string[];
  /** Bytes that each rank must hand to the group, and that its EIP must send with little more. */
  readonly payload: number;
  /** Small messages beside them. */
  readonly small?: number;
}

const modes = {
  fp16: { flags: ["--sync", "fp16"], payload: steps * 2 * parameters },
  // It begins with two steps of ddp.
  powersgd: {
    flags: ["--sync", "powersgd"],
    payload: 4 * (2 * parameters + (steps - 2) * approximated),
    small: 3 * steps,
  },
  // Something every 20 steps.
  "local-sgd": {
    flags: ["--sync", "local-sgd", "--sync-precision", "fp32"],
    payload: (steps / 20) * 4 * parameters,
  },
  // A byte a parameter every 20 steps, and the scales of 10 blocks.
  diloco: { flags: [], payload: (steps / 20) * (parameters + 4 * 10) },
} as const satisfies Record<string, Mode>;
const modeNames = Object.keys(modes) as (keyof typeof modes)[];

/** A rank's module in place of the one that trains: it trains in one mode after another, each when a file says so. */
const inEveryMode = `import os, sys, time
import trains_in_one_mode

def main():
    os.environ.pop("CHECKPOINT_DIR", None)
    given = sys.argv[1:]
    for mode, flags in ${JSON.stringify(modeNames.map((name) => [name, modes[name].flags]))}:
        print("ready for", mode, flush=True)
        while not os.path.exists(f"/home/ubuntu/begin-{mode}"):
            time.sleep(0.05)
        child = os.fork()
        if child == 0:
            sys.argv[1:] = [*given, *flags]
            trains_in_one_mode.main()
        _, status = os.waitpid(child, 0)
        if status != 0:
            sys.exit(os.waitstatus_to_exitcode(status))
    print("ready for the end", flush=True)
`;

/**
 * Lets the ranks that wait for it train in each mode.
 * @param up that starts them
 * @returns bytes that each EIP has sent meanwhile, by mode
 */
async function sentInEveryMode(place: Place, up: Running): Promise<Map<string, number[]>> {
  let ended: Ended | undefined;
  void up.ended.then((end) => {
    ended = end;
  });
  const ranksSay = (line: string) =>
    waitFor(
      `both ranks: ${line}`,
      () => {
        if (ended !== undefined && ended.code !== 0) throw new Error(ended.text);
        const logs = logsOnDisk(place);
        return logs.length === 2 && logs.every((lines) => lines.includes(line));
      },
      240,
    );
  const sent = new Map<string, number[]>();
  for (const [index, mode] of modeNames.entries()) {
    await ranksSay(`ready for ${mode}`);
    const before = await place.status();
    for (const { pid } of before.nodes) writeFileSync(`/proc/${pid}/root/home/ubuntu/begin-${mode}`, "");
    await ranksSay(`ready for ${modeNames[index + 1] ?? "the end"}`);
    const { routers } = await place.status();
    const earlier = (id: string) => before.routers.find((router) => router.id === id)?.sent ?? 0;
    sent.set(
      mode,
      routers.map((router) => router.sent - earlier(router.id)),
    );
  }
  return sent;
}

const twice = (...actions: string[]) => actions.flatMap((action) => [action, action]);

/** Follows the first run: what that has shown is still there. */
export function bandwidth(): void {
  test("bandwidth changes in place, and the tunnel gets faster; another SSH key comes to running instances", async ({
    place,
  }) => {
    const before = outputsOf(place);
    expect(before.tunnels[0]?.goodputMbps).toBeLessThan(20);
    place.configure({ "zones[0].bandwidthMbps": 50, "zones[1].bandwidthMbps": 50 });
    const operator = place.checkpoint().resources.find(({ urn }) => urn.endsWith("SshKey::operator"));
    const more = ["--replace", operator?.urn ?? "", "--yes", "--skip-preview", "--non-interactive"];
    const changes = await place.changesBy(() => place.npmOk("pulumi", "up", ...more));
    expect(changes).toEqual(
      [
        ...twice("ChangeEipsBandwidth"),
        ...twice("AttachKeyPairs", "CreateKeyPair", "DeleteKeyPairs", "DetachKeyPairs"),
      ].sort(),
    );
    const after = outputsOf(place);
    expect(after.zones).toEqual(before.zones.map((zone) => ({ ...zone, bandwidthMbps: 50 })));
    // The tuning follows the round trips that the check has measured again.
    expect({ ...after.training, tuning: [] }).toEqual({ ...before.training, tuning: [] });
    // More than the old bandwidth lets through, however busy this machine is.
    expect(after.tunnels[0]?.goodputMbps).toBeGreaterThan(20);
  });
}

export function changes(): void {
  let sent: Map<string, number[]>;

  test("another shape comes to stopped instances, which are the same and are reached with the new key: they train with a script by URL, which they fetch, and with the modules that are brought beside it", async ({
    place,
  }) => {
    const before = outputsOf(place);
    const folder = join(place.directory, "modules");
    mkdirSync(folder);
    copyFileSync(
      join(root, "scripts", "train", "pytorch_mnist_dist.py"),
      join(folder, "trains_in_one_mode.py"),
    );
    writeFileSync(join(folder, "pytorch_mnist_dist.py"), inEveryMode);
    place.configure({
      "zones[0].shape.instanceType": "c4m8",
      "training.epochs": epochs,
      "training.script.args": undefined,
      "training.script.files": [
        ...modulesOfTraining.map((name) => `scripts/train/${name}.py`),
        join(folder, "trains_in_one_mode.py"),
        join(folder, "pytorch_mnist_dist.py"),
      ],
      "training.script.source": "url",
      "training.script.url": otherUrl,
      "training.script.sha256": otherSha256,
      "training.sync": "diloco",
      "training.syncOptions.precision": "int8",
      "training.lr": 0.003,
    });
    // It is reached by the routes that its user data sets at every boot.
    const changes = await place.changesBy(async () => {
      const up = await place.startUp();
      sent = await sentInEveryMode(place, up);
      const { code, text } = await up.ended;
      expect(code, text).toBe(0);
    });
    expect(changes).toEqual(["ResizeInstances", "StartInstances", "StopInstances"]);
    const { zones, training } = outputsOf(place);
    expect(zones).toEqual(before.zones);
    expect(training.runId).not.toBe(before.training.runId);
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

  test.for(modeNames)("the bytes on the EIPs are those that %s promises", (name, { place }) => {
    const { payload, small = 0 }: Mode = modes[name];
    const results = followedOf(place).flatMap((each) => each.results.filter(({ sync }) => sync === name));
    expect(results.map((each) => Math.round(each.gradientBytesPerStep * steps))).toEqual([payload, payload]);
    expect(sent.get(name)?.length).toBe(2);
    for (const bytes of sent.get(name) ?? []) {
      expect(bytes).toBeGreaterThanOrEqual(payload);
      // Headers of TCP, ESP and UDP; the first parameters, which rank 0 sends; gloo's own packets around small messages;
      // SSH and other small packets.
      expect(bytes).toBeLessThanOrEqual(1.2 * (payload + 4 * parameters) + 3000 * small + 150_000);
    }
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
