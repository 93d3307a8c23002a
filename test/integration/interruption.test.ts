import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { pendingCreates } from "../../scripts/dev/repair-state.ts";
import { backend, readState, stateFile } from "../../scripts/dev/state-file.ts";
import { descendantsOf, Stack, up } from "../harness/stack.ts";
import { idsInZones } from "../harness/whole-cloud.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
beforeAll(async () => {
  stack = await Stack.here();
});
afterAll(async () => await stack?.remove());

const count = (action: string) =>
  stack.cloud.calls().filter((call) => call.action === action && call.ret_code === 0).length;

const zones = ["gpu1a", "gpu2a"];

/**
 * Starts an up and waits until the provider has the ids of what an action makes in both zones and waits for its jobs,
 * which do not end until `letGo`.
 */
async function upUntilWaiting(action: string) {
  await stack.cloud.hold(action);
  const before = stack.cloud.calls().length;
  const running = stack.start(...up);
  // The provider has an id when it asks for the job that makes it.
  const isWaitedFor = (zone: string) => {
    const calls = stack.cloud.calls().slice(before);
    const actions = calls.flatMap((call) => (call.zone === zone ? call.action : []));
    return actions.includes(action) && actions.lastIndexOf("DescribeJobs") > actions.indexOf(action);
  };
  await vi.waitFor(() => expect(zones.map(isWaitedFor)).toEqual([true, true]), {
    timeout: 120_000,
    interval: 50,
  });
  return running;
}

/** In each zone exactly one of each kind, and the state has the same ids. */
async function expectOneOfEach(): Promise<void> {
  for (const zone of zones) {
    for (const [type, action, set, id] of [
      ["Vpc", "DescribeRouters", "router_set", "router_id"],
      ["Eip", "DescribeEips", "eip_set", "eip_id"],
      ["Instance", "DescribeInstances", "instance_set", "instance_id"],
      ["KeyPair", "DescribeKeyPairs", "keypair_set", "keypair_id"],
    ] as const) {
      const found = (await stack.cloud.client.ok(action, { zone }))[set] as Record<string, string>[];
      const stored = stack.resources(`:${type}`).filter(({ inputs }) => inputs?.zone === zone);
      expect([zone, type, found.map((each) => each[id]).sort()]).toEqual([
        zone,
        type,
        stored.map((each) => each.id).sort(),
      ]);
      expect(found).toHaveLength(1);
    }
  }
}

test("Ctrl-C in the middle of an up ends it and keeps what is half-made", async () => {
  const running = await upUntilWaiting("CreateRouters");
  const second = await stack.start(...up).ended;
  expect([second.code, second.stdout]).toEqual([1, ""]);
  expect(second.stderr).toMatch(
    /^another command is changing the stack dev: process \d+ since \S+ Wait until it has ended, or press Ctrl-C where it runs \(or: kill -INT \d+\), and run this again\n$/,
  );
  running.child.kill("SIGINT");
  // The routers' jobs do not end before it does: it waits for none of them.
  const { code, text } = await running.ended;
  expect(code).not.toBe(0);
  expect(text).toContain("cancelled; the next run finishes what was begun");
  expect(text).not.toMatch(/Unhandled exception|^\s+at /m);

  const made = await Promise.all(
    zones.map(async (zone) => {
      const { router_set } = await stack.cloud.client.ok("DescribeRouters", { zone });
      return (router_set as { router_id: string; status: string }[]).map(({ router_id }) => router_id);
    }),
  );
  const halfMade = stack.resources(":Vpc");
  expect(halfMade.map(({ id }) => id).sort()).toEqual(made.flat().sort());
  for (const { initErrors } of halfMade) expect(initErrors).toHaveLength(1);
});

/** A process's command line; empty where it has ended. */
function textOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

const haveEnded = (all: readonly number[]) =>
  vi.waitFor(() => expect(all.filter((pid) => existsSync(`/proc/${pid}/exe`))).toEqual([]), {
    timeout: 20_000,
  });

test("a CLI that is killed takes the language host, the program and the provider with it", async () => {
  const running = stack.start(...up);
  const all = () => descendantsOf(running.child.pid ?? 0);
  // The program is connecting then, which it would go on with for ever.
  await vi.waitFor(() => expect(all().map(textOf).join("\n")).toMatch(/\/provider\//), {
    timeout: 60_000,
    interval: 20,
  });
  const before = all();
  const [cli, ...others] = before.filter((pid) => /^\S+\/pulumi up/.test(textOf(pid)));
  expect([cli, others, before.length >= 5]).toEqual([expect.any(Number), [], true]);
  process.kill(cli ?? 0, "SIGKILL");
  await haveEnded(before);
});

test("the next up finishes it; killed in the middle of a create it leaves a lock that the next command clears", async () => {
  await stack.cloud.letGo();
  const running = await upUntilWaiting("RunInstances");
  const all = descendantsOf(running.child.pid ?? 0);
  expect(all.length).toBeGreaterThanOrEqual(4);
  await stack.kill(running);
  await haveEnded(all);
  expect([count("CreateRouters"), count("RunInstances")]).toEqual([2, 2]);
  const routers = stack.resources(":Vpc");
  expect(routers.map(({ initErrors }) => initErrors ?? [])).toEqual([[], []]);
  // Any command clears the lock first.
  expect((await stack.start("stack", "export").ended).text).toMatch(
    /^cleared the state lock of process \d+, which ended at work/m,
  );
  expect(stack.resources(":Instance")).toEqual([]);
  expect(pendingCreates(stack.workspace).filter((urn) => urn.includes(":Instance::"))).toHaveLength(2);
});

