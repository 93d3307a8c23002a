import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agent, ask as askIn, begin as beginIn, lastLine, noteOf } from "./agent.ts";
import { Python } from "./python.ts";

let home: string;
const runs = new Set<string>();

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "agent-"));
});

afterAll(async () => {
  for (const runId of runs) {
    if (noteOf(home, { runId, rank: 0 })?.isSupervised) await ask("stop", { runId, rank: 0 });
  }
  await rm(home, { recursive: true, force: true });
});

const begin = (subcommand: string, given: unknown) => beginIn(home, subcommand, given);
const ask = (subcommand: string, given: unknown) => askIn(home, subcommand, given);

/** What starts rank 0 of a run as a shell script. */
function shell(runId: string, script: string, more: object = {}) {
  runs.add(runId);
  return { runId, rank: 0, argv: ["/bin/sh", "-c", script], directory: home, ...more };
}

const stateOf = async (runId: string) => (await ask("status", { runId, rank: 0 })).state;

describe("launch", () => {
  test("starts a rank that lives on its own, once", async () => {
    const given = shell("once", `echo started >> ${home}/once; read line; echo "input: $line"`);
    const first = await ask("launch", given);
    expect(first).toEqual({
      runId: "once",
      rank: 0,
      attempt: 1,
      state: expect.stringMatching(/running|succeeded/),
      pid: expect.any(Number),
    });
    await expect.poll(() => stateOf("once")).toBe("succeeded");
    expect(await ask("launch", { ...given, restart: true })).toEqual({ ...first, state: "succeeded" });
    expect(await readFile(join(home, "once"), "utf8")).toBe("started\n");
    expect((await ask("status", { runId: "once", rank: 0 })).lines).toEqual(["input: "]);
  });

  test("called five times at once starts one rank", async () => {
    const given = shell("parallel", `echo started >> ${home}/parallel; sleep 60`);
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask("launch", given)));
    expect(new Set(answers.map(({ pid }) => pid)).size).toBe(1);
    await expect.poll(() => readFile(join(home, "parallel"), "utf8").catch(() => "")).toBe("started\n");
  });

  test("passes the environment and keeps arguments away from a shell", async () => {
    runs.add("literal");
    const argv = ["/bin/sh", "-c", 'echo "$COLOUR" "$1"', "sh", "$(id); `id`"];
    await ask("launch", { runId: "literal", rank: 0, argv, directory: home, environment: { COLOUR: "蓝" } });
    await expect.poll(() => stateOf("literal")).toBe("succeeded");
    expect((await ask("status", { runId: "literal", rank: 0 })).lines).toEqual(["蓝 $(id); `id`"]);
  });

  test("tells gloo and nccl the interface that leads to the master, and finds ~/ in the user's home", async () => {
    const shown = 'echo "$GLOO_SOCKET_IFNAME $NCCL_SOCKET_IFNAME $1"';
    const given = shell("surroundings", shown, { environment: { MASTER_ADDR: "127.0.0.1" } });
    await ask("launch", { ...given, argv: [...given.argv, "sh", "~/data.npz"] });
    await expect.poll(() => stateOf("surroundings")).toBe("succeeded");
    expect((await ask("status", { runId: "surroundings", rank: 0 })).lines).toEqual([
      `lo lo ${home}/data.npz`,
    ]);
  });

  test("starts a failed run again only when asked to, and keeps the old log", async () => {
    const given = shell("again", "echo attempt; exit 7");
    await ask("launch", given);
    await expect.poll(() => stateOf("again")).toBe("failed");
    expect(await ask("launch", given)).toMatchObject({ attempt: 1, state: "failed" });
    expect(await ask("launch", { ...given, argv: ["true"], restart: true })).toMatchObject({ attempt: 2 });
    await expect.poll(() => stateOf("again")).toBe("succeeded");
    expect((await readdir(join(home, ".crosszone/runs/again/rank-0"))).sort()).toEqual([
      "lock",
      "log",
      "log.1",
      "state.json",
    ]);
  });

  test("ends a rank at its limit, and says so", async () => {
    await ask("launch", shell("limit", "sleep 60", { maxSeconds: 0.2 }));
    await expect.poll(() => stateOf("limit"), { timeout: 5_000 }).toBe("failed");
    expect(await ask("status", { runId: "limit", rank: 0 })).toMatchObject({
      exitCode: 143,
      reason: "it ran longer than its limit of 0.2 s",
    });
  });

  test("does not let a rank outlive its supervisor, and notices", async () => {
    const { pid } = await ask("launch", shell("orphan", "sleep 60"));
    const state = JSON.parse(await readFile(join(home, ".crosszone/runs/orphan/rank-0/state.json"), "utf8"));
    process.kill(state.supervisor.pid, "SIGKILL");
    await expect.poll(() => isRunning(Number(pid))).toBe(false);
    expect(await ask("status", { runId: "orphan", rank: 0 })).toMatchObject({
      state: "failed",
      exitCode: null,
      reason: "its supervisor is gone: it was killed, or the node was restarted",
    });
    expect(await ask("launch", shell("orphan", "true", { restart: true }))).toMatchObject({ attempt: 2 });
  });

  test.each([
    ["a program that is not there", { argv: ["/no/such/program"] }, "cannot start '/no/such/program' in "],
    [
      "a folder that is not there",
      { directory: "/no/such/folder" },
      "the directory /no/such/folder does not exist",
    ],
    ["a bad run id", { runId: "../escape" }, "runId is '../escape'; it must be letters"],
    [
      "an unknown argument",
      { colour: 1 },
      "unknown arguments ['colour']; allowed are ['argv', 'container', 'crew', 'directory'",
    ],
    ["a missing argument", { argv: undefined }, "the argument 'argv' is missing"],
    ["a wrong type", { rank: "0" }, "the argument 'rank' is a str; it must be a int"],
  ])("refuses %s", async (name, more, message) => {
    const { code, stdout, stderr } = await begin("launch", {
      ...shell(`bad-${name.length}`, "true"),
      ...more,
    }).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(
      `agent launch: ${message}`.replace("launch: cannot start", "launch: rank 0 cannot start"),
    );
    expect(stderr).not.toContain("Traceback");
  });
});

