import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { clientCommands } from "../../local-cloud/client-commands.ts";
import * as commands from "../../local-cloud/commands.ts";
import { Home } from "../../local-cloud/home.ts";
import type { CloudStatus } from "../../local-cloud/status.ts";
import { readStopped } from "../../local-cloud/stopped.ts";
import { schemaVersion } from "../../local-cloud/store/migrations.ts";
import { startOf } from "../harness/process.ts";
import { firstId, TestClient } from "./support.ts";

vi.setConfig({ testTimeout: 60_000 });

const [command, ...main] = startOf("local-cloud/main.ts", "--disable-warning=ExperimentalWarning");
let home: string;
beforeEach(() => {
  home = join(mkdtempSync(join(tmpdir(), "local-cloud-")), "home");
});
afterEach(async () => {
  await stopHere();
  rmSync(join(home, ".."), { recursive: true });
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function argvOf(name: string, ...options: string[]): string[] {
  return [...main, name, ...options, "--home", home];
}

async function execute(program: string, argv: readonly string[]): Promise<Outcome> {
  try {
    return { code: 0, ...(await promisify(execFile)(program, argv)) };
  } catch (error) {
    return error as Outcome;
  }
}

const cloud = (name: string, ...options: string[]): Promise<Outcome> =>
  execute(command, argvOf(name, ...options));

const start = (...options: string[]) => cloud("start", "--data-plane", "none", "--port", "0", ...options);
const status = async (): Promise<CloudStatus> =>
  JSON.parse((await cloud("status", "--json")).stdout) as CloudStatus;

/** Runs a command in this process, where it only prepares the test. The server has a process of its own. */
async function here(work: () => Promise<void>): Promise<void> {
  const silent = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  try {
    await work();
  } finally {
    silent.mockRestore();
  }
}

const startHere = () => here(() => commands.start({ home, port: "0", dataPlane: "none", jobs: "instant" }));
const stopHere = () => here(() => commands.stop({ home }));
const statusHere = async (): Promise<CloudStatus> =>
  (await commands.runningStatus(home)) ?? (await readStopped(Home.use(home)));

async function gone(pid: number): Promise<void> {
  const deadline = Date.now() + 5000;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    if (Date.now() > deadline) throw new Error(`process ${pid} still lives`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("start, start again, status, reset, stop", async () => {
  const first = await start();
  expect(first.code).toBe(0);
  const { qy_secret_access_key: secret, port } = TestClient.ofHome(home).keys;
  expect(first.stdout).toContain(`http://127.0.0.1:${port}/iaas/`);
  expect(first.stdout).not.toContain(secret);
  for (const line of Object.values(clientCommands(join(home, "config.yaml")))) {
    expect(first.stdout).toContain(line);
  }
  const again = await start();
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining("is already running") });
  const client = TestClient.ofHome(home);
  await client.ok("AllocateEips", { bandwidth: "1", count: "2" });
  await client.done("CreateVolumes", { size: "10" });
  await client.ok("CreateTag", { tag_name: "tag" });
  const found = await status();
  expect(found).toMatchObject({
    running: true,
    config: join(home, "config.yaml"),
    endpoint: `http://127.0.0.1:${port}/iaas/`,
    dataPlane: "none",
    routers: [],
    nodes: [],
    zones: [
      { id: "gpu1a", jobs: 0, resources: { eip: 2, security_group: 0, vxnet: 0, volume: 1, tag: 1 } },
      { id: "gpu2a", jobs: 0, resources: { eip: 0 } },
    ],
  });
  expect((await cloud("status")).stdout).toContain("gpu1a  2 eips, 1 volume, 1 tag");
  expect((await cloud("reset")).code).toBe(0);
  for (const action of ["DescribeEips", "DescribeVolumes", "DescribeTags"]) {
    expect(await client.ok(action), action).toMatchObject({ total_count: 0 });
  }
  expect(await client.ok("DescribeSecurityGroups")).toMatchObject({ total_count: 1 });
  expect((await cloud("logs")).stdout).toContain("the API answers at");
  const stopped = await cloud("stop");
  expect(stopped.stdout).toBe("The local cloud has stopped.\n");
  await gone(found.pid ?? 0);
  expect(await status()).toMatchObject({ running: false, zones: [{ id: "gpu1a" }, { id: "gpu2a" }] });
  expect((await cloud("stop")).stdout).toBe("The local cloud was not running.\n");
});

test("the home is private, and its ports and keys are kept", async () => {
  await startHere();
  const before = TestClient.ofHome(home).keys;
  expect(statSync(home).mode & 0o777).toBe(0o700);
  for (const name of ["config.yaml", "calls.jsonl", "cloud.json", "settings.json", "log"]) {
    expect([name, statSync(join(home, name)).mode & 0o777]).toEqual([name, 0o600]);
  }
  await stopHere();
  await startHere();
  expect(TestClient.ofHome(home).keys).toEqual(before);
});

test("whether routers clamp the MSS is kept until another start says otherwise", async () => {
  const kept = async (...given: string[]) => {
    await (given.length > 0 ? start(...given) : startHere());
    await stopHere();
    return (JSON.parse(readFileSync(join(home, "settings.json"), "utf8")) as { mssClamp?: string }).mssClamp;
  };
  expect(await kept()).toBeUndefined();
  expect(await kept("--mss-clamp", "off")).toBe("off");
  expect(await kept()).toBe("off");
  expect(await kept("--mss-clamp", "on")).toBe("on");
});

test("what was answered survives kill -9, and a stale process record is recognised", async () => {
  await startHere();
  const client = TestClient.ofHome(home);
  for (let round = 0; round < 3; round += 1) {
    const eip = firstId(
      (await client.ok("AllocateEips", { bandwidth: "7", eip_name: `round-${round}` })).eips,
    );
    const { pid = 0 } = await statusHere();
    process.kill(pid, "SIGKILL");
    await gone(pid);
    expect(await statusHere()).toMatchObject({
      running: false,
      zones: [{ resources: { eip: round + 1 } }, {}],
    });
    await startHere();
    expect(await client.one("DescribeEips", "eip_set", { "eips.1": eip })).toMatchObject({
      bandwidth: 7,
      eip_name: `round-${round}`,
    });
  }
});

test("status: 3 where none runs; 2 for what the user can fix; help is 0", async () => {
  expect((await cloud("status")).code).toBe(3);
  await startHere();
  expect((await cloud("status")).code).toBe(0);
  expect(await cloud("fly")).toMatchObject({ code: 2, stderr: "error: unknown command 'fly'\n" });
  expect(await start("--colour")).toMatchObject({ code: 2, stderr: "error: unknown option '--colour'\n" });
  expect((await cloud("start", "--help")).code).toBe(0);
});

test("status shows the faults that are there, also of a stopped cloud", async () => {
  await startHere();
  const { stdout } = await cloud("fault", "add", "--kind", "exhaust", "--of", "gpu");
  expect((await cloud("status")).stdout).toMatch(`\n\nFAULTS\n${stdout}`);
  await stopHere();
  expect((await cloud("status")).stdout).toMatch(`\n\nFAULTS\n${stdout}`);
});

test("without root the API runs with data plane none, and data plane linux says what it needs", async () => {
  // Another user, with its own home: no rights but to its files.
  const user = ["--user", "--map-user=1000", "--map-group=1000", command];
  const asUser = async (name: string, ...options: string[]): Promise<Outcome> =>
    await execute("unshare", [...user, ...argvOf(name, ...options)]);
  const refused = await asUser("start");
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /^cloud: --data-plane linux cannot run here: the data plane needs root[\s\S]* let an administrator run as root:\n {2}env XDG_CACHE_HOME=\S+ \S+ \S+main\.ts start --home \S+\nor use --data-plane none for the API alone\n$/,
    ),
  });
  expect(await asUser("start", "--data-plane", "none", "--port", "0")).toMatchObject({ code: 0, stderr: "" });
  const { pid } = await status();
  expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^CapEff:\s+0+$/m);
  await TestClient.ofHome(home).done("CreateVolumes", { size: "10" });
  expect((await asUser("reset")).code).toBe(0);
  expect(await asUser("stop")).toMatchObject({ code: 0, stdout: "The local cloud has stopped.\n" });
});

