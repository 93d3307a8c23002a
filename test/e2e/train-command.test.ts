/** `npm run train`: what a run does is seen, ended and begun again from outside. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { Place } from "../harness/place.ts";
import { command, type Ended, readLines, waitFor, waitForText } from "../harness/process.ts";

let place: Place;

beforeAll(async () => {
  place = new Place();
});

afterAll(() => place.remove());

const train = (...args: string[]) => place.train(...args);

async function rawOutputs() {
  return place.outputs() as {
    tunnels: unknown[];
    training: { tuning: unknown[] };
  };
}

/** Seconds of the next 20 steps of rank 0, as it notes them. */
async function medianOfNextSteps(): Promise<number> {
  const nodes = join(place.cloudHome, "nodes");
  const [file = ""] = readdirSync(nodes, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith("/metrics/rank-0.jsonl"),
  );
  const steps = () =>
    readLines(join(nodes, file))
      .map((line) => JSON.parse(line) as { event: string; seconds: number })
      .filter(({ event }) => event === "step");
  const from = steps().length;
  await waitFor("20 steps more", () => steps().length >= from + 21);
  const seconds = steps()
    .slice(from + 1, from + 21)
    .map((step) => step.seconds)
    .sort((one, other) => one - other);
  return seconds[10] ?? 0;
}

const statusSchema = z.object({
  runId: z.string(),
  ranks: z.array(
    z.object({
      rank: z.number(),
      node: z.string(),
      state: z.string(),
      attempt: z.number(),
      pid: z.number().nullish(),
      exitCode: z.number().nullish(),
      lines: z.array(z.string()),
    }),
  ),
});

async function statesOf(ended: Promise<Ended>) {
  const { stdout, text } = await ended;
  try {
    return statusSchema.parse(JSON.parse(stdout)).ranks;
  } catch {
    throw new Error(text);
  }
}

const status = () => statesOf(train("status", "--json").ended);

test("without a run it says how to start one", async () => {
  // As real routers may be: segments fit the tunnel because the nodes' routes say so.
  await place.cloudOk("start", "--mss-clamp", "off");
  const { code, stderr } = await train("status").ended;
  expect(code).toBe(2);
  expect(stderr).toContain("stack dev has no training run. Start one: npm start");
});

test("a run that nobody waits for is seen: its state, and every rank's lines as they come", async () => {
  place.configure({ "training.wait": false });
  place.configure({ "training.epochs": 100000 });
  const started = await place.start();
  expect(started.code, started.text).toBe(0);
  await waitFor("both ranks' first epoch", async () =>
    (await status()).every(({ lines }) => lines.some((line) => /^epoch \d+\/100000 loss/.test(line))),
  );
  expect((await status()).map(({ rank, node, state, attempt }) => [rank, node, state, attempt])).toEqual([
    [0, "beijing-1", "running", 1],
    [1, "shanghai-1", "running", 1],
  ]);
  const following = train("logs", "--follow", "--since", "5s");
  for (const rank of [0, 1])
    await waitForText(following, new RegExp(`^rank ${rank} \\| epoch \\d+/100000 loss`, "m"));
  if (following.child.pid !== undefined) process.kill(-following.child.pid, "SIGINT");
  expect((await following.ended).stderr).toBe("");
  expect((await status()).map(({ state }) => state)).toEqual(["running", "running"]);
});

test("segments fit the tunnel, though no router clamps them; what was set on the nodes is told with its reason", async () => {
  const { nodes } = await place.status();
  for (const { namespace, zone } of nodes) {
    const [network, gateway] =
      zone === "gpu1a" ? ["192.168.2.0/24", "192.168.1.1"] : ["192.168.1.0/24", "192.168.2.1"];
    expect(command("ip", "-n", namespace, "route", "show", network)).toMatch(
      new RegExp(`^${network} via ${gateway} dev eth0 mtu 1400 advmss 1360`),
    );
    const peer = zone === "gpu1a" ? "192.168.2.2" : "192.168.1.2";
    const sockets = command(
      "ip",
      "netns",
      "exec",
      namespace,
      "ss",
      "-tinH",
      "state",
      "established",
      "dst",
      peer,
    );
    const segments = [...sockets.matchAll(/ mss:(\d+)/g)].map(([, bytes]) => Number(bytes));
    expect(segments.length).toBeGreaterThan(0);
    // 1400 bytes without headers and time stamps.
    expect(
      segments.every((bytes) => bytes <= 1348),
      sockets,
    ).toBe(true);
  }
  const { training } = await rawOutputs();
  expect(training.tuning[0]).toEqual({
    setting: "route between beijing and shanghai",
    value: "mtu 1400, advmss 1360",
    reason:
      "the largest packet that passes, as the path check has found; routers need not clamp TCP's segments",
  });
});

