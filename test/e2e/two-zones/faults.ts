/** The network breaks under ranks that train: it is reported with its reason, and the next `up` puts it right. */
import { expect } from "vitest";
import { blockTunnel, namespaceOf, unplug } from "../../harness/machine.ts";
import { followedOf, outputsOf } from "../../harness/outputs.ts";
import { type Ended, type Running, waitForText, within } from "../../harness/process.ts";
import { ranksOnDisk } from "../../harness/ranks.ts";
import { routerOf, test } from "./story.ts";

const epochs = 8;

/**
 * Cuts the network when all of a training runs, and waits for the end. A rank is followed once it has told of itself: a
 * follower that dials later would dial a dead zone again and again for minutes.
 */
async function disturb(running: Running, cut: () => void): Promise<Ended> {
  for (const rank of [0, 1])
    await waitForText(running, new RegExp(`\\brank ${rank} \\| epoch 2/${epochs} loss`));
  cut();
  return await within("the end of a training whose network was cut", running.ended, 90);
}

export function faults(): void {
  let runId: string | undefined;

  test("a tunnel that is cut stops the training: every rank is named with its last lines", async ({
    place,
  }) => {
    place.configure({ "training.script.args": ["--timeout=5"], "training.epochs": epochs });
    const namespace = namespaceOf(await place.status(), routerOf(place, "shanghai"));
    let restore = () => {};
    try {
      const ended = await disturb(place.run("start"), () => {
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
    } finally {
      restore();
    }
    [runId] = ranksOnDisk(place).map((rank) => rank.runId);
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
        expect(ended.text).toMatch(/^ +rank 0 failed with exit code 1;/m);
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

  test("the next start with the uplink back succeeds, as one more attempt", async ({ place }) => {
    expect(await place.changesByUp()).toEqual([]);
    const { training } = outputsOf(place);
    expect(training.runId).toBe(runId);
    expect(training.ranks.map((rank) => [rank.exitCode, rank.epochs])).toEqual([
      [0, epochs],
      [0, epochs],
    ]);
    expect(followedOf(place).map(({ attempt }) => attempt)).toEqual([3, 3]);
  });
}
