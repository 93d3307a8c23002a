/** FUZZ_SEED replays a run: the same requests in the same order. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Home } from "../../local-cloud/home.ts";
import { Store } from "../../local-cloud/store/store.ts";
import { actionsByName } from "../../qingcloud/actions.ts";
import { retCodes } from "../../qingcloud/errors.ts";
import { canonicalQuery, encode } from "../../qingcloud/signature.ts";
import { connections, tooMuch } from "./fuzz-bytes.ts";
import { type Plan, plans } from "./fuzz-requests.ts";
import { secretMarker } from "./fuzz-values.ts";
import { FuzzedWorld } from "./fuzzed-world.ts";
import { brokenInvariants } from "./invariants.ts";
import { exchange, Pipeline, type RawAnswer } from "./raw-http.ts";
import { TestClient } from "./support.ts";

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const replay = `FUZZ_SEED=${seed}`;
const home = mkdtempSync(join(tmpdir(), "local-cloud-fuzz-"));
let server: ChildProcess;
let said = "";
let client: TestClient;

/** A cloud in a process of its own, as `cloud start` makes it. */
async function startServer(): Promise<void> {
  said = "";
  const main = join(import.meta.dirname, "..", "..", "local-cloud", "main.ts");
  const args = [main, "start", "--foreground", "--home", home, "--port", "0", "--data-plane", "none"];
  server = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  server.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const deadline = Date.now() + 30_000;
  while (!said.includes("the API answers at")) {
    if (Date.now() > deadline || server.exitCode !== null)
      throw new Error(`the cloud has not started: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  client = TestClient.ofHome(home);
}

async function stopServer(): Promise<void> {
  const ended = once(server, "exit");
  server.kill("SIGTERM");
  expect((await ended)[0], said).toBe(0);
}

beforeAll(async () => {
  process.stdout.write(`fuzz: ${replay}\n`);
  await startServer();
}, 60_000);

afterAll(() => {
  server?.kill("SIGKILL");
  rmSync(home, { recursive: true });
});

const documented = new Set<unknown>(Object.values(retCodes).filter((code) => code !== retCodes.internal));

/** What is wrong with an answer that is JSON with a documented ret_code, or a clear HTTP error of the client. */
function fault(answer: RawAnswer): string | undefined {
  if (answer.status >= 400 && answer.status < 500) return undefined;
  if (answer.status !== 200) return `HTTP status ${answer.status}`;
  if (answer.type !== "application/json") return `content type ${answer.type}`;
  const body = JSON.parse(answer.body) as { ret_code?: unknown; message?: unknown; error?: unknown };
  if (typeof body.error === "string") return undefined;
  if (!documented.has(body.ret_code)) return `ret_code ${String(body.ret_code)}`;
  if (body.ret_code !== 0 && (typeof body.message !== "string" || body.message === "")) return "no message";
  return undefined;
}

function toHttp(plan: Plan, parameters: Readonly<Record<string, string>>): string {
  const { signature = "", ...rest } = client.signed(
    plan.action,
    { zone: plan.zone, ...parameters },
    { method: plan.method },
  );
  const form = `${canonicalQuery(rest)}&signature=${encode(signature)}`;
  if (plan.method === "GET") return `GET /iaas/?${form} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const type = "application/x-www-form-urlencoded";
  return `POST /iaas/ HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${form.length}\r\n\r\n${form}`;
}

function expectSound(plan: Plan, parameters: Readonly<Record<string, string>>, answer: RawAnswer): void {
  const context = `${replay}: ${plan.method} ${plan.action} in ${plan.zone} ${JSON.stringify(parameters)} -> ${answer.status} ${answer.body}\n${said.slice(-2000)}`;
  expect(fault(answer), context).toBeUndefined();
  if (answer.status !== 200) return;
  const body = JSON.parse(answer.body) as { ret_code: number; message?: string };
  if (body.ret_code === 0) {
    const parsed = actionsByName.get(plan.action)?.response.safeParse(body);
    expect(parsed?.error?.issues, context).toBeUndefined();
  } else expect(body.message, context).not.toContain(secretMarker);
}

test("14,000 requests made from the actions' descriptions are each answered as documented", async () => {
  const world = new FuzzedWorld();
  const counts = new Map<number, number>();
  const done = new Set<string>();
  const batch = 20;
  const all = fc.sample(plans, { seed, numRuns: 14_000 });
  let pipeline = new Pipeline(client.keys.port);
  for (let start = 0; start < all.length; start += batch) {
    const some = all
      .slice(start, start + batch)
      .map((plan) => ({ plan, parameters: world.parametersOf(plan) }));
    let left = some;
    while (left.length > 0) {
      const answers = await pipeline.send(left.map(({ plan, parameters }) => toHttp(plan, parameters)));
      for (const [index, answer] of answers.entries()) {
        const { plan, parameters } = left[index] as (typeof some)[number];
        expectSound(plan, parameters, answer);
        const code =
          answer.status === 200 ? (JSON.parse(answer.body) as { ret_code: number }).ret_code : answer.status;
        counts.set(code, (counts.get(code) ?? 0) + 1);
        if (code === 0) {
          world.learn(plan, parameters, answer.body);
          done.add(plan.action);
        }
        if (code === retCodes.notFound) world.forget(plan.zone, answer.body);
      }
      expect(
        answers.length,
        `${replay}: ${JSON.stringify(left[0])} is not answered, ${said}`,
      ).toBeGreaterThan(0);
      if (answers.length < left.length) pipeline = new Pipeline(client.keys.port);
      left = left.slice(answers.length);
    }
  }
  pipeline.close();
  process.stdout.write(`fuzz: answers by ret_code ${JSON.stringify(Object.fromEntries(counts))}\n`);
  const never = [...actionsByName.keys()].filter((name) => !done.has(name));
  process.stdout.write(`fuzz: never with success: ${never.join(", ") || "none"}\n`);
  expect(never.length, replay).toBeLessThan(actionsByName.size / 10);
  for (const code of [0, 1100, 1101, 1400, 2100, 2110, 5400]) {
    expect(counts.get(code), `${replay}: ret_code ${code}`).toBeGreaterThan(0);
  }
}, 300_000);

test("6,500 connections with bytes that are no sound request are answered or closed", async () => {
  const all = [...fc.sample(connections, { seed, numRuns: 6500 }), tooMuch];
  let next = 0;
  const statuses = new Map<number, number>();
  const work = async (): Promise<void> => {
    for (let item = all[next++]; item !== undefined; item = all[next++]) {
      const sent = JSON.stringify(Buffer.from(item.bytes).toString("latin1").slice(0, 600));
      const answers = await exchange(client.keys.port, item.bytes).catch((error: Error) => {
        throw new Error(`${replay}: ${sent}: ${error.message}`);
      });
      const context = `${replay}: ${sent} -> ${JSON.stringify(answers).slice(0, 600)}\n${said.slice(-2000)}`;
      if (!item.maySilence) expect(answers.length, context).toBeGreaterThan(0);
      for (const answer of answers) {
        expect(fault(answer), context).toBeUndefined();
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  process.stdout.write(`fuzz: answers by HTTP status ${JSON.stringify(Object.fromEntries(statuses))}\n`);
}, 300_000);

test("afterwards the cloud answers, its state is sound and starts again, and no log has a secret", async () => {
  const jobsLeft = async (zone: string): Promise<unknown> =>
    (await client.ok("DescribeJobs", { zone, "status.1": "pending", "status.2": "working" })).total_count;
  for (const zone of ["gpu1a", "gpu2a"]) {
    await expect.poll(() => jobsLeft(zone), { timeout: 20_000 }).toBe(0);
  }
  const before = (await client.ok("DescribeInstances", { limit: "100" })).total_count;
  await stopServer();
  const store = new Store(new Home(home).state);
  expect(brokenInvariants(store), replay).toEqual([]);
  store.close();
  expect(said).not.toMatch(/uncaught|unhandled|Error:/);
  expect(said + readFileSync(new Home(home).calls, "utf8")).not.toContain(secretMarker);
  await startServer();
  expect((await client.ok("DescribeInstances", { limit: "100" })).total_count).toBe(before);
  await stopServer();
}, 60_000);
