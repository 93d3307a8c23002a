/** The provider alone, with Node's cache of compiled modules, as `npm run pulumi` starts it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cloud } from "../harness/cloud.ts";
import { Plugin, urnOf } from "../integration/plugin.ts";
import { HalfMade } from "../integration/plugin-answers.ts";
import { type Order, residentMegabytes, type Samples, timed } from "./measuring.ts";

const runs = 7;
/** Far longer than a run takes: the router is still being made when the create is cancelled. */
const routerSeconds = 600;

export async function measureProvider({ signal, say }: Order): Promise<Samples> {
  const seconds: number[] = [];
  const megabytes: number[] = [];
  const cancelled: number[] = [];
  const cloud = await Cloud.start();
  try {
    const jobs = join(cloud.directory, "jobs.json");
    writeFileSync(jobs, JSON.stringify({ CreateRouters: routerSeconds }));
    await cloud.restart(jobs);
    for (let run = 1; run <= runs; run += 1) {
      signal.throwIfAborted();
      say(`provider: run ${run} of ${runs}`);
      const [took, plugin] = await timed(() => Plugin.start());
      try {
        await plugin.handshake();
        await plugin.configure({ configFile: cloud.configFile });
        seconds.push(took);
        megabytes.push(residentMegabytes(plugin.pid));
        cancelled.push(await timeCancel(plugin, cloud, run));
      } finally {
        await plugin.stop("SIGINT");
      }
    }
  } finally {
    await cloud.remove();
  }
  return {
    "provider.start.seconds": seconds,
    "provider.idle.megabytes": megabytes,
    "provider.cancel.seconds": cancelled,
  };
}

async function timeCancel(plugin: Plugin, cloud: Cloud, run: number): Promise<number> {
  const before = cloud.calls().length;
  const inputs = { zone: "gpu1a", mark: "0badcafe", vpcNetwork: "192.168.0.0/16" };
  const ended = plugin
    .create(urnOf("cloud:Vpc", `cancelled-${run}`), inputs)
    .catch((error: unknown) => error);
  // The provider has the router's id when it asks for the job that makes it.
  const deadline = Date.now() + 30_000;
  for (;;) {
    const since = cloud.calls().slice(before);
    if (since.some(({ action }) => action === "DescribeJobs")) break;
    if (Date.now() > deadline) throw new Error("The create has not come to its job in 30 s.");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const [took, answer] = await timed(async () => {
    await plugin.cancel();
    return await ended;
  });
  if (!(answer instanceof HalfMade))
    throw new Error(`the cancelled create was answered by ${String(answer)}`);
  return took;
}
