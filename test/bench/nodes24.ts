/**
 * Four VPCs with six nodes each on the local cloud: a mesh of tunnels, a star on the same nodes, training on eight of them.
 * Every pair of zones and every node must be checked, else it fails.
 */
import { deepStrictEqual } from "node:assert";
import { allChecked, checksOf } from "../e2e/shapes/checks.ts";
import { outputsOf } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";
import { type Order, type Samples, timed } from "./measuring.ts";

const names = ["beijing", "tianjin", "shanghai", "suzhou"];
const nodesPerZone = 6;

export async function measureNodes24({ signal, say }: Order): Promise<Samples> {
  const place = new Place();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  aborted.catch(() => {});
  /** How long an `up` takes that must succeed. */
  const up = async (what: string): Promise<number> => {
    signal.throwIfAborted();
    say(`nodes24: ${what}`);
    const [took, { code, text }] = await timed(() => Promise.race([place.up(), aborted]));
    if (code !== 0) throw new Error(`nodes24: up of ${what} ended with ${code}:\n${text}`);
    deepStrictEqual(checksOf(place), allChecked(names, nodesPerZone));
    return took;
  };
  try {
    await place.cloudOk("start");
    const zones = names.map((name, index) => ({
      name,
      zoneId: index < 2 ? "gpu1a" : "gpu2a",
      network: `192.168.${index + 1}.0/24`,
      imageId: "img-deeplearning",
      bandwidthMbps: 20,
      nodes: nodesPerZone,
    }));
    place.configure({ zones, "training.mode": "none" });
    const mesh = await up("a mesh of six tunnels");
    place.configure({ "tunnel.topology": "star" });
    const star = await up("a star of three");
    place.configure({ "training.mode": "cross-zone", "training.worldSize": 8, "training.epochs": 2 });
    const train = await up("training on eight");
    deepStrictEqual(
      outputsOf(place).training.ranks.map(({ node, exitCode }) => [node, exitCode]),
      names.flatMap((name) => [
        [`${name}-1`, 0],
        [`${name}-2`, 0],
      ]),
    );
    return {
      "nodes24.mesh.seconds": [mesh],
      "nodes24.star.seconds": [star],
      "nodes24.train.seconds": [train],
    };
  } finally {
    await place.remove();
  }
}
