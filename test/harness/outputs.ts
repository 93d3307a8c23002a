/** What a stack says: its outputs, what its followers saw, its secrets. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Place } from "./place.ts";
import { revealing } from "./secrets.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** The contract of design.md: outputs may be added, never renamed or lost. */
export const outputsSchema = z.object({
  operatorKey: z.string(),
  zones: z.array(
    z.object({
      name: z.string(),
      zoneId: z.string(),
      vpcId: z.string(),
      publicIp: z.ipv4(),
      bandwidthMbps: z.number(),
      network: z.cidrv4(),
      nodes: z.array(
        z.object({
          name: z.string(),
          instanceId: z.string(),
          privateIp: z.ipv4(),
          gpus: z.number(),
          ssh: z.string(),
        }),
      ),
    }),
  ),
  tunnels: z.array(
    z.object({
      kind: z.string(),
      zones: z.array(z.string()),
      over: z.enum(["internet", "intranet"]),
      encrypted: z.boolean(),
      up: z.boolean(),
      rttMs: z.number().positive(),
      goodputMbps: z.number().positive(),
      mtu: z.number(),
    }),
  ),
  training: z.object({
    state: z.string(),
    runId: z.string().regex(/^[0-9a-f]{12}$/),
    mode: z.string(),
    script: z.string(),
    scriptSha256: sha256.nullable(),
    worldSize: z.number(),
    masterAddr: z.string(),
    masterPort: z.number(),
    ranks: z.array(
      z.object({
        rank: z.number(),
        node: z.string(),
        exitCode: z.number(),
        epochs: z.number(),
        finalLoss: z.number(),
        accuracy: z.number(),
        parametersSha256: sha256,
        secondsPerStep: z.number().positive(),
        samplesSeen: z.number(),
      }),
    ),
    tuning: z.array(z.object({ setting: z.string(), value: z.string(), reason: z.string() })),
    report: z.string().nullable(),
  }),
});

export type Outputs = z.output<typeof outputsSchema>;

/** @throws Error where an output is missing or has another form */
export function outputsOf(place: Place): Outputs {
  return outputsSchema.parse(place.outputs());
}

/** The zones alone: ranks that still run, and those of a script that says nothing, have no results. */
export function zonesOf(place: Place): Outputs["zones"] {
  return outputsSchema.pick({ zones: true }).parse(place.outputs()).zones;
}

const followedSchema = z.looseObject({
  rank: z.number(),
  attempt: z.number(),
  results: z.array(
    z.looseObject({
      steps: z.number(),
      gradientBytesPerStep: z.number(),
      shardIndices: z.number(),
      shardSha256: sha256,
    }),
  ),
});

/** The summary that each rank's follower ended with, by rank. */
export function followedOf(place: Place): z.output<typeof followedSchema>[] {
  return place
    .checkpoint()
    .resources.filter(({ urn }) => /-follow(-\d+)?$/.test(urn))
    .map(({ outputs }) => String(outputs?.stdout).trimEnd().split("\n").at(-1) ?? "")
    .map((line) => followedSchema.parse(JSON.parse(line)))
    .sort((one, other) => one.rank - other.rank);
}

/** Every secret of a place by what it is, in the form in which it would be seen: of a key in PEM, a line of its body. */
export function secretsOf(place: Place): Record<string, string> {
  const { text, resources } = place.checkpoint();
  const passphrase = readFileSync(join(place.pulumiHome, "passphrase"), "utf8").trim();
  const reveal = revealing(text, passphrase);
  const plain = (value: unknown) => z.string().parse(reveal(value));
  const found: Record<string, string> = {
    passphrase,
    "secret access key":
      /^qy_secret_access_key: '(.+)'$/m.exec(
        readFileSync(join(place.cloudHome, "config.yaml"), "utf8"),
      )?.[1] ?? "",
  };
  for (const { type, urn, outputs } of resources) {
    const name = urn.split("::").at(-1) ?? urn;
    if (type === "qingcloud:state:PresharedKey") found[`pre-shared key ${name}`] = plain(outputs?.value);
    if (type === "qingcloud:state:SshKey") {
      // The last full line of the body: the first ones hold the public key too.
      const lines = plain(outputs?.privateKey).trim().split("\n");
      found[`private key ${name}`] = lines.at(-3) ?? "";
    }
  }
  return found;
}

/** The files below a folder that hold a text. */
export function filesHolding(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}

export { ranksStarted } from "./ranks.ts";
