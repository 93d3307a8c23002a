/** A run whose nodes are no longer those that it was launched on: all its ranks start again, together. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ask, begin, noteOf } from "./agent.ts";
import { freePorts, Python } from "./python.ts";

let home: string;
/** The home of a node that takes the place of the second one. */
let other: string;
let started: { place: string; runId: string; rank: number }[] = [];

beforeAll(async () => {
  [home, other] = (await Promise.all(["crew-", "crew-"].map((name) => mkdtemp(join(tmpdir(), name))))) as [
    string,
    string,
  ];
  const source = await readFile(new URL("../../scripts/node/facts.py", import.meta.url), "utf8");
  const { stdout } = await new Python("-", [], { stdin: `${source}\nidentity("nowhere")\n` }).ended;
  boot = JSON.parse(stdout).boot;
});

afterEach(async () => {
  for (const { place, ...rank } of started) {
    if (noteOf(place, rank)?.isSupervised) await ask(place, "stop", rank);
  }
  started = [];
});

afterAll(() => Promise.all([home, other].map((place) => rm(place, { recursive: true, force: true }))));

type Crew = readonly (readonly [installation: string, boot: string])[];
/** Of this machine, as NodeReady has it. */
let boot: string;
const crewOf = (disk: string, last = boot): Crew => [
  ["disk-0", boot],
  [disk, last],
];

const launch = async (place: string, given: { runId: string; rank: number }, crew: Crew) => {
  started.push({ place, runId: given.runId, rank: given.rank });
  return await ask(place, "launch", { ...given, crew });
};

/** Rank 0 of a run that is alone. */
const alone = (runId: string, script: string) => ({
  ...{ runId, rank: 0, argv: ["/bin/sh", "-c", script], directory: home },
});

const stateOf = async (runId: string) => (await ask(home, "status", { runId, rank: 0 })).state;

test.each([
  ["runs", "sleep 60", "running", [1, 1, 2, 3]],
  ["has failed", "exit 3", "failed", [1, 1, 2, 3]],
  ["has succeeded", "true", "succeeded", [1, 1, 1, 2]],
] as const)(
  "a rank that %s is started again where another node was replaced, and after a reboot since its start unless it has succeeded",
  async (_, script, state, expected) => {
    const given = alone(`once-${state}`, script);
    const attempts = [];
    // Its node was restarted before it started, which is found out later; then the other one; then that is replaced.
    const crews = [
      crewOf("disk-1", "earlier"),
      crewOf("disk-1"),
      crewOf("disk-1", "later"),
      crewOf("disk-2"),
    ];
    for (const crew of crews) {
      attempts.push((await launch(home, given, crew)).attempt);
      await expect.poll(() => stateOf(given.runId)).toBe(state);
    }
    expect(attempts).toEqual(expected);
  },
);

test("what is left of the attempt before has ended by then: its port is free", async () => {
  const [port, meeting] = await freePorts();
  const listen = `import socket, sys, time; s = socket.create_server(("127.0.0.1", ${meeting})); print("listens", flush=True); time.sleep(60)`;
  const given = {
    ...alone("port", `exec 3>&1; python3 -c '${listen}' & wait; exit 9`),
    group: { address: "127.0.0.1", port, rendezvousPort: meeting, size: 1 },
  };
  await launch(home, given, crewOf("disk-1"));
  const lines = async () => (await ask(home, "status", { runId: "port", rank: 0 })).lines;
  await expect.poll(lines, { timeout: 10_000 }).toEqual(["listens"]);
  expect(await launch(home, given, crewOf("disk-2"))).toMatchObject({ attempt: 2, state: "running" });
  await expect.poll(lines, { timeout: 10_000 }).toEqual(["listens"]);
});

test("a rank that was launched with other nodes is not let in, and cannot end the run", async () => {
  const [port, rendezvousPort] = await freePorts();
  const group = { address: "127.0.0.1", port, rendezvousPort, size: 2 };
  const listen = `import socket, time; s = socket.create_server(("127.0.0.1", ${rendezvousPort})); time.sleep(60)`;
  const master = { runId: "mixed", rank: 0, argv: ["python3", "-c", listen], directory: home, group };
  const second = { ...master, rank: 1, argv: ["sleep", "60"], directory: other };
  await launch(home, master, crewOf("disk-1"));
  await launch(other, second, crewOf("disk-1"));
  // The first node's rank is launched for the new crew; the second one's is still that of the old crew, and stops.
  expect(await launch(home, master, crewOf("disk-2"))).toMatchObject({ attempt: 2 });
  await ask(other, "stop", { runId: "mixed", rank: 1 });
  expect(await launch(other, second, crewOf("disk-2"))).toMatchObject({ attempt: 2, state: "running" });
  expect(await ask(home, "status", { runId: "mixed", rank: 0 })).toMatchObject({
    state: "running",
    attempt: 2,
  });
});

test("a follower goes on with the attempt that another crew has made", async () => {
  const { runId, rank, ...order } = alone("followed", "echo here");
  const follow = (crew: Crew) =>
    begin(home, "follow", { runId, rank, fromStart: true, launch: { ...order, crew, restart: true } }).ended;
  const attempts = [];
  for (const crew of [crewOf("disk-1"), crewOf("disk-2"), crewOf("disk-2")]) {
    const { code, stdout } = await follow(crew);
    expect(code).toBe(0);
    attempts.push(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "").attempt);
  }
  expect(attempts).toEqual([1, 2, 2]);
  const log = join(home, ".crosszone/runs", runId, "rank-0", "log.1");
  expect(await readFile(log, "utf8")).toBe("here\n");
});
