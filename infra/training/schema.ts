/** The settings of a run, and what each way of training of QingCloud's PyTorch guide takes where they say nothing. */
import { posix } from "node:path";
import { z } from "zod";
import { sync, syncOptions, unusedOptions } from "./sync.ts";
import { decimal } from "./values.ts";

/** `pulumi config set` keeps a whole number in a list of texts as a number. */
const argument = z.preprocess((value) => (typeof value === "number" ? String(value) : value), z.string());

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, { error: "must be 64 hexadecimal digits in lower case" });
const webAddress = z.url({ protocol: /^https?$/ });

/** Where a script comes from: this machine, a URL, or the nodes' own image. */
const source = z.enum(["upload", "url", "image"]);

const script = z
  .strictObject({
    source: source.optional(),
    path: z.string().optional(),
    url: webAddress.optional(),
    sha256: sha256.optional(),
    /** Further files of this machine that lie beside the script, e.g. modules that it imports. */
    files: z.array(z.string().min(1)).optional(),
    args: z.array(argument).default([]),
    env: z.record(z.string().regex(/^[A-Za-z_]\w*$/), z.string()).default({}),
  })
  .refine((given) => given.source !== "url" || (given.url !== undefined && given.sha256 !== undefined), {
    error: "source url needs url and sha256",
  })
  .refine((given) => given.source !== "image" || (given.files ?? []).length === 0, {
    path: ["files"],
    error:
      "is for a script that is uploaded or fetched: one of an image is started in the image's own folder",
  })
  .refine((given) => given.source !== "image" || posix.isAbsolute(given.path ?? "/"), {
    error: "source image needs an absolute path on the nodes, e.g. /home/ubuntu/test/pytorch/mnist.py",
  });

const dataset = z.enum(["digits", "mnist"]);

/** What to train on: a file or a folder of this machine (a path alone means that too), of the web, or on the nodes. */
const data = z.union(
  [
    z
      .string()
      .min(1)
      .transform((path) => ({ source: "upload" as const, path })),
    z.strictObject({ source: z.literal("upload"), path: z.string().min(1) }),
    z.strictObject({
      source: z.literal("url"),
      files: z.array(z.strictObject({ url: webAddress, sha256 })).min(1),
    }),
    z.strictObject({
      source: z.literal("node"),
      path: z.string().refine((path) => posix.isAbsolute(path), {
        error: "must be an absolute path on the nodes, e.g. /data/mnist",
      }),
    }),
  ],
  {
    error:
      "must be a path of this machine, {source: upload, path}, {source: url, files: [{url, sha256}]}, or {source: node, path} with an absolute path on the nodes",
  },
);

const mode = z.enum(["cross-zone", "distributed", "multi-gpu", "single", "none"]);
export type Mode = z.output<typeof mode>;
export const modes = mode.options;
const launcher = z.enum(["python", "torchrun"]);
const runtime = z.enum(["host", "container"]);

interface GuideScript {
  readonly source: z.output<typeof source>;
  readonly path: string;
}