describe("one run at a time", () => {
  test("launching another run ends the rank of the one before", async () => {
    const { pid } = await ask("launch", shell("before", "sleep 60"));
    expect(await ask("launch", shell("after", "true"))).toMatchObject({ runId: "after", attempt: 1 });
    expect(await isRunning(Number(pid))).toBe(false);
    expect(await ask("status", { runId: "before", rank: 0 })).toMatchObject({
      state: "stopped",
      exitCode: 143,
    });
  });

  test("stop takes what launch took, with the instance that it is for", async () => {
    const given = { ...shell("same", "sleep 60"), instance: "i-1" };
    await ask("launch", given);
    expect(await ask("stop", given)).toMatchObject({ runId: "same", state: "stopped" });
  });

  test("a follower tells of a failure before it makes another attempt", async () => {
    const { runId, rank, ...launch } = shell("told", "exit 3", { restart: true });
    await ask("launch", { runId, rank, ...launch });
    await expect.poll(async () => (await ask("status", { runId, rank })).state).toBe("failed");
    const attempts = [];
    for (const code of [1, 1]) {
      const ended = await begin("follow", { runId, rank, launch }).ended;
      expect(ended.code).toBe(code);
      attempts.push(JSON.parse(ended.stdout.trimEnd().split("\n").at(-1) ?? "").attempt);
    }
    expect(attempts).toEqual([1, 2]);
  });
});

describe("stop", () => {
  test("ends a rank and all that it started, and is fine with a second time", async () => {
    const { pid } = await ask("launch", shell("stopped", "sleep 60 & sleep 60; true"));
    expect(await ask("stop", { runId: "stopped", rank: 0 })).toMatchObject({
      state: "stopped",
      exitCode: 143,
    });
    expect(await isRunning(Number(pid))).toBe(false);
    expect(await ask("stop", { runId: "stopped", rank: 0 })).toMatchObject({
      state: "stopped",
      exitCode: 143,
    });
    expect(await ask("stop", { runId: "never", rank: 0 })).toMatchObject({ state: "absent", attempt: 0 });
  });

  test("kills a rank that does not listen", async () => {
    await ask("launch", shell("deaf", `trap "" TERM; echo deaf; sleep 60 & wait; sleep 60`));
    await expect.poll(async () => (await ask("status", { runId: "deaf", rank: 0 })).lines).toEqual(["deaf"]);
    expect(await ask("stop", { runId: "deaf", rank: 0 })).toMatchObject({ state: "stopped", exitCode: 137 });
  }, 15_000);
});

