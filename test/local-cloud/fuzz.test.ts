/** FUZZ_SEED replays a run: the same requests in the same order. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Home } from "../../local-cloud/home.ts";
import { Store } from "../../local-cloud/store/store.ts";
import { actionsByName } from "../../qingcloud/actions.ts";
import { retCodes } from "../../qingcloud/errors.ts";
import { canonicalQuery, encode } from "../../qingcloud/signature.ts";
import { Cloud } from "../harness/cloud.ts";
import { connections, tooMuch } from "./fuzz-bytes.ts";
import { type Plan, plans } from "./fuzz-requests.ts";
import { secretMarker } from "./fuzz-values.ts";
import { FuzzedWorld } from "./fuzzed-world.ts";
import { brokenInvariants } from "./invariants.ts";
import { exchange, Pipeline, type RawAnswer } from "./raw-http.ts";
import type { TestClient } from "./support.ts";

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const replay = `FUZZ_SEED=${seed}`;
let cloud: Cloud;
let client: TestClient;

beforeAll(async () => {
  process.stdout.write(`fuzz: ${replay}\n`);
  cloud = await Cloud.start();
  ({ client } = cloud);
}, 60_000);

afterAll(() => cloud?.remove());

const logged = (): string => readFileSync(new Home(cloud.home).log, "utf8");

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

/** What is wrong with the answer to a request of a plan. */
function faultOfPlan(plan: Plan, answer: RawAnswer): string | undefined {
  const found = fault(answer);
  if (found !== undefined || answer.status !== 200) return found;
  const body = JSON.parse(answer.body) as { ret_code: number; message?: string };
  if (body.ret_code !== 0) return body.message?.includes(secretMarker) ? "a secret is told" : undefined;
  const issues = actionsByName.get(plan.action)?.response.safeParse(body).error?.issues;
  return issues === undefined ? undefined : `not as described: ${JSON.stringify(issues)}`;
}

/** Everything that is needed to see and to replay a failure. */
const failure = (what: string, sent: unknown, got: unknown): Error =>
  new Error(
    `${what}; replay with ${replay}\nsent: ${JSON.stringify(sent).slice(0, 4000)}\ngot: ${JSON.stringify(got).slice(0, 2000)}\nlog: ${logged().slice(-2000)}`,
  );

test("10,000 requests made from the actions' descriptions are each answered as documented", async () => {
  const world = new FuzzedWorld();
  const counts = new Map<number, number>();
  const done = new Set<string>();
  const batch = 20;
  const all = fc.sample(plans, { seed, numRuns: 10_000 });
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
        const found = faultOfPlan(plan, answer);
        if (found !== undefined) throw failure(found, { ...plan, parameters }, answer);
        const code =
          answer.status === 200 ? (JSON.parse(answer.body) as { ret_code: number }).ret_code : answer.status;
        counts.set(code, (counts.get(code) ?? 0) + 1);
        if (code === 0) {
          world.learn(plan, parameters, answer.body);
          done.add(plan.action);
        }
        if (code === retCodes.notFound) world.forget(plan.zone, answer.body);
      }
      if (answers.length === 0) throw failure("no answer", left[0], answers);
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

test("4,500 connections with bytes that are no sound request are answered or closed", async () => {
  const all = [...fc.sample(connections, { seed, numRuns: 4500 }), tooMuch];
  let next = 0;
  const statuses = new Map<number, number>();
  const work = async (): Promise<void> => {
    for (let item = all[next++]; item !== undefined; item = all[next++]) {
      const sent = Buffer.from(item.bytes).toString("latin1");
      const answers = await exchange(client.keys.port, item.bytes).catch((error: Error) => {
        throw failure(error.message, sent, []);
      });
      if (answers.length === 0 && !item.maySilence) throw failure("no answer", sent, answers);
      for (const answer of answers) {
        const found = fault(answer);
        if (found !== undefined) throw failure(found, sent, answers);
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
  await cloud.stop();
  const store = new Store(new Home(cloud.home).state);
  expect(brokenInvariants(store), replay).toEqual([]);
  store.close();
  expect(logged()).not.toMatch(/uncaught|unhandled|Error:/);
  expect(logged() + readFileSync(new Home(cloud.home).calls, "utf8")).not.toContain(secretMarker);
  await cloud.startAgain("instant");
  expect((await cloud.client.ok("DescribeInstances", { limit: "100" })).total_count).toBe(before);
}, 60_000);