test("another bandwidth is put in place while training goes on, and its steps follow", async () => {
  const pids = async () => (await status()).map(({ state, attempt, pid }) => [state, attempt, pid]);
  const before = await pids();
  const usual = await medianOfNextSteps();
  const change = async (mbps: number) => {
    place.configure({ "zones[0].bandwidthMbps": mbps });
    expect(await place.changesBy(async () => expect((await place.start()).code).toBe(0))).toEqual([
      "ChangeEipsBandwidth",
    ]);
    return await medianOfNextSteps();
  };
  const slow = await change(5);
  // The path was checked beside the training, whose traffic it leaves alone.
  expect((await rawOutputs()).tunnels).toMatchObject([{ up: true, goodputMbps: null, mtu: 1400 }]);
  const fast = await change(20);
  console.log(`seconds a step: ${usual} at 20 Mbit/s, ${slow} at 5, ${fast} at 20 again`);
  expect(slow).toBeGreaterThan(3 * usual);
  expect(slow).toBeLessThan(5 * usual);
  expect(fast).toBeLessThan(1.3 * usual);
  expect(await pids()).toEqual(before);
});

test("a start without a change leaves the running ranks alone; another learning rate is another run, on the same network", async () => {
  const pids = async () => (await status()).map(({ state, attempt, pid }) => [state, attempt, pid]);
  const before = await pids();
  expect((await place.start()).code).toBe(0);
  expect(await pids()).toEqual(before);
  const { runId } = statusSchema.parse(JSON.parse((await train("status", "--json").ended).stdout));
  place.configure({ "training.lr": 0.02 });
  const changes = await place.changesBy(async () => expect((await place.start()).code).toBe(0));
  expect(changes).toEqual([]);
  const after = statusSchema.parse(JSON.parse((await train("status", "--json").ended).stdout));
  expect(after.runId).not.toBe(runId);
  expect(after.ranks.map(({ state, attempt }) => [state, attempt])).toEqual([
    ["running", 1],
    ["running", 1],
  ]);
  await waitFor("both ranks' first epoch", async () =>
    (await status()).every(({ lines }) => lines.some((line) => /^epoch \d+\/100000 loss/.test(line))),
  );
});

test("lines of the last seconds are fewer than all, and are the last ones", async () => {
  const all = (await train("logs", "--rank", "0").ended).stdout.trimEnd().split("\n");
  const last = (await train("logs", "--rank", "0", "--since", "2s").ended).stdout.trimEnd().split("\n");
  expect(all[0]).toMatch(/^rank 0 of 2: PyTorch/);
  expect(last.length).toBeGreaterThan(0);
  expect(last.some((line) => line.startsWith("rank 0 of 2: PyTorch"))).toBe(false);
});

test("stop ends all ranks, restart begins their next attempt from the last checkpoint that all have", async () => {
  const stopped = await statesOf(train("stop", "--json").ended);
  expect(stopped.map(({ state, attempt }) => [state, attempt])).toEqual([
    ["stopped", 1],
    ["stopped", 1],
  ]);
  expect((await train("status").ended).code).toBe(1);
  const restarted = await train("restart").ended;
  expect(restarted.code, restarted.text).toBe(0);
  expect((await status()).map(({ state, attempt }) => [state, attempt])).toEqual([
    ["running", 2],
    ["running", 2],
  ]);
  await waitFor("both ranks' first epoch after the restart", async () =>
    (await status()).every(({ lines }) => lines.some((line) => /^epoch \d+\/100000 loss/.test(line))),
  );
  const log = (await train("logs", "--rank", "1").ended).stdout;
  const [, steps] = /^rank 1: goes on after step (\d+), in epoch \d+$/m.exec(log) ?? [];
  expect(Number(steps), log.slice(0, 500)).toBeGreaterThan(0);
  expect(Number(steps) % 50).toBe(0);
});

test("a rank that there is not, and a time that is none, are refused with what is allowed", async () => {
  expect((await train("logs", "--rank", "7").ended).stderr).toBe(
    "train: --rank 7: the run has the ranks 0, 1\n",
  );
  const { code, stderr } = await train("logs", "--since", "soon").ended;
  expect([code, stderr]).toEqual([
    2,
    "train: --since soon: must be a number of seconds, minutes or hours, e.g. 30s, 5m, 2h\n",
  ]);
});
