/**
 * Other settings train again on the same network, which breaks under the ranks: it is reported with its reason, and the next
 * `up` puts it right.
 */
import { expect } from "vitest";
import { type Counts, startCapture } from "../../harness/capture.ts";
import { blockTunnel, namespaceOf, unplug } from "../../harness/machine.ts";
import { followedOf, type Outputs, outputsOf } from "../../harness/outputs.ts";
import { type Ended, type Running, waitForText, within } from "../../harness/process.ts";
import { logsOnDisk, ranksOnDisk } from "../../harness/ranks.ts";
import { parameters, routerOf, stepsPerEpoch, test } from "./story.ts";

const epochs = 8;

/**
 * Cuts the network when all of a training runs, and waits for the end. A rank is followed once it has told of itself: a
 * follower that dials later would dial a dead zone again and again for minutes.
 */
async function disturb(running: Running, cut: () => void): Promise<Ended> {
  for (const rank of [0, 1])
    await waitForText(running, new RegExp(`\\brank ${rank} \\| epoch \\d/${epochs} loss`));
  cut();
  return await within("the end of a training whose network was cut", running.ended, 90);
}

export function faults(): void {
  let before: Outputs;
  let runId: string | undefined;
  let passed: { counts: Counts[]; sent: number[]; received: number[] };

  test("a tunnel that is cut stops the training of another run on the same network: every rank is named with its last lines", async ({
    place,
  }) => {
    before = outputsOf(place);
    place.configure({
      "training.script.args": ["--timeout=5"],
      "training.epochs": epochs,
      "training.seed": 2,
    });
    const namespace = namespaceOf(await place.status(), routerOf(place, "shanghai"));
    let restore = () => {};
    try {
      const changes = await place.changesBy(async () => {
        const ended = await disturb(await place.startUp(), () => {
          restore = blockTunnel(namespace);
        });
        expect(ended.code, ended.text).not.toBe(0);
        // The way back is open: the word of the first one that gives up may end the other.
        for (const rank of [0, 1]) {
          expect(ended.text).toMatch(
            new RegExp(`^ +rank ${rank} failed with exit code (1;|1: rank|143: rank)`, "m"),
          );
        }
        expect(ended.text).toMatch(/^ +rank \d: error: training stopped after /m);
        expect(ended.text).toMatch(new RegExp(`^ +epoch \\d+/${epochs} loss`, "m"));
      });
      expect(changes).toEqual([]);
    } finally {
      restore();
    }
    [runId] = ranksOnDisk(place).map((rank) => rank.runId);
    expect(runId).not.toBe(before.training.runId);
  });

  test("with the tunnel back the next start makes another attempt of the same run; a zone that loses its uplink stops that too", async ({
    place,
  }) => {
    const [status, router] = [await place.status(), routerOf(place, "shanghai")];
    let restore = () => {};
    try {
      const changes = await place.changesBy(async () => {
        const ended = await disturb(await place.startUp(), () => {
          restore = unplug(status, router);
        });
        expect(ended.code, ended.text).not.toBe(0);
        expect(ended.text).toMatch(
          /^ +rank 0 failed with exit code 1: rank 1 on shanghai-1 was not heard of by then: its node crashed, /m,
        );
      });
      expect(changes).toEqual([]);
    } finally {
      restore();
    }
    expect(ranksOnDisk(place).map((rank) => [rank.runId, rank.attempt])).toEqual([
      [runId, 2],
      [runId, 2],
    ]);
  });

  test("the next start with the uplink back succeeds, as one more attempt: the changed settings have trained again, and no resource of the network was touched", async ({
    place,
  }) => {
    const status = await place.status();
    const captures = await Promise.all(
      status.routers.map(({ id }) => startCapture(namespaceOf(status, id), "eip")),
    );
    let ended: Ended | undefined;
    const changes = await place.changesBy(async () => {
      ended = await place.up();
    });
    const counts = await Promise.all(captures.map((capture) => capture.stop()));
    expect(ended?.code, ended?.text).toBe(0);
    expect(changes).toEqual([]);
    const { routers } = await place.status();
    const differences = (of: "sent" | "received") =>
      routers.map((router) => router[of] - (status.routers.find(({ id }) => id === router.id)?.[of] ?? 0));
    passed = { counts, sent: differences("sent"), received: differences("received") };
    const after = outputsOf(place);
    expect(after.training.runId).toBe(runId);
    expect(after.training.ranks.map((rank) => [rank.exitCode, rank.epochs])).toEqual([
      [0, epochs],
      [0, epochs],
    ]);
    expect(followedOf(place).map(({ attempt }) => attempt)).toEqual([3, 3]);
    expect(after.zones).toEqual(before.zones);
    expect(after.tunnels).toEqual(before.tunnels);
  });

  test("training crosses the tunnel, and nothing of it passes an EIP in clear", ({ place }) => {
    const [result] = followedOf(place).flatMap(({ results }) => results);
    expect(result?.steps).toBe(epochs * stepsPerEpoch);
    expect(result?.gradientBytesPerStep).toBe(parameters * 4);
    // A checkpoint of an earlier attempt may spare this one the first steps.
    const earlier = /goes on after step (\d+),/.exec(logsOnDisk(place)[0]?.join("\n") ?? "")?.[1] ?? 0;
    const gradientBytes = (epochs * stepsPerEpoch - Number(earlier)) * parameters * 4;
    expect(passed.counts.length).toBe(2);
    for (const bytes of [...passed.sent, ...passed.received]) {
      expect(bytes).toBeGreaterThanOrEqual(gradientBytes);
    }
    for (const count of passed.counts) {
      expect(count).toMatchObject({ clear: 0, examples: [], dropped: 0 });
      expect(count.esp_bytes).toBeGreaterThanOrEqual(2 * gradientBytes);
    }
  });
}