test("a home of another user, one that can not be made and one that is a file say so", async () => {
  const program = `
    const { Home } = await import(${JSON.stringify(join(import.meta.dirname, "..", "..", "local-cloud", "home.ts"))});
    process.setgroups([]); process.setgid(65534); process.setuid(65534);
    for (const folder of JSON.parse(process.argv[1])) {
      try { new Home(folder).create(); } catch (error) { console.log(error.message); }
    }`;
  mkdirSync(home, { mode: 0o700 });
  chmodSync(join(home, ".."), 0o755);
  const folders = [home, join(home, "deeper"), "/proc/nowhere/home"];
  const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", program];
  const { stdout } = await execute(process.execPath, [...flags, JSON.stringify(folders)]);
  expect(stdout.trimEnd().split("\n")).toEqual([
    `${home} belongs to the user with the id 0 and is a folder that you may not use: run this as its user, or give another folder with --home`,
    `${home}/deeper is in a folder that you may not use: run this as its user, or give another folder with --home`,
    expect.stringMatching(
      /^\/proc\/nowhere\/home can not be made \(ENOENT.*: give a folder that you may write to with --home$/,
    ),
  ]);
  const file = join(home, "file");
  writeFileSync(file, "");
  expect(await execute(command, [...argvOf("stop"), "--home", file])).toMatchObject({
    code: 2,
    stderr: `cloud: ${file} is no folder: give another one with --home\n`,
  });
});

test("a start on a full disk says so, with exit code 2", async () => {
  mkdirSync(home, { mode: 0o700 });
  const onFullDisk = `mount -t tmpfs -o size=40k full "$1"; shift; exec "$@"`;
  const start = argvOf("start", "--data-plane", "none", "--port", "0");
  const view = ["--mount", "--propagation", "private", "sh", "-c", onFullDisk, "start", home];
  expect(await execute("unshare", [...view, command, ...start])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^cloud: .*the disk is full or fails \(.*\): make room and try again\n$/),
  });
});

