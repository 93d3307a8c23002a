/** Monitoring in a whole cloud with its data plane: what GetMonitor answers of real traffic and a busy node. */
import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstId, makeKeyPair, makeNetwork, startTestCloud, type TestCloud } from "../local-cloud/support.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { output, temporaryFolder } from "./support.ts";

const home = temporaryFolder();
let cloud: TestCloud;
let network: { readonly router: string; readonly vxnet: string; readonly eip: string };

beforeAll(async () => {
  requireDataPlane();
  cloud = await startTestCloud({ home, dataPlane: "linux" });
  network = await makeNetwork(cloud.client);
});
afterAll(async () => {
  await cloud?.stop();
  rmSync(home, { recursive: true, force: true });
});

/** Milliseconds between looks at what is sampled every ten seconds. */
const interval = 250;

type Pair = readonly [number, number];
/** An item of compressed data: with its time, without, or no value. */
type Item<Value> = readonly [number, Value] | Value | "NA";

/** What a meter has had since an hour ago. */
async function dataOf<Value>(resource: string, meter: string): Promise<readonly Item<Value>[]> {
  const iso = (milliseconds: number) => new Date(milliseconds).toISOString();
  const { meter_set } = await cloud.client.ok("GetMonitor", {
    resource,
    "meters.1": meter,
    step: "5m",
    start_time: iso(Date.now() - 3_600_000),
    end_time: iso(Date.now() + 60_000),
  });
  const [found] = meter_set as { readonly data: readonly Item<Value>[] }[];
  return found?.data ?? [];
}

/** Bytes in and out of an EIP, in all intervals together. */
async function flowOf(eip: string): Promise<Pair> {
  const pairs = (await dataOf<Pair>(eip, "flow"))
    .filter((item) => item !== "NA")
    .map((item) => (Array.isArray(item[1]) ? item[1] : item) as Pair);
  return pairs.reduce<Pair>(([into, out], [moreInto, moreOut]) => [into + moreInto, out + moreOut], [0, 0]);
}

/** Per mille of the last interval; 0 before the first. */
async function lastCpuOf(instance: string): Promise<number> {
  const last = (await dataOf<number>(instance, "cpu")).at(-1) ?? 0;
  if (last === "NA") return 0;
  return typeof last === "number" ? last : last[1];
}

test("packets to and from an EIP are in its flow after at most two samples, and still after a restart", async () => {
  const { eip_addr } = await cloud.client.one("DescribeEips", "eip_set", { "eips.1": network.eip });
  const [namespace] = (await cloud.status()).routers.map((router) => router.namespace);
  const internet = `${namespace?.split("-")[0]}-internet`;
  const ping = ["netns", "exec", internet, "ping", "-c10", "-i0.05", "-s1000", "-W2", String(eip_addr)];
  expect(await output("ip", ...ping)).toContain("10 received");
  // 1,000 bytes of data with the headers of ICMP, IP and Ethernet, both ways; ARP besides.
  const frames = 10 * (1000 + 8 + 20 + 14);
  await expect
    .poll(async () => (await flowOf(network.eip))[0], {
      interval,
      timeout: 45_000,
      message: "the pings' bytes",
    })
    .toBeGreaterThanOrEqual(frames);
  const [received, sent] = await flowOf(network.eip);
  expect(sent).toBeGreaterThanOrEqual(frames);
  expect(Math.max(received, sent)).toBeLessThan(frames + 1000);
  await cloud.stop();
  cloud = await startTestCloud({ home, dataPlane: "linux" });
  const [again] = await flowOf(network.eip);
  expect(again).toBeGreaterThanOrEqual(received);
});

test("a busy node shows it in its cpu, one that rests does not", async () => {
  const { client } = cloud;
  const keypair = await makeKeyPair(client);
  const run = async (script: string): Promise<string> => {
    const reply = await client.done("RunInstances", {
      image_id: "img-bare",
      cpu: "1",
      memory: "1024",
      "vxnets.1": network.vxnet,
      login_mode: "keypair",
      login_keypair: keypair,
      need_userdata: "1",
      userdata_type: "exec",
      userdata_value: Buffer.from(`#!/bin/sh\n${script}\n`).toString("base64"),
    });
    return firstId(reply.instances);
  };
  // A third of the time is much for a node; all of it would be much for this machine.
  const third = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 0.4";
  const busy = await run(`timeout 60 sh -c 'while :; do ${third}; done'`);
  const resting = await run("true");
  await expect
    .poll(() => lastCpuOf(busy), { interval, timeout: 45_000, message: "a busy node's cpu" })
    .toBeGreaterThan(100);
  expect(await lastCpuOf(resting)).toBeLessThan((await lastCpuOf(busy)) / 2);
}, 90_000);
