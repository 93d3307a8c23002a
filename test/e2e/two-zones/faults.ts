/** The network breaks under a stack that stands: each fault is reported with its reason, and the next `up` puts it right. */
import { expect } from "vitest";
import { blockTunnel, namespaceOf, shrinkTunnel, unplug } from "../../harness/machine.ts";
import { followedOf, outputsOf } from "../../harness/outputs.ts";
import type { Place } from "../../harness/place.ts";
import { type Ended, type Running, waitForText, within } from "../../harness/process.ts";
import { ranksOnDisk, ranksStarted } from "../../harness/ranks.ts";
import { TestClient } from "../../local-cloud/support.ts";
import { test } from "./story.ts";

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

function routerOf(place: Place, zone: string): string {
  return outputsOf(place).zones.find(({ name }) => name === zone)?.vpcId ?? "";
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

  test("a path that loses full-size packets, on which training would hang, fails the path check", async ({
    place,
  }) => {
    const startedBefore = ranksStarted(place);
    const restore = shrinkTunnel(namespaceOf(await place.status(), routerOf(place, "beijing")));
    try {
      // The check is made again because the bandwidth has changed; another seed is waiting for it.
      place.configure({
        "zones[0].bandwidthMbps": 30,
        "training.seed": 5,
        "training.epochs": 1,
        "training.script": undefined,
      });
      const ended = await place.up();
      expect(ended.code, ended.text).not.toBe(0);
      expect(ended.text).toMatch(
        /The path from 192\.168\.\d\.2 to 192\.168\.\d\.2 does not carry training: /,
      );
      expect(ended.text).toMatch(/1400 bytes/);
      expect(ranksStarted(place)).toEqual(startedBefore);
    } finally {
      restore();
    }
  });

  test("a pre-shared key that someone changed at one side fails the path check; the next start repairs it", async ({
    place,
  }) => {
    const client = TestClient.ofHome(place.cloudHome);
    const [tunnel = ""] = place
      .checkpoint()
      .resources.filter(({ urn }) => urn.endsWith("::beijing-shanghai-at-shanghai"))
      .map(({ id }) => id ?? "");
    const zone = "gpu2a";
    const { router_id: router, val1 } = await client.one("DescribeRouterStatics", "router_static_set", {
      zone,
      router: routerOf(place, "shanghai"),
      "router_statics.1": tunnel,
    });
    const [remote, algorithm, , device] = String(val1).split("|");
    const wrong = [remote, algorithm, "another key than the peer's", device].join("|");
    await client.ok("ModifyRouterStaticAttributes", { zone, router_static: tunnel, val1: wrong });
    await client.done("UpdateRouters", { zone, "routers.1": String(router) });

    // Without the refresh of `npm start`; the check is still due, since the test before this one.
    const failed = await place.up();
    expect(failed.code, failed.text).not.toBe(0);
    expect(failed.text).toMatch(/The path from 192\.168\.\d\.2 to 192\.168\.\d\.2 does not carry training: /);
    expect(failed.text).toContain("pre-shared key");

    const changes = await place.changesBy(async () => {
      const repaired = await place.start();
      expect(repaired.code, repaired.text).toBe(0);
    });
    expect(changes).toEqual(["ModifyRouterStaticAttributes", "UpdateRouters"]);
    expect(outputsOf(place).tunnels).toMatchObject([{ up: true }]);
  });
}
