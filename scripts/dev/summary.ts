/** What `npm start` shows in the end: the stack's outputs, for people. */
import { z } from "zod";

const outputs = z.object({
  zones: z.array(
    z.object({
      name: z.string(),
      zoneId: z.string(),
      publicIp: z.string(),
      bandwidthMbps: z.number(),
      nodes: z.array(z.object({ name: z.string(), privateIp: z.string() })),
    }),
  ),
  tunnels: z.array(
    z.object({
      kind: z.string(),
      zones: z.array(z.string()),
      over: z.enum(["internet", "intranet"]),
      encrypted: z.boolean(),
      up: z.boolean().nullable(),
      rttMs: z.number().nullable(),
      goodputMbps: z.number().nullable(),
      mtu: z.number(),
    }),
  ),
  training: z
    .object({
      state: z.string(),
      runId: z.string(),
      script: z.string(),
      worldSize: z.number(),
      ranks: z.array(
        z.object({
          rank: z.number(),
          node: z.string(),
          exitCode: z.number().nullish(),
          backend: z.string().optional(),
          epochs: z.number().optional(),
          finalLoss: z.number().optional(),
          accuracy: z.number().optional(),
          parametersSha256: z.string().optional(),
          secondsPerStep: z.number().optional(),
          samplesSeen: z.number().optional(),
        }),
      ),
    })
    .nullable(),
});

/** @param stackOutputs what `pulumi stack output --json` prints */
export function summarize(stackOutputs: unknown): string[] {
  const { zones, tunnels, training } = outputs.parse(stackOutputs);
  const lines = zones.map(
    (zone) =>
      `zone    ${zone.name} (${zone.zoneId})  ${zone.publicIp}  ${zone.bandwidthMbps} Mbit/s  ${zone.nodes
        .map((node) => `${node.name} ${node.privateIp}`)
        .join(", ")}`,
  );
  for (const tunnel of tunnels) {
    const speed =
      tunnel.goodputMbps === null
        ? "speed not measured beside a training"
        : `${tunnel.goodputMbps.toFixed(1)} Mbit/s`;
    const measured = tunnel.up === null ? "not checked" : `up, RTT ${tunnel.rttMs?.toFixed(1)} ms, ${speed}`;
    const encrypted = tunnel.encrypted ? "encrypted" : "not encrypted";
    lines.push(
      `tunnel  ${tunnel.zones.join(" - ")}  ${tunnel.kind} over the ${tunnel.over}, ${encrypted}, ${measured}, MTU ${tunnel.mtu}`,
    );
  }
  if (training === null) return lines;
  const backend = training.ranks[0]?.backend;
  lines.push(
    `run     ${training.runId}  ${training.script}  ${training.state}, world size ${training.worldSize}${backend === undefined ? "" : `, ${backend}`}`,
  );
  for (const rank of training.ranks) {
    const result =
      rank.accuracy === undefined
        ? ""
        : `  accuracy ${rank.accuracy.toFixed(4)}  loss ${rank.finalLoss?.toFixed(4)}  ${rank.epochs} epochs  ${rank.samplesSeen} samples  ${((rank.secondsPerStep ?? 0) * 1000).toFixed(0)} ms a step  parameters ${rank.parametersSha256?.slice(0, 12)}`;
    lines.push(`rank ${rank.rank}  ${rank.node}${result}`);
  }
  return lines;
}
