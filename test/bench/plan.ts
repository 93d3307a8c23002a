/** The plan alone, far beyond what an account gives: 200 zones with 200 nodes each. */
import { parseConfig } from "../../infra/config.ts";
import { makePlan } from "../../infra/plan/plan.ts";
import { type Order, type Samples, timed } from "./measuring.ts";

const count = 200;
const runs = 7;
const topologies = ["mesh", "star"] as const;

export async function measurePlan({ signal, say }: Order): Promise<Samples> {
  const seconds = { mesh: [], star: [] } as Record<(typeof topologies)[number], number[]>;
  for (let run = 1; run <= runs; run += 1) {
    signal.throwIfAborted();
    say(`plan: run ${run} of ${runs}`);
    for (const topology of topologies) {
      const [took] = await timed(async () => makePlan(parseConfig(settings(topology))));
      seconds[topology].push(took);
    }
  }
  return { "plan.mesh.seconds": seconds.mesh, "plan.star.seconds": seconds.star };
}

function settings(topology: string): object {
  return {
    zones: Array.from({ length: count }, (_, index) => ({
      name: `z${index}`,
      zoneId: `zone${index % 3}`,
      network: `192.168.${index}.0/24`,
      nodes: count,
      imageId: "img-1",
    })),
    operatorCidrs: ["203.0.113.1/32"],
    tunnel: { kind: "ipsec", topology },
    training: { mode: "none" },
  };
}
