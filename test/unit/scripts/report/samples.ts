/** A run as its nodes and the cloud tell it, with round numbers. */
import type { LaunchData, RankData, RunData } from "../../../../scripts/dev/report/data.ts";
import { readMetrics } from "../../../../scripts/dev/report/metrics.ts";
import type { TunnelFacts, ZoneFacts } from "../../../../scripts/dev/report/state.ts";
import type { Traffic } from "../../../../scripts/dev/report/traffic.ts";

/** 2026-01-02 03:04:00 UTC. */
export const startTime = Date.UTC(2026, 0, 2, 3, 4) / 1000;

export interface Shape {
  readonly zones: readonly string[];
  readonly nodesPerZone: number;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** Of a step. */
  readonly seconds: number;
}

export const twoZones: Shape = {
  zones: ["beijing", "shanghai"],
  nodesPerZone: 1,
  epochs: 3,
  stepsPerEpoch: 4,
  seconds: 0.1,
};

/** What a rank writes: the loss of step n is 2 / n plus a hundredth of its rank. */
export function metricsLines(rank: number, worldSize: number, { epochs, stepsPerEpoch, seconds }: Shape) {
  const communicationSeconds = worldSize === 1 ? 0 : 0.4 * seconds;
  const steps = Array.from({ length: epochs * stepsPerEpoch }, (_, index) => index + 1);
  const common = { parameters: 38_282, gradientBytes: 153_128 };
  return [
    {
      event: "start",
      time: startTime,
      rank,
      worldSize,
      backend: worldSize === 1 ? "none" : "gloo",
      device: "cpu",
      torch: "1.13.1",
      interface: "eth0",
      samples: 719,
      epochs,
      ...common,
    },
    ...steps.flatMap((step) => {
      const epoch = Math.ceil(step / stepsPerEpoch);
      const time = startTime + 1 + step * seconds;
      const line = {
        event: "step",
        time,
        epoch,
        step,
        loss: 2 / step + rank / 100,
        seconds,
        computeSeconds: seconds - communicationSeconds,
        communicationSeconds,
        gradientBytes: common.gradientBytes,
        sentBytes: 178_000,
        receivedBytes: 180_000,
      };
      if (step % stepsPerEpoch !== 0) return [line];
      const accuracy = 1 - 1 / (epoch + 1);
      return [
        line,
        {
          event: "epoch",
          time: time + rank / 1000,
          epoch,
          step,
          loss: 2 / epoch,
          accuracy,
          seconds: stepsPerEpoch * seconds,
        },
      ];
    }),
    {
      event: "result",
      rank,
      worldSize,
      epochs,
      steps: steps.length,
      finalLoss: 2 / epochs,
      accuracy: 1 - 1 / (epochs + 1),
      secondsPerStep: seconds,
      parametersSha256: "ab".repeat(32),
      samplesSeen: 719 * epochs,
    },
  ];
}

/** @param linesOf what a rank has written */
export function sampleRun(
  shape: Shape = twoZones,
  linesOf: (...of: Parameters<typeof metricsLines>) => readonly unknown[] = metricsLines,
): RunData {
  const zones = shape.zones.map(
    (name, zone): ZoneFacts => ({
      name,
      zoneId: `gpu${zone + 1}a`,
      routerId: `rtr-0000000${zone}`,
      publicIp: `203.0.113.${10 + zone}`,
      nodes: Array.from({ length: shape.nodesPerZone }, (_, node) => ({
        name: `${name}-${node + 1}`,
        instanceId: `i-0000000${node}`,
        privateIp: `192.168.${zone + 1}.${node + 2}`,
        shape: "g2ntp100.4xlarge.r4",
        gpus: 0,
      })),
    }),
  );
  const names = zones.flatMap(({ nodes }) => nodes.map(({ name }) => name));
  const launches = names.map(
    (node, rank): LaunchData => ({
      ranks: [rank],
      node,
      argv: ["python", "train.py", "--rank", String(rank)],
      launchedAt: startTime - 1,
      summary: {
        state: "succeeded",
        attempt: 1,
        exitCode: 0,
        reason: null,
        seconds: 4,
        lines: [],
        results: [],
      },
      gpus: [],
      problem: undefined,
    }),
  );
  const ranks = names.map(
    (node, rank): RankData => ({
      rank,
      node,
      metrics: readMetrics(linesOf(rank, names.length, shape)),
    }),
  );
  const pairs = zones.flatMap((one, index) =>
    zones.slice(index + 1).map(
      (other): TunnelFacts => ({
        zones: [one.name, other.name],
        kind: "ipsec",
        over: "internet",
        rttMs: 1.1,
        goodputMbps: 18.3,
        mtu: 1400,
      }),
    ),
  );
  const traffic = zones.map(
    (zone, index): Traffic => ({
      zone: zone.name,
      eipId: `eip-0000000${index}`,
      address: zone.publicIp ?? "",
      rateMbps: 20,
      intervals: [{ from: startTime - 240, seconds: 300, received: 2e6, sent: 1e6 }],
      receivedBytes: 75_000_000,
      sentBytes: 37_500_000,
    }),
  );
  return {
    stack: "dev",
    runId: "0123456789ab",
    madeAt: startTime + 20,
    launches,
    ranks,
    network: { zones, tunnels: pairs },
    files: [{ name: "train.py", sha256: "cd".repeat(32) }],
    traffic,
    trafficStep: "5m",
    link: "a step should take 110 ms, and took 100 ms",
    settings: {
      yaml: "config:\n  crosszone:training:\n    mode: cross-zone",
      version: "crosszone 0.2.0, commit 0123456789ab",
    },
    problems: [],
  };
}