describe("follow", () => {
  test("launches, shows each line live, and ends with the summary and the result", async () => {
    const gate = join(home, "gate");
    const given = shell(
      "live",
      `echo one; until [ -e ${gate} ]; do sleep 0.05; done; echo two; echo 'RESULT {"a": 1}'; printf end`,
    );
    const { runId, rank, ...launch } = given;
    const following = begin("follow", { runId, rank, launch });
    await expect.poll(() => following.stdout).toBe("rank 0 | one\n");
    await writeFile(gate, "");
    const { code, stdout, stderr } = await following.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    expect(lines.slice(0, -1)).toEqual(["rank 0 | one", "rank 0 | two", "rank 0 | end"]);
    expect(JSON.parse(lines.at(-1) ?? "")).toEqual({
      runId: "live",
      rank: 0,
      attempt: 1,
      state: "succeeded",
      exitCode: 0,
      reason: null,
      seconds: expect.any(Number),
      ranks: [0],
      results: [{ a: 1 }],
    });
    const again = await begin("follow", { runId, rank, fromStart: false }).ended;
    expect(again.stdout.split("\n")).toHaveLength(2);
  });

  test("of a failed rank exits 1 with the last 20 lines on stderr", async () => {
    const { runId, rank, ...launch } = shell("failing", "seq 30; exit 3");
    const ended = await begin("follow", { runId, rank, launch }).ended;
    expect(ended.code).toBe(1);
    const log = join(home, ".crosszone/runs/failing/rank-0/log");
    const last = Array.from({ length: 20 }, (_, index) => `${index + 11}\n`).join("");
    expect(ended.stderr).toBe(`${last}rank 0 failed with exit code 3; the whole log is ${log} on the node\n`);
    expect(lastLine(ended)).toMatchObject({ state: "failed", exitCode: 3, results: [] });
  });

  test("is bounded: long lines are cut, many are counted", async () => {
    const { runId, rank, ...launch } = shell("flood", "head -c 5000 /dev/zero | tr '\\0' x; echo; seq 10000");
    const ended = await begin("follow", { runId, rank, launch }).ended;
    const lines = ended.stdout.trimEnd().split("\n");
    expect(lines[0]).toBe(`rank 0 | ${"x".repeat(1000)}… (4000 more characters)`);
    expect(lines).toHaveLength(3002);
    expect(lines.at(-2)).toMatch(
      /^rank 0 \| 7001 more lines are left out here; they are in .*\/log on the node$/,
    );
  });

  test("ends when nobody reads it any more; the rank goes on", async () => {
    const { runId, rank, ...launch } = shell("left", "echo one; sleep 60");
    const following = begin("follow", { runId, rank, launch });
    await expect.poll(() => following.stdout).toBe("rank 0 | one\n");
    following.process.stdout.destroy();
    expect((await following.ended).code).toBe(1);
    expect(await stateOf("left")).toBe("running");
  });

  test("logs shows the log as it is, and of the last seconds only what was written in them", async () => {
    const given = shell("logged", "echo old; sleep 6; echo new; sleep 30");
    await ask("launch", given);
    const logs = async (more: object) =>
      (await begin("logs", { runId: "logged", rank: 0, ...more }).ended).stdout;
    await expect.poll(() => logs({}), { timeout: 20_000, interval: 500 }).toBe("old\nnew\n");
    expect(await logs({ since: 3 })).toBe("new\n");
    expect(await logs({ since: 100 })).toBe("old\nnew\n");
    const following = begin("logs", { runId: "logged", rank: 0, follow: true });
    await expect.poll(() => following.stdout).toBe("old\nnew\n");
    await ask("stop", { runId: "logged", rank: 0 });
    expect((await following.ended).code).toBe(0);
  });

  test("refuses a rank that was never launched", async () => {
    const { code, stderr } = await begin("follow", { runId: "nobody", rank: 3 }).ended;
    expect(code).toBe(1);
    expect(stderr).toBe(
      "agent follow: rank 3 of run nobody was never launched on this node; launch it first\n",
    );
  });
});

test("wrong calls are refused with what is allowed", async () => {
  const unknown = await begin("dance", {}).ended;
  expect(unknown).toMatchObject({
    code: 2,
    stderr:
      "agent: give one of fetch, launch, status, stop, follow, logs, metrics, and its arguments as JSON on stdin\n",
  });
  const text = await new Python(agent, ["status"], { stdin: "hello", env: { HOME: home } }).ended;
  expect(text.code).toBe(1);
  expect(text.stderr).toContain("stdin is not JSON");
});

/** Whether a process is there; one that nobody has waited for yet has ended all the same. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
}
