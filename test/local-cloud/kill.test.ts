/**
 * kill -9 of a cloud under load, whose clock is set forward and back: what was answered is there after the restart, what was not answered is there wholly or not
 * at all, and jobs go on. The seed is in the test's name; KILL_SEED=… runs one again, KILLS=50 kills more often.
 */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { runningStatus } from "../../local-cloud/commands.ts";
import { Home } from "../../local-cloud/home.ts";
import { until } from "../../local-cloud/network/machine/shell.ts";
import { Store } from "../../local-cloud/store/store.ts";
import { Cloud } from "../harness/cloud.ts";
import { brokenInvariants } from "./invariants.ts";
import { firstId, type Reply, type TestClient } from "./support.ts";

const seed = Number(process.env.KILL_SEED ?? randomInt(1_000_000));
const kills = Number(process.env.KILLS ?? 5);

vi.setConfig({ testTimeout: 12_000 * kills });
const workers = 5;

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
function randomNumbers(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What one worker knows of the resources that it made; nobody else touches them. */
interface Known {
  /** Names that EIPs may have, by id: several where a rename was not answered. */
  readonly eips: Map<string, readonly string[]>;
  readonly released: Map<string, "perhaps" | "surely">;
  /** Sizes that volumes may have, by id. */
  readonly volumes: Map<string, readonly number[]>;
  /** The ids of both statics of a batch, by its name; undefined where it was not answered. */
  readonly statics: Map<string, readonly string[] | undefined>;
  readonly jobs: Set<string>;
  /** Names of EIPs that were asked for, three at a time, without an answer. */
  readonly unanswered: Set<string>;
  nextPort: number;
  answers: number;
}

const nothing = (nextPort: number): Known => ({
  eips: new Map(),
  released: new Map(),
  volumes: new Map(),
  statics: new Map(),
  jobs: new Set(),
  unanswered: new Set(),
  nextPort,
  answers: 0,
});

/** Changes things until the cloud is gone. */
async function work(client: TestClient, known: Known, router: string, prefix: string, random: () => number) {
  const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(random() * all.length)];
  /** What the call answers, or undefined where it is refused, by a quota or because its resource is busy. */
  const call = async (action: string, parameters: Record<string, string>): Promise<Reply | undefined> => {
    const reply = await client.call(action, parameters);
    if (typeof reply.job_id === "string") known.jobs.add(reply.job_id);
    return reply.ret_code === 0 ? reply : undefined;
  };
  for (let round = 0; ; round += 1) {
    const name = `${prefix}-${round}`;
    const eip = pick([...known.eips.keys()].filter((id) => !known.released.has(id)));
    const volume = pick([...known.volumes.keys()]);
    const choice = random();
    try {
      if (choice < 0.2 || eip === undefined) {
        known.unanswered.add(name);
        const made = await call("AllocateEips", { bandwidth: "1", count: "3", eip_name: name });
        for (const id of (made?.eips ?? []) as string[]) known.eips.set(id, [name]);
        known.unanswered.delete(name);
      } else if (choice < 0.4) {
        const before = known.eips.get(eip) ?? [];
        known.eips.set(eip, [...before, name]);
        const changed = await call("ModifyEipAttributes", { eip, eip_name: name });
        known.eips.set(eip, changed === undefined ? before : [name]);
      } else if (choice < 0.65) {
        known.released.set(eip, "perhaps");
        if ((await call("ReleaseEips", { "eips.1": eip })) === undefined) known.released.delete(eip);
        else known.released.set(eip, "surely");
      } else if (choice < 0.8) {
        known.statics.set(name, undefined);
        const statics = [1, 2].map((index) => ({
          [`statics.${index}.router_static_name`]: name,
          [`statics.${index}.static_type`]: "1",
          [`statics.${index}.val1`]: String(known.nextPort++),
          [`statics.${index}.val2`]: "192.168.1.2",
          [`statics.${index}.val3`]: "22",
        }));
        const made = await call("AddRouterStatics", Object.assign({ router }, ...statics));
        if (made === undefined) known.statics.delete(name);
        else known.statics.set(name, made.router_statics as string[]);
      } else if (volume === undefined || choice > 0.98) {
        const made = await call("CreateVolumes", { size: "10", volume_name: name });
        for (const id of (made?.volumes ?? []) as string[]) known.volumes.set(id, [10]);
      } else {
        const before = known.volumes.get(volume) ?? [];
        const size = Math.max(...before) + 10;
        known.volumes.set(volume, [...before, size]);
        const changed = await call("ResizeVolumes", { "volumes.1": volume, size: String(size) });
        known.volumes.set(volume, changed === undefined ? before : [size]);
      }
      known.answers += 1;
    } catch (error) {
      if (error instanceof TypeError) return;
      throw error;
    }
  }
}