const guideFolder = "scripts/train";
const inGuideFolder = (name: string) => posix.join(guideFolder, `${name}.py`);
/** Not of the guide, but the project's: it trains on text. */
const charLm = inGuideFolder("char_lm");
const acrossZones: GuideScript = { source: "upload", path: inGuideFolder("pytorch_mnist_dist") };
/** What each of the guide's scripts imports or starts: it must lie beside it. */
const commonModules = ["arguments", "data", "metrics", "model"];
const groupModules = [...commonModules, "checkpoint", "group", "sync", "training"];
const guideFiles: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    char_lm: [...groupModules, "text"],
    mnist: commonModules,
    mnist_dist: [...groupModules, "pytorch_mnist_dist"],
    pytorch_mnist_dist: groupModules,
    pytorch_multi_gpu_test: [...groupModules, "pytorch_mnist_dist"],
  }).map(([name, modules]) => [inGuideFolder(name), modules.map(inGuideFolder)]),
);
/** The guide's script of each mode, and where it lies: on the nodes' image, or in the container's. */
const guideScripts: Record<z.output<typeof runtime>, Record<Mode, GuideScript>> = {
  host: {
    "cross-zone": acrossZones,
    distributed: { source: "image", path: "/home/ubuntu/test/pytorch/mnist_dist.py" },
    "multi-gpu": { source: "upload", path: inGuideFolder("pytorch_multi_gpu_test") },
    single: { source: "image", path: "/home/ubuntu/test/pytorch/mnist.py" },
    none: acrossZones,
  },
  container: {
    "cross-zone": acrossZones,
    distributed: { source: "image", path: "/root/test/pytorch/mnist_dist.py" },
    "multi-gpu": { source: "image", path: "/root/test/pytorch/pytorch_multi_gpu_test.py" },
    single: { source: "image", path: "/root/test/pytorch/mnist.py" },
    none: acrossZones,
  },
};
/** torchrun tells ranks where to meet by the environment: of one node too, that takes the script that asks it. */
function guideScript(given: {
  runtime: z.output<typeof runtime>;
  mode: Mode;
  launcher: z.output<typeof launcher>;
}) {
  const isOnOneNode = given.mode === "single" || given.mode === "multi-gpu";
  return given.launcher === "torchrun" && isOnOneNode ? acrossZones : guideScripts[given.runtime][given.mode];
}
/** Whether a script reads text, in place of images. */
export function readsText({ source, path }: GuideScript): boolean {
  return source === "upload" && posix.normalize(path) === charLm;
}
/** In mode multi-gpu the launcher python passes --gpus. */
function takesGpus({ source, path }: GuideScript): boolean {
  const normal = posix.normalize(path);
  return source !== "upload" || !guideFiles.has(normal) || normal === inGuideFolder("pytorch_multi_gpu_test");
}
/** What suits an image model with SGD, and a transformer with AdamW, which has no momentum. */
const suited = {
  images: { epochs: 10, batchSize: 64, lr: 0.01, momentum: 0.5 },
  text: { epochs: 1, batchSize: 16, lr: 0.003, momentum: 0 },
};
const digits = { source: "upload", path: posix.join(guideFolder, "data/digits.npz") } as const;