test("after a kill -9 in the middle of a create the next up adopts by name, and nothing is there twice", async () => {
  await stack.cloud.letGo();
  const { code, text } = await stack.start(...up).ended;
  expect([code, code === 0 ? "" : text]).toEqual([0, ""]);
  expect(readState(stack.workspace)?.pending_operations ?? []).toEqual([]);
  for (const action of [
    "AllocateEips",
    "CreateRouters",
    "RunInstances",
    "CreateKeyPair",
    "CreateSecurityGroup",
    "CreateVxnets",
  ]) {
    expect([action, count(action)]).toEqual([action, 2]);
  }
  await expectOneOfEach();
  for (const { initErrors } of stack.resources()) expect(initErrors ?? []).toEqual([]);
  await stack.noChanges();
});

/** Every id that the cloud holds. */
const inCloud = async () => await idsInZones(stack.cloud.client, zones);

test("what a full disk leaves of the lock and of the state does not keep destroy from finding everything", async () => {
  const file = stateFile(stack.workspace);
  truncateSync(file, 12_288);
  const locks = join(backend(stack.workspace), "locks", "organization", "crosszone", "dev");
  for (const name of ["1234.json", "1234.json.18acf0b2c1d3e4f5.tmp"]) writeFileSync(join(locks, name), "");
  const { code, text } = await stack.start("destroy", "--yes", "--skip-preview").ended;
  expect([code, code === 0 ? "" : text]).toEqual([0, ""]);
  expect(text).toMatch(/^cleared a state lock that was not written to its end$/m);
  expect(text).toMatch(/^the newest whole state was taken: \S+ of \S+, with \d\d resources\. /m);
  expect(stack.resources()).toEqual([]);
  expect(await stack.cloud.resources()).toEqual({ gpu1a: {}, gpu2a: {} });
});

/** An up whose provider, CLI and all are killed when nodes are being made: the state knows everything but these. */
async function killedAtNodes(): Promise<void> {
  await stack.kill(await upUntilWaiting("RunInstances"));
  await stack.cloud.letGo();
}

test("after a state that was deleted up does not make everything a second time: sweep lists and removes it", async () => {
  const ofAccount = await inCloud();
  await killedAtNodes();
  const before = await inCloud();
  rmSync(stack.workspace.pulumi, { recursive: true });
  stack.configure({ "training.mode": "none", "tunnel.check": "off" });
  const refused = await stack.start(...up).ended;
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    /^The account already has \d+ resources of a stack "dev" of this project in gpu1a and gpu2a \(mark [0-9a-f]{8}\), and the state here knows none of them\. Has \S+\.pulumi been deleted, or has a colleague a stack of this name\?$/m,
  );
  const listed = await stack.command("sweep").ended;
  expect(await inCloud()).toEqual(before);
  const rows = listed.stdout.split("\n").filter((line) => / gpu\da$/.test(line));
  const named = before.filter((id) => !id.startsWith("sgr-") && !ofAccount.includes(id));
  expect(rows.map((line) => line.split(/ +/)[1]).sort()).toEqual(named.sort());
  const unsaid = await stack.command("sweep", "--yes").ended;
  const [, mark = ""] = /npm run sweep -- --yes --mark ([0-9a-f]{8})$/m.exec(unsaid.stderr) ?? [];
  expect([unsaid.code, mark.length, await inCloud()]).toEqual([1, 8, before]);
  const removed = await stack.command("sweep", "--yes", "--mark", mark).ended;
  expect([removed.code, removed.stdout.trimEnd().split("\n").at(-1)]).toEqual([0, `${named.length} removed`]);
  expect(await stack.cloud.resources()).toEqual({ gpu1a: {}, gpu2a: {} });
});

test("an up that was killed leaves nothing behind a destroy, which needs no valid configuration", async () => {
  await killedAtNodes();
  expect(pendingCreates(stack.workspace).filter((urn) => urn.includes(":Instance::"))).toHaveLength(2);
  stack.configure({ zones: "none", "tunnel.kind": "carrier pigeon" });
  const { code, text } = await stack.start("destroy", "--yes", "--skip-preview").ended;
  expect([code, code === 0 ? "" : text]).toEqual([0, ""]);
  expect(text).toMatch(
    /Instance i-\S+ \(\S+\) of zone gpu1a bears this stack's mark and is in no state: it is removed\./,
  );
  expect(readState(stack.workspace)).toEqual({
    manifest: expect.anything(),
    secrets_providers: expect.anything(),
    metadata: expect.anything(),
  });
  expect(await stack.cloud.resources()).toEqual({ gpu1a: {}, gpu2a: {} });
  const swept = await stack.command("sweep").ended;
  expect([swept.code, swept.stdout]).toEqual([
    0,
    "Nothing bears the mark of the stack and is in no state.\n",
  ]);
});
