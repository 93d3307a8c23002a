/**
 * How a deployment grows with its zones: `up` of many VPCs against the API alone, all over the zone's intranet, as a mesh
 * and as a star. Jobs are instant, and nothing is checked: what is measured is the CLI, the program and the provider.
 */
import { readCheckpoint } from "../harness/checkpoint.ts";
import { Stack, up } from "../harness/stack.ts";
import type { Order, Samples } from "./measuring.ts";
import { secondsOf } from "./stack-command.ts";

export const shapes = ["mesh", "star"] as const;
export type Shape = (typeof shapes)[number];
const zones = 16;

export async function measureGrowth(order: Order, wanted: readonly Shape[]): Promise<Samples> {
  const samples: Samples = {};
  for (const shape of wanted) {
    order.say(`deploy: ${shape} of ${zones} zones`);
    const { seconds, resources } = await measureShape(order.signal, shape, zones);
    samples[`deploy.${shape}16.seconds`] = [seconds];
    samples[`deploy.${shape}16.resources`] = [resources];
  }
  return samples;
}

/** @param count of zones, at most 250 */
export async function measureShape(
  signal: AbortSignal,
  shape: Shape,
  count: number,
): Promise<{ seconds: number; resources: number; calls: number }> {
  const stack = await Stack.start();
  try {
    stack.configure({ zones: zonesOf(count), "tunnel.topology": shape });
    // As in the other benchmarks the stack exists, and is empty.
    await stack.ok("stack", "ls");
    const before = stack.cloud.calls().length;
    const seconds = await secondsOf(stack, signal, up);
    const calls = stack.cloud.calls().length - before;
    return { seconds, resources: readCheckpoint(stack.workspace).resources.length, calls };
  } finally {
    await stack.remove();
  }
}

function zonesOf(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    name: `vpc${index + 1}`,
    zoneId: "gpu1a",
    network: `192.168.${index + 1}.0/24`,
    imageId: "img-deeplearning",
    bandwidthMbps: 2,
  }));
}
