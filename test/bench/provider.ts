/** The provider alone, with Node's cache of compiled modules, as `npm run pulumi` starts it. */
import { Cloud } from "../integration/cloud.ts";
import { Plugin } from "../integration/plugin.ts";
import { type Order, residentMegabytes, type Samples, timed } from "./measuring.ts";

const runs = 7;

export async function measureProvider({ signal, say }: Order): Promise<Samples> {
  const seconds: number[] = [];
  const megabytes: number[] = [];
  const cloud = await Cloud.start();
  try {
    for (let run = 1; run <= runs; run += 1) {
      signal.throwIfAborted();
      say(`provider: run ${run} of ${runs}`);
      const [took, plugin] = await timed(() => Plugin.start());
      try {
        await plugin.handshake();
        await plugin.configure({ configFile: cloud.configFile });
        seconds.push(took);
        megabytes.push(residentMegabytes(plugin.pid));
      } finally {
        await plugin.stop("SIGINT");
      }
    }
  } finally {
    await cloud.remove();
  }
  return { "provider.start.seconds": seconds, "provider.idle.megabytes": megabytes };
}