/** Everything of a Describe action. */
async function all(client: TestClient, action: string, set: string, more: Record<string, string> = {}) {
  const items: Record<string, unknown>[] = [];
  for (;;) {
    const page = await client.ok(action, { ...more, offset: String(items.length), limit: "100" });
    items.push(...(page[set] as Record<string, unknown>[]));
    if (items.length >= Number(page.total_count)) return items;
  }
}

const byId = (items: readonly Record<string, unknown>[], id: string) =>
  new Map(items.map((item) => [String(item[id]), item]));

/** Compares what the cloud has with what it answered. */
async function check(client: TestClient, known: readonly Known[]): Promise<void> {
  const jobs = await all(client, "DescribeJobs", "job_set");
  const ends = byId(jobs, "job_id");
  for (const id of known.flatMap((each) => [...each.jobs])) {
    expect([id, ends.get(id)?.status]).toEqual([id, "successful"]);
  }
  const eips = byId(
    await all(client, "DescribeEips", "eip_set", { "status.1": "available", "status.2": "released" }),
    "eip_id",
  );
  const volumes = byId(await all(client, "DescribeVolumes", "volume_set"), "volume_id");
  const statics = await all(client, "DescribeRouterStatics", "router_static_set");
  for (const each of [...eips.values(), ...volumes.values()]) {
    expect(each).toMatchObject({ transition_status: "" });
  }
  for (const worker of known) {
    for (const [id, names] of worker.eips) {
      const released = worker.released.get(id);
      const eip = eips.get(id);
      // What is released is listed for a while.
      if (eip === undefined && released !== undefined) continue;
      expect(names).toContain(eip?.eip_name);
      if (released === "surely") expect(eip?.status).toBe("released");
      if (released === undefined) expect(eip?.status).toBe("available");
    }
    for (const [id, sizes] of worker.volumes) expect(sizes).toContain(volumes.get(id)?.size);
    for (const [name, ids] of worker.statics) {
      const found = statics.filter(({ router_static_name }) => router_static_name === name);
      const foundIds = found.map(({ router_static_id }) => router_static_id);
      if (ids === undefined) expect([0, 2]).toContain(found.length);
      else expect(foundIds).toEqual(ids);
    }
    for (const name of worker.unanswered) {
      const made = [...eips.values()].filter(({ eip_name }) => eip_name === name);
      expect([0, 3]).toContain(made.length);
    }
  }
  const names = new Set(known.flatMap((each) => [...each.statics.keys()]));
  expect(statics.filter(({ router_static_name }) => !names.has(String(router_static_name)))).toEqual([]);
}

test(`what was answered survives ${kills} kills under load, with a clock that is set all the time (KILL_SEED=${seed})`, async () => {
  const random = randomNumbers(seed);
  vi.stubEnv("NODE_OPTIONS", `--import=${join(import.meta.dirname, "stepped-clock.mjs")}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  const cloud = await Cloud.start();
  onTestFinished(() => cloud.remove());
  const jobs = join(cloud.directory, "jobs.json");
  writeFileSync(jobs, JSON.stringify({ default: 0.03, lease: 0 }));
  const known = Array.from({ length: workers }, (_, index) => nothing(1024 + index * 10_000));
  const made = await cloud.client.done("CreateRouters", { vpc_network: "192.168.0.0/16" });
  const router = firstId(made.routers);
  await cloud.restart(jobs);
  for (let kill = 1; kill <= kills; kill += 1) {
    const { client } = cloud;
    const answers = (): number => known.reduce((sum, each) => sum + each.answers, 0);
    const enough = answers() + 1 + Math.floor(random() * 300);
    const working = known.map((each, index) => {
      const own = randomNumbers(Math.floor(random() * 2 ** 32));
      return work(client, each, router, `kill-${kill}-worker-${index}`, own);
    });
    await until(`answer ${enough}`, () => answers() >= enough, 20_000);
    await cloud.kill();
    await Promise.all(working);
    await cloud.startAgain(jobs);
    await vi.waitFor(
      async () => {
        const status = await runningStatus(cloud.home);
        expect(status?.zones.map((zone) => zone.jobs)).toEqual([0, 0]);
      },
      { timeout: 10_000, interval: 50 },
    );
    await check(cloud.client, known);
    const store = new Store(new Home(cloud.home).state);
    expect(brokenInvariants(store)).toEqual([]);
    store.close();
  }
});