export const trainingSchema = z
  .strictObject({
    mode: mode.default("cross-zone"),
    runtime: runtime.default("host"),
    launcher: launcher.default("python"),
    /** Of torchrun: how often it starts the ranks of a node again. */
    maxRestarts: z.number().int().min(0).max(100).default(0),
    container: z
      .strictObject({
        image: z.string().min(1).default("qingcloud/deeplearning"),
        /** Of `docker run`, e.g. ["--gpus", "all"]. */
        options: z.array(argument).default([]),
      })
      .prefault({}),
    script: script.prefault({}),
    dataset: dataset.default("digits"),
    data: data.optional(),
    epochs: z.number().int().min(1).optional(),
    batchSize: z.number().int().min(1).optional(),
    lr: decimal.pipe(z.number().positive()).optional(),
    momentum: decimal.pipe(z.number().min(0).lt(1)).optional(),
    seed: z.number().int().min(0).default(1),
    /** How ranks bring what they have learnt together. */
    sync: sync.default("ddp"),
    syncOptions: syncOptions.prefault({}),
    /** What `bandwidthMbps: auto` reckons with, as a run before has shown it. */
    expected: z
      .strictObject({
        parameters: z.number().int().min(1),
        /** Without the other ranks. */
        computeSecondsPerStep: decimal.pipe(z.number().positive()),
        /** What a rank hands over, of sync powersgd: of the other modes it follows from the parameters. */
        payloadBytesPerStep: z.number().int().min(1).optional(),
      })
      .optional(),
    checkpointEverySteps: z.number().int().min(1).default(50),
    /** Names of the nodes that train, in the order of their ranks; absent: all, or as many as `worldSize` needs. */
    nodes: z.array(z.string().min(1)).min(1).optional(),
    /** GPUs of each node that train, a rank on each, or one process on all of them in mode multi-gpu. */
    gpusPerNode: z.number().int().min(1).optional(),
    worldSize: z.number().int().min(1).optional(),
    /** Private address of the node of rank 0; absent: the first node's. */
    masterAddr: z.ipv4().optional(),
    masterPort: z.number().int().min(1024).max(65535).default(29500),
    requireGpu: z.boolean().default(false),
    wait: z.boolean().default(false),
    maxDuration: z.number().int().min(1).default(86_400),
  })
  .superRefine((given, context) => {
    for (const { option, message } of unusedOptions(given.sync, given.syncOptions)) {
      context.addIssue({ code: "custom", path: ["syncOptions", option], message });
    }
    const { every, overlapSteps } = given.syncOptions;
    if (overlapSteps > 0 && overlapSteps >= every) {
      const message = `must be less than every, which is ${every}`;
      context.addIssue({ code: "custom", path: ["syncOptions", "overlapSteps"], message });
    }
  })
  .transform((given) => {
    const guide = guideScript(given);
    const from = given.script.source ?? (given.script.path === undefined ? guide.source : "upload");
    // A path belongs to its source: the guide's is for the guide's source alone.
    const path = given.script.path ?? (from === guide.source ? guide.path : "");
    const ownFiles = from === "upload" ? guideFiles.get(posix.normalize(path)) : undefined;
    const files = given.script.files ?? [...(ownFiles ?? [])];
    const isText = readsText({ source: from, path });
    const { epochs, batchSize, lr, momentum } = isText ? suited.text : suited.images;
    // Scripts of an image have the digits beside them; text is that of the nodes' Python.
    const ownData = from === "image" || given.dataset !== "digits" || isText ? undefined : digits;
    return {
      ...given,
      epochs: given.epochs ?? epochs,
      batchSize: given.batchSize ?? batchSize,
      lr: given.lr ?? lr,
      momentum: given.momentum ?? momentum,
      data: given.data ?? ownData,
      script: { ...given.script, source: from, path, files },
    };
  })
  .refine(
    ({ runtime: on, script: { source: from, sha256 } }) =>
      on === "host" || from !== "image" || sha256 === undefined,
    {
      path: ["script", "sha256"],
      error: "is not checked of a script inside a container's image: leave it out, or upload the script",
    },
  )
  .refine(({ dataset: wanted, script: given }) => wanted === "digits" || !readsText(given), {
    path: ["dataset"],
    error: "is of images; char_lm.py reads text: leave it out, and name text of your own in data",
  })
  .refine(({ momentum, script: given }) => momentum === 0 || !readsText(given), {
    path: ["momentum"],
    error: "must be 0 for char_lm.py, or be left out: it trains with AdamW",
  })
  .refine(
    ({ mode: wanted, launcher: by, script: given }) =>
      wanted !== "multi-gpu" || by === "torchrun" || takesGpus(given),
    {
      path: ["script", "path"],
      error:
        "must be scripts/train/pytorch_multi_gpu_test.py in mode multi-gpu, or a script of your own that takes --gpus; with launcher torchrun any script has a rank on each GPU",
    },
  )
  .refine(({ sync: by, expected }) => by === "powersgd" || expected?.payloadBytesPerStep === undefined, {
    path: ["expected", "payloadBytesPerStep"],
    error: "is of sync powersgd; of the other modes it follows from parameters: leave it out",
  })
  .refine(({ dataset: wanted, data: given }) => wanted === "digits" || given !== undefined, {
    path: ["data"],
    error:
      "must say where MNIST's four files are (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, plain or .gz): a folder of this machine, their URLs with SHA-256, or a folder on the nodes",
  })
  .refine(({ script: { source: from, path } }) => from === "url" || path !== "", {
    path: ["script", "path"],
    error: "must name the script where its source is not the guide's",
  });

export type DataSource = z.output<typeof data>;
export type TrainingSettings = z.output<typeof trainingSchema>;
