/**
 * The stack `dev` without training and tunnel check: two zones, one node each, IPSec, two port forwards.
 * Commands are measured as `npm run pulumi` runs them, behind npm: from the start of scripts/dev/pulumi.ts to its exit.
 */
import { readDurations } from "../../local-cloud/services/jobs/jobs.ts";
import type { Call } from "../harness/calls.ts";
import { Stack, up } from "../harness/stack.ts";
import { criticalPath } from "./critical-path.ts";
import { measureGrowth, shapes } from "./growth.ts";
import type { Order, Samples } from "./measuring.ts";
import type { MetricName } from "./metrics.ts";
import { secondsOf } from "./stack-command.ts";

/** Of `up`, `preview` and `destroy`, one after the other. */
const runs = 5;
/** A run takes more than a minute, of which the commands' own time is a small part. */
const realisticRuns = 1;

const preview = ["preview", "--expect-no-changes", "--non-interactive", "--color", "never"];
const destroy = ["destroy", "--yes", "--skip-preview", "--non-interactive", "--color", "never"];
const ratio: MetricName = "deploy.up.criticalPathRatio";

export async function measureDeploy(order: Order): Promise<Samples> {
  const isWanted = (name: MetricName) => order.wanted.has(name);
  const grown = shapes.filter((shape) =>
    [...order.wanted].some((name) => name.startsWith(`deploy.${shape}16.`)),
  );
  const instant = [...order.wanted].some(
    (name) => /^deploy\.(up|preview|destroy)\./.test(name) && name !== ratio,
  );
  return {
    ...(instant ? await measureInstant(order) : {}),
    ...(await measureGrowth(order, grown)),
    ...(isWanted(ratio) ? await measureRealistic(order) : {}),
  };
}

async function measureInstant({ signal, say }: Order): Promise<Samples> {
  const samples = { up: [], preview: [], destroy: [], perZone: [], withoutZone: [] } as Record<
    "up" | "preview" | "destroy" | "perZone" | "withoutZone",
    number[]
  >;
  const stack = await Stack.start();
  try {
    for (let run = 1; run <= runs; run += 1) {
      say(`deploy: run ${run} of ${runs}`);
      const before = stack.cloud.calls().length;
      samples.up.push(await secondsOf(stack, signal, up));
      const { perZone, withoutZone } = countCalls(stack.cloud.calls().slice(before));
      samples.perZone.push(perZone);
      samples.withoutZone.push(withoutZone);
      samples.preview.push(await secondsOf(stack, signal, preview));
      samples.destroy.push(await secondsOf(stack, signal, destroy));
    }
  } finally {
    await stack.remove();
  }
  return {
    "deploy.up.seconds": samples.up,
    "deploy.up.callsPerZone": samples.perZone,
    "deploy.up.callsWithoutZone": samples.withoutZone,
    "deploy.preview.seconds": samples.preview,
    "deploy.destroy.seconds": samples.destroy,
  };
}

async function measureRealistic({ signal, say }: Order): Promise<Samples> {
  const durations = readDurations("realistic");
  const ratios: number[] = [];
  for (let run = 1; run <= realisticRuns; run += 1) {
    say(`deploy, realistic jobs: run ${run} of ${realisticRuns}`);
    const stack = await Stack.start("realistic");
    try {
      const took = await secondsOf(stack, signal, up);
      ratios.push(took / criticalPath(await stack.resources(), durations).seconds);
    } finally {
      await stack.remove();
    }
  }
  return { [ratio]: ratios };
}

/** Zones by the calls' own word; calls without one, e.g. DescribeZones, are no zone's. */
export function countCalls(calls: readonly Pick<Call, "zone">[]): { perZone: number; withoutZone: number } {
  const withZone = calls.filter(({ zone }) => zone !== "");
  const zones = new Set(withZone.map(({ zone }) => zone));
  return {
    perZone: zones.size === 0 ? 0 : withZone.length / zones.size,
    withoutZone: calls.length - withZone.length,
  };
}
