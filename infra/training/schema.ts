/** The settings of a run, and what each way of training of QingCloud's PyTorch guide takes where they say nothing. */
import { posix } from "node:path";
import { z } from "zod";

/** `pulumi config set` keeps a number with a point as text, and a whole number in a list of texts as a number. */
const decimal = z.preprocess(
  (value) => (typeof value === "string" && /^-?\d*\.?\d+(e-?\d+)?$/i.test(value) ? Number(value) : value),
  z.number(),
);
const argument = z.preprocess((value) => (typeof value === "number" ? String(value) : value), z.string());

/** Where a script comes from: this machine, a URL, or the nodes' own image. */
const source = z.enum(["upload", "url", "image"]);

const script = z
  .strictObject({
    source: source.optional(),
    path: z.string().optional(),
    url: z.url({ protocol: /^https?$/ }).optional(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, { error: "must be 64 hexadecimal digits in lower case" })
      .optional(),
    args: z.array(argument).default([]),
    env: z.record(z.string().regex(/^[A-Za-z_]\w*$/), z.string()).default({}),
  })
  .refine((given) => given.source !== "url" || (given.url !== undefined && given.sha256 !== undefined), {
    error: "source url needs url and sha256",
  })
  .refine((given) => given.source !== "image" || posix.isAbsolute(given.path ?? "/"), {
    error: "source image needs an absolute path on the nodes, e.g. /home/ubuntu/test/pytorch/mnist.py",
  });

const mode = z.enum(["cross-zone", "distributed", "single", "none"]);
export type Mode = z.output<typeof mode>;

/** The guide's script of each mode. */
const guideScripts: Record<Mode, { readonly source: z.output<typeof source>; readonly path: string }> = {
  "cross-zone": { source: "upload", path: "scripts/train/pytorch_mnist_dist.py" },
  distributed: { source: "image", path: "/home/ubuntu/test/pytorch/mnist_dist.py" },
  single: { source: "image", path: "/home/ubuntu/test/pytorch/mnist.py" },
  none: { source: "upload", path: "scripts/train/pytorch_mnist_dist.py" },
};
const digits = "scripts/train/data/digits.npz";

export const trainingSchema = z
  .strictObject({
    mode: mode.default("cross-zone"),
    script: script.prefault({}),
    data: z.string().optional(),
    epochs: z.number().int().min(1).default(10),
    batchSize: z.number().int().min(1).default(64),
    lr: decimal.pipe(z.number().positive()).default(0.01),
    momentum: decimal.pipe(z.number().min(0).lt(1)).default(0.5),
    seed: z.number().int().min(0).default(1),
    checkpointEverySteps: z.number().int().min(1).default(50),
    masterPort: z.number().int().min(1024).max(65535).default(29500),
    worldSize: z.number().int().min(1).optional(),
    requireGpu: z.boolean().default(false),
    wait: z.boolean().default(false),
    maxDuration: z.number().int().min(1).default(86_400),
  })
  .transform((given) => {
    const guide = guideScripts[given.mode];
    const from = given.script.source ?? (given.script.path === undefined ? guide.source : "upload");
    // A path belongs to its source: the guide's is for the guide's source alone.
    const path = given.script.path ?? (from === guide.source ? guide.path : "");
    // Scripts of an image have their data beside them.
    const data = given.data ?? (from === "image" ? undefined : digits);
    return { ...given, data, script: { ...given.script, source: from, path } };
  })
  .refine(({ script: { source: from, path } }) => from === "url" || path !== "", {
    path: ["script", "path"],
    error: "must name the script where its source is not the guide's",
  });

export type TrainingSettings = z.output<typeof trainingSchema>;

/** How many zones, and nodes in all, each mode trains on. */
const shapes: Record<
  Exclude<Mode, "none">,
  {
    readonly zones: (count: number) => boolean;
    readonly nodes: (count: number) => boolean;
    readonly what: string;
  }
> = {
  "cross-zone": {
    zones: (count) => count >= 2,
    nodes: () => true,
    what: "needs at least two zones",
  },
  distributed: {
    zones: (count) => count === 1,
    nodes: (count) => count >= 2,
    what: "needs one zone with at least two nodes",
  },
  single: {
    zones: (count) => count === 1,
    nodes: (count) => count === 1,
    what: "needs one zone with one node",
  },
};

/** Why a mode can not train on these zones; undefined where it can. */
export function shapeProblem(of: Mode, zones: number, nodes: number): string | undefined {
  if (of === "none") return undefined;
  const shape = shapes[of];
  if (shape.zones(zones) && shape.nodes(nodes)) return undefined;
  return `mode ${of} ${shape.what}; there ${zones === 1 ? "is 1 zone" : `are ${zones} zones`} with ${nodes} node${nodes === 1 ? "" : "s"}. Change zones, or training.mode: ${mode.options.join(", ")}`;
}
