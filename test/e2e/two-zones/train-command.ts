/** `npm run train`: what a run does is seen, ended and begun again from outside. */
import { expect } from "vitest";
import { z } from "zod";
import { goodputShare } from "../../../infra/plan/goodput.ts";
import type { Place } from "../../harness/place.ts";
import { command, type Ended, waitFor, waitForText } from "../../harness/process.ts";
import { logsOnDisk, ranksOnDisk, stepsOnDisk } from "../../harness/ranks.ts";
import { expectLinkCloseTo, planOf } from "../plan.ts";
import { test } from "./story.ts";

const statusSchema = z.object({
  runId: z.string(),
  ranks: z.array(
    z.object({
      rank: z.number(),
      node: z.string(),
      state: z.string(),
      attempt: z.number(),
      pid: z.number().nullish(),
    }),
  ),
});

function statesIn({ stdout, text }: Pick<Ended, "stdout" | "text">) {
  try {
    return statusSchema.parse(JSON.parse(stdout)).ranks;
  } catch {
    throw new Error(text);
  }
}

const rawOutputs = (place: Place) =>
  place.outputs() as { tunnels: unknown[]; training: { tuning: unknown[] } };

const pidsOf = (place: Place) => ranksOnDisk(place).map(({ state, attempt, pid }) => [state, attempt, pid]);

async function firstEpochOf(place: Place): Promise<void> {
  await waitFor("both ranks' first epoch", () =>
    logsOnDisk(place).every((lines) => lines.some((line) => /^epoch \d+\/100000 loss/.test(line))),
  );
}

/**
 * Waits for 20 steps in a row that follow the bandwidth. None of them can have been faster than their bytes pass an EIP,
 * whatever else the machine does. That they need hardly longer is seen in most of them at some time: from the moment on
 * at which the last rank has its gradients, as that rank has measured it.
 */
async function stepsFollow(place: Place, mbps: number): Promise<void> {
  const from = stepsOnDisk(place).map((steps) => steps.length + 1);
  const doFollow = () => {
    const [one = [], other = []] = stepsOnDisk(place).map((steps, rank) => steps.slice(from[rank]));
    const pairs = one.slice(0, other.length).map((step, index) => [step, other[index] ?? step] as const);
    const last = pairs.slice(-20);
    if (last.length < 20) return false;
    const bytes = last.reduce((sum, [step]) => sum + step.gradientBytes, 0);
    const needed = (bytes * 8) / (mbps * 1e6 * goodputShare("ipsec", 1400));
    const seconds = last.reduce((sum, [step]) => sum + step.seconds, 0);
    const communication = last
      .map((pair) => Math.min(...pair.map((step) => step.communicationSeconds)))
      .sort((lesser, greater) => lesser - greater);
    expect(seconds).toBeGreaterThan(0.97 * needed);
    return 20 * (communication[10] ?? 0) < 1.2 * needed;
  };
  // To read all steps again costs as much as some of them.
  await waitFor(`20 steps at ${mbps} Mbit/s`, doFollow, 60, 500);
}

