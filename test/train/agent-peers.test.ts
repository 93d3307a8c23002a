/** Several ranks of one run, their agents on this machine: they start, fail and stop together. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { ask as askIn, begin as beginIn, noteOf } from "./agent.ts";
import { freePorts } from "./python.ts";

const stateSchema = z.object({
  state: z.string(),
  attempt: z.number(),
  pid: z.number().nullish(),
  exitCode: z.number().nullish(),
  reason: z.string().nullish(),
});

let home: string;
let started: { runId: string; rank: number }[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "peers-"));
});

afterEach(async () => {
  for (const given of started) if (noteOf(home, given)?.isSupervised) await ask("stop", given);
  started = [];
});

afterAll(() => rm(home, { recursive: true, force: true }));

const begin = (subcommand: string, given: object) => beginIn(home, subcommand, given);
const ask = async (subcommand: string, given: object) =>
  stateSchema.parse(await askIn(home, subcommand, given));

/** Listens at the port where ranks meet, until it is ended. */
const listener = (port: number) =>
  `exec python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", ${port})); time.sleep(60)'`;

/** What launches the ranks of a run as shell scripts. @returns a launch of each rank */
async function group(runId: string, scripts: (port: number) => readonly string[], more: object = {}) {
  const [rendezvousPort, port] = await freePorts();
  const commands = scripts(rendezvousPort);
  const together = { address: "127.0.0.1", port, rendezvousPort, size: commands.length };
  return commands.map((script, rank) => {
    started.push({ runId, rank });
    return { runId, rank, argv: ["/bin/sh", "-c", script], directory: home, group: together, ...more };
  });
}

const states = (runId: string, count: number) =>
  Promise.all(Array.from({ length: count }, (_, rank) => ask("status", { runId, rank })));

/** The states of a run's ranks, all of which end within 5 s. */
async function statesAtEnd(runId: string, count: number) {
  const left = () =>
    Array.from({ length: count }, (_, rank) => rank).filter(
      (rank) => !noteOf(home, { runId, rank })?.hasEnded,
    );
  await expect.poll(left, { timeout: 5_000, interval: 20, message: "ranks that have not ended" }).toEqual([]);
  return await states(runId, count);
}

test("rank 0 listens before the others start", async () => {
  const gate = join(home, "gate");
  const launches = await group("order", (port) => [
    `until [ -e ${gate} ]; do sleep 0.05; done; date +%s.%N > ${home}/listens; ${listener(port)}`,
    `date +%s.%N > ${home}/follows; sleep 60`,
  ]);
  const launching = launches.map((given) => begin("launch", given));
  await expect
    .poll(() => states("order", 2).then((all) => all.map(({ pid }) => typeof pid)))
    .toEqual(["number", "object"]);
  await writeFile(gate, "");
  expect((await Promise.all(launching.map(({ ended }) => ended))).map(({ code }) => code)).toEqual([0, 0]);
  await expect.poll(() => readFile(join(home, "follows"), "utf8").catch(() => "")).not.toBe("");
  const [first, second] = await Promise.all(
    ["listens", "follows"].map((name) => readFile(join(home, name), "utf8")),
  );
  expect(Number(second)).toBeGreaterThan(Number(first));
});

test("one rank's failure ends all others within 5 s, which say why with its last lines", async () => {
  const trigger = join(home, "trigger");
  const launches = await group("together", (port) => [
    listener(port),
    `until [ -e ${trigger} ]; do sleep 0.05; done; echo 'out of memory'; exit 3`,
    "trap '' TERM; while true; do sleep 1; done",
  ]);
  await Promise.all(launches.map((given) => ask("launch", given)));
  await writeFile(trigger, "");
  const all = await statesAtEnd("together", 3);
  expect(all.map(({ state }) => state)).toEqual(["failed", "failed", "failed"]);
  expect(all.map(({ exitCode }) => exitCode)).toEqual([143, 3, 137]);
  expect(all[1]?.reason).toBeNull();
  for (const rank of [0, 2])
    expect(all[rank]?.reason).toMatch(/^rank 1 on \S+ failed with exit code 3\n {4}out of memory$/);
});

