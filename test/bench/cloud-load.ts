/** A thousand instances in a cloud without data plane: how soon they are there, and how soon they are described. */
import { Cloud } from "../harness/cloud.ts";
import { publicKey, type TestClient } from "../local-cloud/support.ts";
import { sendAll } from "./connections.ts";
import { type Order, residentMegabytes, type Samples, timed } from "./measuring.ts";

const instances = 1000;
const connections = 8;
/** Of each page size; each run asks for this many seconds. */
const describeRuns = 5;
const describeSeconds = 2;

export async function measureCloudLoad({ signal, say }: Order): Promise<Samples> {
  const singles: number[] = [];
  const hundreds: number[] = [];
  const small: number[] = [];
  const large: number[] = [];
  const megabytes: number[] = [];
  for (const [count, samples] of [
    [1, singles],
    [100, hundreds],
  ] as const) {
    signal.throwIfAborted();
    const cloud = await Cloud.start("instant", "--quota", `instance=${instances}`);
    try {
      const { client } = cloud;
      const { keypair_id } = await client.ok("CreateKeyPair", { mode: "user", public_key: publicKey });
      say(`cloud: ${instances} instances, ${count} in a call`);
      const [took] = await timed(() => run(client, count, String(keypair_id)));
      samples.push(took);
      if (count > 1) continue;
      megabytes.push(residentMegabytes(cloud.pid));
      for (let round = 1; round <= describeRuns; round += 1) {
        signal.throwIfAborted();
        say(`cloud: DescribeInstances, run ${round} of ${describeRuns}`);
        small.push(await describe(client, 20));
        large.push(await describe(client, 100));
      }
    } finally {
      await cloud.remove();
    }
  }
  return {
    "cloud.run.1.seconds": singles,
    "cloud.run.100.seconds": hundreds,
    "cloud.thousand.megabytes": megabytes,
    "cloud.describe.20.perSecond": small,
    "cloud.describe.100.perSecond": large,
  };
}

/** Until all are running. */
async function run(client: TestClient, count: number, keypair: string): Promise<void> {
  const parameters = {
    zone: "gpu1a",
    image_id: "img-deeplearning",
    cpu: "1",
    memory: "1024",
    login_mode: "keypair",
    login_keypair: keypair,
    count: String(count),
  };
  const calls = instances / count;
  const path = (number: number) =>
    number < calls ? client.path(client.signed("RunInstances", parameters)) : undefined;
  await sendAll(client.keys.port, connections, path, (body) => {
    const { ret_code } = JSON.parse(body.toString()) as { ret_code: number };
    if (ret_code !== 0) throw new Error(`RunInstances: ${body.toString()}`);
  });
  const deadline = Date.now() + 120_000;
  for (;;) {
    const running = await client.ok("DescribeInstances", { limit: "1", "status.1": "running" });
    if (running.total_count === instances) return;
    if (Date.now() > deadline) throw new Error(`${running.total_count} of ${instances} instances run`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Answers a second. */
async function describe(client: TestClient, limit: number): Promise<number> {
  let answers = 0;
  const end = performance.now() + describeSeconds * 1000;
  // Every request has a signature of its own, over its own page.
  const path = (number: number) => {
    if (performance.now() >= end) return undefined;
    const offset = String((number * limit) % instances);
    return client.path(client.signed("DescribeInstances", { zone: "gpu1a", limit: String(limit), offset }));
  };
  const [took] = await timed(() =>
    sendAll(client.keys.port, connections, path, (body) => {
      if (!body.includes('"ret_code":0')) throw new Error(`DescribeInstances: ${body.toString()}`);
      answers += 1;
    }),
  );
  return answers / took;
}
