/** The bandwidth that `zones[].bandwidthMbps: auto` stands for. Pure. */
import type { TrainingSettings } from "../training/schema.ts";
import { payloadOf } from "../training/sync.ts";
import { bytesPerStep, hidingOf, kneeOf, mostMbps, secondsPerStep, type Work } from "./bandwidth.ts";
import { nodesOf, planTraining } from "./training.ts";
import { planTunnels } from "./tunnels.ts";

type Tunnels = Parameters<typeof planTunnels>[0];
export interface Wanted extends Omit<Tunnels, "zones"> {
  readonly zones: readonly (Tunnels["zones"][number] & Parameters<typeof nodesOf>[0])[];
  readonly training: TrainingSettings;
  readonly limits: { readonly bandwidthMbps?: number | undefined };
}

export type AutoBandwidth =
  | { readonly mbps: number; readonly reason: string }
  /** Why there is none, and what to do. */
  | { readonly problem: string };

/** @param wanted fits its zones, see `fitProblems` */
export function autoBandwidth(wanted: Wanted): AutoBandwidth {
  const { training, limits } = wanted;
  const { expected, sync, syncOptions } = training;
  if (training.mode !== "cross-zone") {
    return {
      problem: `auto is for mode cross-zone (training.mode is ${training.mode}): give a number, 1 to ${mostMbps}`,
    };
  }
  if (expected === undefined) {
    return {
      problem: `auto needs training.expected {parameters, computeSecondsPerStep}: train once with a number, 1 to ${mostMbps}; then \`npm run train -- plan\` tells both`,
    };
  }
  const { payloadBytesPerStep } = expected;
  const payload =
    payloadOf(sync, syncOptions, expected.parameters) ??
    (payloadBytesPerStep && { bytes: payloadBytesPerStep, averagings: 1 });
  if (!payload) {
    return {
      problem: `auto needs training.expected.payloadBytesPerStep with sync ${sync}, which depends on the model's layers: train once with a number, 1 to ${mostMbps}; then \`npm run train -- plan\` tells it`,
    };
  }
  const work = workOf(wanted, expected, payload);
  if (bytesPerStep(work).size === 0) {
    return {
      problem: `auto is for zones whose ranks meet over the internet; these do not: give a number, 1 to ${mostMbps}`,
    };
  }
  const { mbps, isReached } = kneeOf(work, limits.bandwidthMbps);
  const takes = `a step takes ${Math.round(secondsPerStep(work, () => mbps) * 1000)} ms, ${Math.round(expected.computeSecondsPerStep * 1000)} of them to compute`;
  const reason = isReached
    ? `auto: the knee; ${takes}, and twice the bandwidth would save less than a fifth`
    : `auto: the most that there may be (limits.bandwidthMbps); ${takes}, and twice the bandwidth would save a fifth or more`;
  return { mbps, reason };
}

function workOf(
  wanted: Wanted,
  { computeSecondsPerStep, parameters }: NonNullable<TrainingSettings["expected"]>,
  { bytes, averagings }: NonNullable<ReturnType<typeof payloadOf>>,
): Work {
  const { sync, syncOptions } = wanted.training;
  const { launches } = planTraining(wanted.training, wanted.zones);
  const zoneOf = new Map(wanted.zones.flatMap(nodesOf).map(({ name, zone }) => [name, zone]));
  return {
    zones: launches.flatMap(({ node, ranks }) => ranks.map(() => zoneOf.get(node) ?? node)),
    links: planTunnels(wanted).map((tunnel) => ({ ...tunnel, rttMs: null })),
    computeSeconds: computeSecondsPerStep,
    payloadBytes: bytes,
    averagings,
    ...hidingOf({
      averagings,
      gradientBytes: 4 * parameters,
      bucketBytes: sync === "powersgd" ? null : undefined,
      overlapSteps: syncOptions.overlapSteps,
    }),
  };
}