export function trainCommand(): void {
  test("a run that nobody waits for is seen: its state, and every rank's lines as they come", async ({
    place,
  }) => {
    // As real routers may be: segments fit the tunnel because the nodes' routes say so.
    await place.cloudOk("stop");
    await place.npmOk("cloud", "start", "--home", place.cloudHome, "--mss-clamp", "off");
    place.configure({
      // Few steps a second: the ranks wait for the link, and leave the processors to others.
      "zones[0].bandwidthMbps": 5,
      "zones[1].bandwidthMbps": 10,
      "training.wait": false,
      "training.epochs": 100000,
      "training.script.env.TOKEN": "hush-hush",
    });
    const started = await place.up();
    expect(started.code, started.text).toBe(0);
    await firstEpochOf(place);
    const status = statesIn(await place.npm(["run", "--silent", "train", "--", "status", "--json"]).ended);
    expect(status.map(({ rank, node, state, attempt }) => [rank, node, state, attempt])).toEqual([
      [0, "beijing-1", "running", 1],
      [1, "shanghai-1", "running", 1],
    ]);
    const following = place.train("logs", "--follow", "--since", "5s");
    for (const rank of [0, 1])
      await waitForText(following, new RegExp(`^rank ${rank} \\| epoch \\d+/100000 loss`, "m"));
    if (following.child.pid !== undefined) process.kill(-following.child.pid, "SIGINT");
    expect((await following.ended).stderr).toBe("");
    expect(pidsOf(place)).toEqual(status.map(({ state, attempt, pid }) => [state, attempt, pid]));
  });

  test("segments fit the tunnel, though no router clamps them; what was set on the nodes is reported with its reason", async ({
    place,
  }) => {
    const { nodes } = await place.status();
    for (const { namespace, zone } of nodes) {
      const [network, gateway] =
        zone === "gpu1a" ? ["192.168.2.0/24", "192.168.1.1"] : ["192.168.1.0/24", "192.168.2.1"];
      expect(command("ip", "-n", namespace, "route", "show", network)).toMatch(
        new RegExp(`^${network} via ${gateway} dev eth0 mtu 1400 advmss 1360`),
      );
      const peer = zone === "gpu1a" ? "192.168.2.2" : "192.168.1.2";
      const inside = ["netns", "exec", namespace, "ss", "-tinH", "state", "established", "dst", peer];
      const sockets = command("ip", ...inside);
      const segments = [...sockets.matchAll(/ mss:(\d+)/g)].map(([, bytes]) => Number(bytes));
      expect(segments.length).toBeGreaterThan(0);
      // 1400 bytes without headers and time stamps.
      expect(
        segments.every((bytes) => bytes <= 1348),
        sockets,
      ).toBe(true);
    }
    expect(rawOutputs(place).training.tuning[0]).toEqual({
      setting: "route between beijing and shanghai",
      value: "mtu 1400, advmss 1360",
      reason:
        "the largest packet that passes, as the path check has found; routers need not clamp TCP's segments",
    });
  });

  test("two zones at 5 and 10 Mbit/s: a step takes what the plan says, within 15 %", async ({ place }) => {
    await waitFor("30 steps", () => stepsOnDisk(place).every((steps) => steps.length >= 30));
    expectLinkCloseTo(place, await planOf(place), [5, 10]);
  });

  test("another bandwidth is put in place while training goes on, and its steps follow", async ({
    place,
  }) => {
    const before = pidsOf(place);
    place.configure({ "zones[0].bandwidthMbps": 10 });
    expect(await place.changesByUp()).toEqual(["ChangeEipsBandwidth"]);
    await stepsFollow(place, 10);
    // The path was checked next to the training, whose traffic it leaves alone.
    expect(rawOutputs(place).tunnels).toMatchObject([{ up: true, goodputMbps: null, mtu: 1400 }]);
    expect(pidsOf(place)).toEqual(before);
  });

  test("a start that puts the bandwidth back, which the steps follow too, leaves the running ranks alone, and so does one without a change", async ({
    place,
  }) => {
    const before = pidsOf(place);
    place.configure({ "zones[0].bandwidthMbps": 5 });
    const changes = await place.changesBy(async () => {
      const { code, text } = await place.start();
      expect(code, text).toBe(0);
      expect(text).not.toMatch(/^report/m);
    });
    expect(changes).toEqual(["ChangeEipsBandwidth"]);
    await stepsFollow(place, 5);
    const again = await place.up("--refresh", "--expect-no-changes");
    expect(again.code, again.text).toBe(0);
    expect(pidsOf(place)).toEqual(before);
  });
}

export function trainCommandOnAnotherRun(): void {
  test("another learning rate is another run, on the same network", async ({ place }) => {
    const [before] = ranksOnDisk(place);
    place.configure({ "training.lr": 0.02 });
    expect(await place.changesByUp()).toEqual([]);
    const after = ranksOnDisk(place);
    expect(after.map(({ state, attempt }) => [state, attempt])).toEqual([
      ["running", 1],
      ["running", 1],
    ]);
    expect(after.map(({ runId }) => runId)).not.toContain(before?.runId);
    await firstEpochOf(place);
  });

  test("lines of the last seconds are fewer than all, and are the last ones", async ({ place }) => {
    const linesOf = async (...more: string[]) =>
      (await place.train("logs", "--rank", "0", ...more).ended).stdout.trimEnd().split("\n");
    // The length of the log is noted every second.
    await waitFor("lines of more than 3 seconds", () =>
      stepsOnDisk(place).every((steps) => steps.reduce((sum, { seconds }) => sum + seconds, 0) > 3),
    );
    const last = await linesOf("--since", "2s");
    const all = await linesOf();
    expect(all[0]).toMatch(/^rank 0 of 2: PyTorch/);
    expect(last.length).toBeGreaterThan(0);
    expect(last.some((line) => line.startsWith("rank 0 of 2: PyTorch"))).toBe(false);
  });

  test("stop ends all ranks, restart begins their next attempt from the last checkpoint that all have", async ({
    place,
  }) => {
    await waitFor("a checkpoint", () => stepsOnDisk(place).every((steps) => steps.length > 50));
    expect(
      statesIn(await place.train("stop", "--json").ended).map(({ state, attempt }) => [state, attempt]),
    ).toEqual([
      ["stopped", 1],
      ["stopped", 1],
    ]);
    expect((await place.train("status").ended).code).toBe(1);
    const restarted = await place.train("restart", "--json").ended;
    expect(restarted.code, restarted.text).toBe(0);
    expect(statesIn(restarted).map(({ state, attempt }) => [state, attempt])).toEqual([
      ["running", 2],
      ["running", 2],
    ]);
    await firstEpochOf(place);
    const [, log = []] = logsOnDisk(place);
    const [, steps] = /^rank 1: goes on after step (\d+), in epoch \d+$/m.exec(log.join("\n")) ?? [];
    expect(Number(steps), log.slice(0, 10).join("\n")).toBeGreaterThan(0);
    expect(Number(steps) % 50).toBe(0);
  });
}
