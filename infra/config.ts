/** The stack's configuration (namespace `crosszone`): one schema for types, validation and the `config:` block. */
import { z } from "zod";
import { overlaps, parseNetwork } from "../qingcloud/networks.ts";
import { existing, hasVpc } from "./existing/schema.ts";
import { limitProblems } from "./limits.ts";
import { mostMbps } from "./plan/bandwidth.ts";
import { countTunnels, mostGreTunnels } from "./plan/tunnels.ts";
import { fitProblems } from "./training/fit.ts";
import { trainingSchema } from "./training/schema.ts";
import { decimal } from "./training/values.ts";

const network24 = z.cidrv4().refine((text) => parseNetwork(text)?.prefix === 24, {
  error: "must be a /24 with host bits 0, e.g. 192.168.1.0/24",
});

const shape = z.union(
  [
    z.strictObject({ instanceType: z.string().min(1) }),
    z.strictObject({
      cpu: z.number().int().min(1),
      memoryGiB: z.number().int().min(1),
      gpus: z.number().int().min(0).default(0),
      gpuClass: z.number().int().min(0).optional(),
    }),
  ],
  { error: "must be {instanceType} or {cpu, memoryGiB, gpus?, gpuClass?}, all numbers whole" },
);

const bandwidth = { error: `must be a whole number of Mbit/s, 1 to ${mostMbps}, or auto` };

const zoneName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,15}$/, { error: "must be 1 to 16 of a-z, 0-9 and -, a letter first" });

const zone = z.strictObject({
  name: zoneName,
  /** Under which the stack has made it. */
  formerly: zoneName.optional(),
  zoneId: z.string().min(1),
  network: network24,
  nodes: z
    .number()
    .int()
    .min(1)
    .max(253, {
      error: "must be 253 or less: a /24 has no more addresses beside its router's; take another zone",
    })
    .default(1),
  shape: shape.default({ instanceType: "g2ntp100.4xlarge.r4" }),
  imageId: z.string().min(1, {
    error:
      "must be the id of an image of the zone; the console lists them, and so does `qingcloud iaas describe-images -z ZONE`. It needs python3 and PyTorch: where none has, scripts/node/prepare-gpu.sh makes a stock Ubuntu so",
  }),
  bandwidthMbps: z
    .union(
      [z.number().int(bandwidth).min(1, bandwidth).max(mostMbps, bandwidth), z.literal("auto")],
      bandwidth,
    )
    .default(100),
  existing: existing.optional(),
});

const hostKey = z.string().regex(/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/=]+$/, {
  error: "must be a public key in OpenSSH's form, e.g. `ssh-ed25519 AAAA…`",
});

export const configSchema = z
  .strictObject({
    zones: z.array(zone).min(1),
    vpcNetwork: z
      .string()
      .regex(/^(192\.168|172\.(1[6-9]|2\d|3[01]))\.0\.0\/16$/, {
        error: "must be 192.168.0.0/16 or one of 172.16.0.0/16 to 172.31.0.0/16",
      })
      .default("192.168.0.0/16"),
    tunnel: z
      .strictObject({
        kind: z.enum(["ipsec", "gre", "none"]).default("ipsec"),
        allowUnencrypted: z.boolean().default(false),
        topology: z.enum(["mesh", "star"]).default("mesh"),
        intranet: z.enum(["auto", "off"]).default("auto"),
        check: z.enum(["quick", "full", "off"]).default("quick"),
        /** Largest packet, bytes; absent: what the kind leaves of 1,500. */
        mtu: z.number().int().min(576).max(1500).optional(),
      })
      .prefault({}),
    operatorCidrs: z
      .array(z.cidrv4().refine((cidr) => cidr !== "0.0.0.0/0", { error: "must not be the whole world" }))
      .min(1, { error: "must name who may log in by SSH, e.g. 198.51.100.7/32" }),
    ssh: z
      .strictObject({
        user: z.string().default("ubuntu"),
        proxy: z
          .strictObject({
            host: z.string().min(1),
            port: z.number().int().min(1).max(65535),
            user: z.string().min(1),
            hostKey,
          })
          .optional(),
      })
      .prefault({}),
    training: trainingSchema.prefault({}),
    /** What no configuration of this stack may go beyond. */
    limits: z
      .strictObject({
        /** Of a zone. */
        bandwidthMbps: z.number().int().min(1).max(mostMbps).optional(),
        /** CNY, of all that the API tells a price of. */
        costPerHour: decimal.pipe(z.number().positive()).optional(),
        /** Of all nodes. */
        gpus: z.number().int().min(0).optional(),
      })
      .prefault({}),
  })
  .superRefine((config, context) => {
    const problem = (path: (string | number)[], message: string, input: unknown) =>
      context.addIssue({ code: "custom", path, message, input });
    const { zones, vpcNetwork, training: run, tunnel } = config;
    zones.forEach((each, index) => {
      if (!hasVpc(each.existing) && !overlaps(each.network, vpcNetwork)) {
        problem(["zones", index, "network"], `must lie inside vpcNetwork ${vpcNetwork}`, each.network);
      }
      zones.slice(0, index).forEach((other) => {
        if (overlaps(each.network, other.network)) {
          problem(
            ["zones", index, "network"],
            `overlaps zone "${other.name}" (${other.network}): every zone needs a /24 of its own`,
            each.network,
          );
        }
        if (each.name === other.name) problem(["zones", index, "name"], "is used twice", each.name);
      });
      const { formerly } = each;
      const isTaken = zones.some(
        (other, at) => other.name === formerly || (at < index && other.formerly === formerly),
      );
      if (formerly !== undefined && isTaken) {
        problem(["zones", index, "formerly"], "must be a name that no zone has, and no other had", formerly);
      }
    });
    const pairs = new Set<string>();
    const shared = zones
      .flatMap((one, index) => zones.slice(index + 1).map((other) => `${one.name}-${other.name}`))
      .find((pair) => pairs.has(pair) || !pairs.add(pair));
    if (shared !== undefined) {
      problem(["zones"], `two pairs of zones would have the tunnel "${shared}": rename one of them`, zones);
    }
    // Zones of one name would be one there.
    const areDifferent = new Set(zones.map(({ name }) => name)).size === zones.length;
    for (const { key, message, given } of areDifferent ? fitProblems(run, zones) : []) {
      problem(["training", ...key.split(".")], message, given);
    }
    const fits = areDifferent && fitProblems(run, zones).length === 0;
    for (const { path, message, given } of limitProblems(config, fits)) problem(path, message, given);
    if (run.mode === "cross-zone" && tunnel.kind === "none") {
      problem(["tunnel", "kind"], "mode cross-zone needs a tunnel; allowed: ipsec, gre", tunnel.kind);
    }
    if (tunnel.kind === "gre" && !tunnel.allowUnencrypted) {
      problem(
        ["tunnel", "allowUnencrypted"],
        "must be true for a tunnel of kind gre, which does not encrypt: gradients cross the internet in clear; or take kind ipsec",
        tunnel.allowUnencrypted,
      );
    }
    const tunnels = countTunnels(zones.length, tunnel.topology);
    if (tunnel.kind === "gre" && tunnels > mostGreTunnels) {
      problem(
        ["tunnel", "topology"],
        `${zones.length} zones as a ${tunnel.topology} need ${tunnels} tunnels, there are subnets for ${mostGreTunnels} of kind gre; take topology star, kind ipsec, or fewer zones`,
        tunnel.topology,
      );
    }
  });