test("rank 0's failure before it listens is told to those that wait, and nothing of theirs starts", async () => {
  const launches = await group("early", () => [
    "echo 'no module named x'; exit 1",
    `touch ${home}/never; sleep 60`,
  ]);
  const [first, second] = await Promise.all(launches.map((given) => begin("launch", given).ended));
  expect(first?.code).toBe(0);
  expect(second?.stderr).toMatch(
    /^agent launch: rank 0 on \S+ failed with exit code 1\n {4}no module named x\n$/,
  );
  await expect(readFile(join(home, "never"))).rejects.toThrow("ENOENT");
});

test("stopping one rank stops all, and all can be started again at once", async () => {
  const launches = await group("stopped", (port) => [listener(port), "sleep 60", "sleep 60"]);
  await Promise.all(launches.map((given) => ask("launch", given)));
  expect(await ask("stop", { runId: "stopped", rank: 1 })).toMatchObject({ state: "stopped" });
  const all = await statesAtEnd("stopped", 3);
  expect(all.map(({ state }) => state)).toEqual(["stopped", "stopped", "stopped"]);
  const again = await Promise.all(launches.map((given) => ask("launch", { ...given, restart: true })));
  expect(again.map(({ state, attempt }) => [state, attempt])).toEqual([
    ["running", 2],
    ["running", 2],
    ["running", 2],
  ]);
});

test("a rank that fails since a stopped one is gone counts as stopped, however long that one's note takes", async () => {
  const [met, isNoted] = [join(home, "met"), join(home, "noted")];
  const script = (line: string) => `exec python3 -c 'import socket, sys, time; ${line}'`;
  const launches = await group("talking", (port) => [
    script(`sys.exit(socket.create_server(("127.0.0.1", ${port})).accept()[0].recv(1) == b"")`),
    script(`s = socket.create_connection(("127.0.0.1", ${port})); open("${met}", "w"); time.sleep(60)`),
  ]);
  await Promise.all(launches.map((given) => ask("launch", given)));
  await expect.poll(() => existsSync(met)).toBe(true);
  const lock = join(home, ".crosszone", "runs", "talking", "rank-1", "lock");
  const holder = spawn("flock", [
    lock,
    "sh",
    "-c",
    `echo held; until [ -e ${isNoted} ]; do sleep 0.05; done`,
  ]);
  await once(holder.stdout, "data");
  const stopping = ask("stop", { runId: "talking", rank: 1 });
  await expect.poll(() => noteOf(home, { runId: "talking", rank: 0 })?.hasEnded).toBe(true);
  await writeFile(isNoted, "");
  expect(await stopping).toMatchObject({ state: "stopped" });
  expect((await states("talking", 2)).map(({ state }) => state)).toEqual(["stopped", "stopped"]);
});

/** The state of a rank that ends. */
async function stateAtEnd(given: { runId: string; rank: number }) {
  const hasEnded = () => noteOf(home, given)?.hasEnded;
  await expect.poll(hasEnded, { timeout: 30_000, message: `end of rank ${given.rank}` }).toBe(true);
  return await ask("status", given);
}

/** The process that looks after a rank. */
async function supervisorOf(runId: string, rank: number): Promise<number> {
  const file = join(home, ".crosszone/runs", runId, `rank-${rank}`, "state.json");
  return JSON.parse(await readFile(file, "utf8")).supervisor.pid;
}

test("a lost supervisor of rank 0 is no order to stop; a rank that then fails says that it is lost", async () => {
  const trigger = join(home, "lost-trigger");
  const launches = await group("lost", (port) => [
    listener(port),
    `until [ -e ${trigger} ]; do sleep 0.05; done; exit 1`,
  ]);
  await Promise.all(launches.map((given) => ask("launch", given)));
  process.kill(await supervisorOf("lost", 0), "SIGKILL");
  await expect
    .poll(() => states("lost", 2).then((all) => all.map(({ state }) => state)))
    .toEqual(["failed", "running"]);
  await writeFile(trigger, "");
  expect(await stateAtEnd({ runId: "lost", rank: 1 })).toMatchObject({
    exitCode: 1,
    reason: expect.stringMatching(
      /^rank 0 on \S+ was not heard of by then: its node crashed, was restarted, hangs, or cannot be reached$/,
    ),
  });
});

