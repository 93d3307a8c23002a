/** What a stack says: its outputs, what its followers saw, its secrets. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Place } from "./support.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** The contract of design.md: outputs may be added, never renamed or lost. */
const outputsSchema = z.object({
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

export async function outputsOf(place: Place): Promise<Outputs> {
  return outputsSchema.parse(JSON.parse(await place.pulumiOk("stack", "output", "--json")));
}

/** What does not change as long as the network is not touched. */
export async function networkOf(place: Place): Promise<Outputs["zones"]> {
  return (await outputsOf(place)).zones;
}

interface Resource {
  readonly urn: string;
  readonly id?: string;
  readonly type: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

export interface Exported {
  readonly text: string;
  readonly resources: readonly Resource[];
  readonly pending: readonly unknown[];
}

export async function exportOf(place: Place, ...flags: string[]): Promise<Exported> {
  const text = await place.pulumiOk("stack", "export", ...flags);
  const { deployment } = JSON.parse(text) as {
    deployment: { resources?: Resource[]; pending_operations?: unknown[] };
  };
  return { text, resources: deployment.resources ?? [], pending: deployment.pending_operations ?? [] };
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
export async function followedOf(place: Place): Promise<z.output<typeof followedSchema>[]> {
  const { resources } = await exportOf(place);
  return resources
    .filter(({ urn }) => /-follow(-\d+)?$/.test(urn))
    .map(({ outputs }) => String(outputs?.stdout).trimEnd().split("\n").at(-1) ?? "")
    .map((line) => followedSchema.parse(JSON.parse(line)))
    .sort((one, other) => one.rank - other.rank);
}

/** Every secret of a place by what it is, in the form in which it would be seen: of a key in PEM, a line of its body. */
export async function secretsOf(place: Place): Promise<Record<string, string>> {
  const { resources } = await exportOf(place, "--show-secrets");
  const found: Record<string, string> = {
    passphrase: readFileSync(join(place.pulumiHome, "passphrase"), "utf8").trim(),
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

/** `--show-secrets` gives a secret's value as JSON. */
function plain(value: unknown): string {
  const { plaintext } = z.object({ plaintext: z.string() }).parse(value);
  return z.string().parse(JSON.parse(plaintext));
}

/** The files below a folder that hold a text. */
export function filesHolding(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}

/** The folders of all ranks that were ever started on the nodes' disks. */
export function ranksStarted(place: Place): string[] {
  const nodes = join(place.cloudHome, "nodes");
  return readdirSync(nodes, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.crosszone\/runs\/[^/]+\/rank-\d+$/.test(path))
    .sort();
}