export type Config = z.output<typeof configSchema>;
export type ZoneConfig = Config["zones"][number];

/** All problems of a configuration in one message: key, value given, what is allowed, what to do. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}; nothing was made:\n${problems
        .map((problem) => `  - ${problem}`)
        .join(
          "\n",
        )}\nChange them in the stack's configuration file, or by \`npm run pulumi -- config set --path KEY VALUE\`.`,
    );
  }
}

/**
 * The settings of the namespace, also those that there are not, so that a slip of the pen is told.
 * @param stored all of the stack's configuration; the engine hands lists and objects over as JSON, texts as they are
 */
export function readSettings(stored: Readonly<Record<string, string>>): Record<string, unknown> {
  const prefix = "crosszone:";
  return Object.fromEntries(
    Object.entries(stored)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, text]) => [key.slice(prefix.length), parseSetting(text)]),
  );
}

function parseSetting(text: string): unknown {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Checks a configuration.
 * @param raw the namespace's keys with their values parsed from JSON
 * @param otherProblems found outside the schema, e.g. a missing file: told together with the schema's
 * @throws ConfigError
 */
export function parseConfig(raw: unknown, otherProblems: readonly string[] = []): Config {
  const parsed = configSchema.safeParse(raw);
  const problems = (parsed.error?.issues ?? []).flatMap((issue) => describeIssue(issue, raw));
  if (!parsed.success || otherProblems.length > 0) throw new ConfigError([...problems, ...otherProblems]);
  return parsed.data;
}

/** Zones that the account does not have. @param zoneIds those that it has */
export function zoneProblems(raw: unknown, zoneIds: readonly string[]): string[] {
  const zones = valueAt(raw, ["zones"]);
  return (Array.isArray(zones) ? zones : []).flatMap((each: unknown, index) => {
    const zoneId = valueAt(each, ["zoneId"]);
    if (typeof zoneId !== "string" || zoneId === "" || zoneIds.includes(zoneId)) return [];
    const allowed = `must be an active zone of the account: ${zoneIds.join(", ")}`;
    return [`crosszone:zones[${index}].zoneId: ${allowed} (given: "${zoneId}")`];
  });
}

function describeIssue(issue: z.core.$ZodIssue, raw: unknown): string[] {
  const key = `crosszone:${issue.path.map((part, index) => (typeof part === "number" ? `[${part}]` : `${index > 0 ? "." : ""}${String(part)}`)).join("")}`;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((name) => `${key === "crosszone:" ? key : `${key}.`}${name}: is not a setting`);
  }
  const given = valueAt(raw, issue.path);
  return [`${key}: ${issue.message} (given: ${given === undefined ? "nothing" : JSON.stringify(given)})`];
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined),
    raw,
  );
}
