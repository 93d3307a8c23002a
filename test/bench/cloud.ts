/** The local cloud alone. */
import { Cloud } from "../harness/cloud.ts";
import { measureCloudLoad } from "./cloud-load.ts";
import { measureCloudNodes } from "./cloud-nodes.ts";
import { type Order, residentMegabytes, type Samples, timed } from "./measuring.ts";

const runs = 7;

export async function measureCloud(order: Order): Promise<Samples> {
  const isWanted = (...parts: readonly string[]) =>
    [...order.wanted].some((name) => parts.some((part) => name.startsWith(`cloud.${part}.`)));
  return {
    ...(isWanted("start", "idle") ? await measureEmpty(order) : {}),
    ...(isWanted("nodes") ? await measureCloudNodes(order) : {}),
    ...(isWanted("run", "thousand", "describe") ? await measureCloudLoad(order) : {}),
  };
}

async function measureEmpty({ signal, say }: Order): Promise<Samples> {
  const seconds: number[] = [];
  const megabytes: number[] = [];
  for (let run = 1; run <= runs; run += 1) {
    signal.throwIfAborted();
    say(`cloud: run ${run} of ${runs}`);
    const [took, cloud] = await timed(() => Cloud.start());
    try {
      seconds.push(took);
      megabytes.push(residentMegabytes(cloud.pid));
    } finally {
      await cloud.remove();
    }
  }
  return { "cloud.start.seconds": seconds, "cloud.idle.megabytes": megabytes };
}