test("a cloud whose home is deleted ends, and a start at the same place waits for that and takes its port", async () => {
  await startHere();
  const { pid: first = 0, endpoint } = await statusHere();
  rmSync(home, { recursive: true });
  process.kill(first, "SIGTERM");
  await gone(first);
  expect((await start("--port", new URL(endpoint ?? "").port)).code).toBe(0);
  const { pid: second = 0 } = await statusHere();
  rmSync(home, { recursive: true });
  const again = await start("--port", new URL(endpoint ?? "").port);
  expect([again.code, again.stderr]).toEqual([0, ""]);
  await gone(second);
  rmSync(home, { recursive: true });
  expect((await cloud("stop")).stdout).toBe("The local cloud was not running.\n");
});

test("of two starts at once the second waits for the first's cloud", async () => {
  const both = await Promise.all([start("--json"), start("--json")]);
  expect(both.map(({ code, stderr }) => [code, stderr])).toEqual([
    [0, ""],
    [0, ""],
  ]);
  expect(new Set(both.map(({ stdout }) => (JSON.parse(stdout) as CloudStatus).pid)).size).toBe(1);
});

test("several clouds run side by side, each with its home, port and keys", async () => {
  await startHere();
  const other = join(home, "..", "other");
  try {
    const second = await execute(command, [
      ...argvOf("start", "--data-plane", "none", "--port", "0"),
      ...["--home", other],
    ]);
    expect(second.code).toBe(0);
    const [one, two] = [TestClient.ofHome(home), TestClient.ofHome(other)];
    expect(one.keys.port).not.toBe(two.keys.port);
    expect(one.keys.qy_access_key_id).not.toBe(two.keys.qy_access_key_id);
    await one.ok("AllocateEips", { bandwidth: "1" });
    expect(await two.ok("DescribeEips")).toMatchObject({ total_count: 0 });
    expect(await new TestClient({ ...one.keys, port: two.keys.port }).call("DescribeEips")).toMatchObject({
      ret_code: 1200,
    });
  } finally {
    await execute(command, [...argvOf("stop"), "--home", other]);
  }
  expect((await cloud("status")).code).toBe(0);
});

test("reset of a stopped cloud leaves nothing", async () => {
  await startHere();
  await TestClient.ofHome(home).ok("AllocateEips", { bandwidth: "1" });
  await stopHere();
  expect((await cloud("reset")).code).toBe(0);
  expect(await statusHere()).toMatchObject({ running: false, zones: [{ resources: { eip: 0 } }, {}] });
});

test("a port in use, a wrong setting and a foreign state file say what to do, with exit code 2", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  expect(await cloud("start", "--data-plane", "none", "--port", String(port))).toMatchObject({
    code: 2,
    stderr: `cloud: port ${port} on 127.0.0.1 is in use by another program: stop that program or give another port with --port\n`,
  });
  other.close();
  expect(existsSync(join(home, "settings.json"))).toBe(false);
  expect(await start("--jobs", "sometimes")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^cloud: --jobs sometimes: must be instant, realistic or a JSON file/),
  });
  expect(await start("--rate-limit", "many")).toMatchObject({
    code: 2,
    stderr: "cloud: --rate-limit many: must be CALLS (in an hour) or CALLS/SECONDS, e.g. 2000 or 20/1\n",
  });
  expect(await cloud("start", "--port", "99999")).toMatchObject({
    code: 2,
    stderr: "cloud: --port 99999: must be a number from 0 to 65535\n",
  });
  const state = join(home, "state.db");
  rmSync(state, { force: true });
  writeFileSync(state, "not a database, and long enough to be looked at");
  expect(await start()).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`${state} can not be read`),
  });
  rmSync(state);
  await startHere();
  await stopHere();
  const database = new DatabaseSync(state);
  database.exec("PRAGMA user_version = 99");
  database.close();
  expect(await start()).toMatchObject({
    code: 2,
    stderr: `cloud: ${state} has schema version 99, this program reads versions 1 to ${schemaVersion}: use the program that wrote it, or move the file away to start empty\n`,
  });
});

test("SIGTERM and SIGINT end a cloud in the foreground cleanly, at any moment", async () => {
  for (const [signal, delay] of [
    ["SIGTERM", 1000],
    ["SIGINT", 120],
  ] as const) {
    const argv = argvOf("start", "--foreground", "--data-plane", "none", "--port", "0");
    const child: ChildProcess = spawn(command, argv, {
      stdio: "ignore",
    });
    const ended = once(child, "exit");
    await new Promise((resolve) => setTimeout(resolve, delay));
    child.kill(signal);
    const [code, by] = await ended;
    expect(code === 0 || by === signal).toBe(true);
    expect(await statusHere()).toMatchObject({ running: false });
  }
});

test("it idles within 100 MB", async () => {
  await startHere();
  await stopHere();
  await startHere();
  const { pid } = await statusHere();
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  expect(Number(rss) / 1024).toBeLessThan(100);
});