test.each([0, 1])(
  "a run ends where rank %i is silent for too long",
  async (rank) => {
    const runId = `silent-${rank}`;
    // A busy machine is not silent for so long.
    const launches = await group(runId, (port) => [listener(port), "sleep 60"], { silence: 6 });
    await Promise.all(launches.map((given) => ask("launch", given)));
    const frozen = await supervisorOf(runId, rank);
    process.kill(frozen, "SIGSTOP");
    try {
      expect(await stateAtEnd({ runId, rank: 1 - rank })).toMatchObject({
        state: "failed",
        reason: expect.stringMatching(
          new RegExp(`^rank ${rank} on \\S+ is lost, no sign of life for \\d+ s: its node crashed, `),
        ),
      });
    } finally {
      process.kill(frozen, "SIGCONT");
    }
  },
  40_000,
);

test("a rank that has succeeded is missed by nobody", async () => {
  const launches = await group("done", (port) => [`${listener(port)} & sleep 5; kill $!`, `sleep 1.5`], {
    environment: { GROUP_TIMEOUT: "6" },
  });
  await Promise.all(launches.map((given) => ask("launch", given)));
  await stateAtEnd({ runId: "done", rank: 0 });
  expect((await states("done", 2)).map(({ state }) => state)).toEqual(["succeeded", "succeeded"]);
}, 60_000);

test("a rank whose rank 0 is never launched does not start, and says where it looked", async () => {
  const [, given] = await group("nobody", () => ["true", "true"], { patience: 0.5 });
  const { code, stderr } = await begin("launch", given ?? {}).ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^agent launch: rank 1 was not started: the supervisor of rank 0 did not answer at 127\.0\.0\.1:\d+ within 0\.5 s;/,
  );
});

test("a rank that waits for rank 0 can be stopped", async () => {
  const [, given] = await group("waiting", () => ["true", "true"]);
  const launching = begin("launch", given ?? {});
  await expect
    .poll(() => ask("status", { runId: "waiting", rank: 1 }).then(({ state }) => state))
    .toBe("running");
  expect(await ask("stop", { runId: "waiting", rank: 1 })).toMatchObject({
    state: "stopped",
    exitCode: null,
  });
  expect((await launching.ended).code).toBe(0);
});

test("of ranks that fail one after the other, the first is the cause, and all others say so", async () => {
  const trigger = join(home, "cause");
  // As PyTorch does when a peer is lost: the others fail by themselves a moment after it, though they are told to end.
  const later = `trap '' TERM; until [ -e ${trigger} ]; do sleep 0.1; done; sleep 1; echo 'connection closed by peer'; exit 1`;
  const launches = await group("cause", (port) => [
    `${listener(port).replace("exec ", "")} & ${later}`,
    later,
    `until [ -e ${trigger} ]; do sleep 0.1; done; kill -9 $$`,
    later,
  ]);
  await Promise.all(launches.map((given) => ask("launch", given)));
  await writeFile(trigger, "");
  const all = await statesAtEnd("cause", 4);
  expect(all.map(({ state }) => state)).toEqual(["failed", "failed", "failed", "failed"]);
  const killed = /it was killed \(SIGKILL\) by somebody, .*: the node has \d+\.\d GiB of memory, of which /;
  expect(all[2]).toMatchObject({ exitCode: 137, reason: expect.stringMatching(killed) });
  for (const rank of [0, 1, 3]) {
    expect(all[rank]?.reason).toMatch(
      new RegExp(`^rank 2 on \\S+ failed with exit code 137: ${killed.source}`),
    );
  }
});
