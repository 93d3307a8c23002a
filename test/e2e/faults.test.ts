/** The network breaks under a stack that stands: each fault is told with its reason, and mended by the next start. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { blockTunnel, namespaceOf, shrinkTunnel, unplug } from "../harness/machine.ts";
import { followedOf, outputsOf, ranksStarted } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";
import { type Ended, waitForText, within } from "../harness/process.ts";
import { TestClient } from "../local-cloud/support.ts";

let place: Place;

beforeAll(async () => {
  place = new Place();
  const first = await place.run("start").ended;
  expect(first.code, first.text).toBe(0);
});

afterAll(() => place.remove());

/**
 * Starts a training of many epochs, does something when all of it runs, and waits for the end. A rank is followed once it
 * has told of itself: a follower that dials later would dial a dead zone again and again for minutes.
 */
async function startAndDisturb(disturb: () => void): Promise<Ended> {
  const running = place.run("start");
  for (const rank of [0, 1]) await waitForText(running, new RegExp(`^rank ${rank} \\| epoch 2/16 loss`, "m"));
  disturb();
  return await within("the end of a training whose network was cut", running.ended, 90);
}

async function routerOf(zone: string): Promise<string> {
  const { zones } = outputsOf(place);
  return zones.find(({ name }) => name === zone)?.vpcId ?? "";
}

test("a tunnel that is cut stops the training: every rank is named with its last lines", async () => {
  place.configure({ "training.script.args[0]": "--timeout=5" });
  place.configure({ "training.epochs": 16 });
  const namespace = namespaceOf(await place.status(), await routerOf("shanghai"));
  let mend = () => {};
  try {
    const ended = await startAndDisturb(() => {
      mend = blockTunnel(namespace);
    });
    expect(ended.code, ended.text).not.toBe(0);
    // The way back is open: the word of the first one that gives up may end the other.
    for (const rank of [0, 1]) {
      expect(ended.text).toMatch(
        new RegExp(`^ +rank ${rank} failed with exit code (1;|1: rank|143: rank)`, "m"),
      );
    }
    expect(ended.text).toMatch(/^ +rank \d: error: training stopped after /m);
    expect(ended.text).toMatch(/^ +epoch \d+\/16 loss/m);
  } finally {
    mend();
  }
});

test("with the tunnel back, the next start makes another attempt of the same run", async () => {
  expect(await place.changesBy(async () => expect(await place.start()).toMatchObject({ code: 0 }))).toEqual(
    [],
  );
  const { training } = outputsOf(place);
  expect(training.ranks.map(({ exitCode, epochs }) => [exitCode, epochs])).toEqual([
    [0, 16],
    [0, 16],
  ]);
  expect(followedOf(place).map(({ attempt }) => attempt)).toEqual([2, 2]);
});

test("a zone that loses its uplink stops the training, and the next start with it back succeeds", async () => {
  place.configure({ "training.seed": 4 });
  const [status, router] = [await place.status(), await routerOf("shanghai")];
  let mend = () => {};
  try {
    const ended = await startAndDisturb(() => {
      mend = unplug(status, router);
    });
    expect(ended.code, ended.text).not.toBe(0);
    expect(ended.text).toMatch(/^ +rank 0 failed with exit code 1;/m);
  } finally {
    mend();
  }
  const again = await place.start();
  expect(again.code, again.text).toBe(0);
});

test("a path that loses full-size packets, on which training would hang, fails the path check", async () => {
  const startedBefore = ranksStarted(place);
  const namespace = namespaceOf(await place.status(), await routerOf("beijing"));
  const mend = shrinkTunnel(namespace);
  try {
    // The check is made again because the bandwidth has changed; another seed is waiting for it.
    place.configure({ "zones[0].bandwidthMbps": 30 });
    place.configure({ "training.seed": 5 });
    const ended = await place.start();
    expect(ended.code, ended.text).not.toBe(0);
    expect(ended.text).toMatch(/The path from 192\.168\.\d\.2 to 192\.168\.\d\.2 does not carry training: /);
    expect(ended.text).toMatch(/1400 bytes/);
    expect(ranksStarted(place)).toEqual(startedBefore);
  } finally {
    mend();
  }
});

test("a pre-shared key that someone changed at one side fails the path check; the next start mends it", async () => {
  const client = TestClient.ofHome(place.cloudHome);
  const { resources } = place.checkpoint();
  const [tunnel = ""] = resources
    .filter(({ urn }) => urn.endsWith("::beijing-shanghai-at-shanghai"))
    .map(({ id }) => id ?? "");
  const zone = "gpu2a";
  const { router_id: router, val1 } = await client.one("DescribeRouterStatics", "router_static_set", {
    zone,
    router: await routerOf("shanghai"),
    "router_statics.1": tunnel,
  });
  const [remote, algorithm, , device] = String(val1).split("|");
  const wrong = [remote, algorithm, "another key than the peer's", device].join("|");
  await client.ok("ModifyRouterStaticAttributes", { zone, router_static: tunnel, val1: wrong });
  await client.done("UpdateRouters", { zone, "routers.1": String(router) });

  // Without the refresh of `npm start`; the check is still due, since the test before this one.
  const failed = await place.pulumi(["up", "--yes", "--skip-preview", "--non-interactive"]);
  expect(failed.code, failed.text).not.toBe(0);
  expect(failed.text).toMatch(/The path from 192\.168\.\d\.2 to 192\.168\.\d\.2 does not carry training: /);
  expect(failed.text).toContain("pre-shared key");

  const changes = await place.changesBy(async () => {
    const mended = await place.start();
    expect(mended.code, mended.text).toBe(0);
  });
  expect(changes).toEqual(["ModifyRouterStaticAttributes", "UpdateRouters"]);
  expect(outputsOf(place).tunnels).toMatchObject([{ up: true }]);
});
