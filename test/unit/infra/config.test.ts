import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError, parseConfig, readSettings, zoneProblems } from "../../../infra/config.ts";
import { fileProblems, runFiles } from "../../../infra/training/files.ts";
import { inProject } from "../../../infra/training/local-files.ts";
import { plain, validSettings, zoneOf } from "./configurations.ts";

let directory: string;
let script: string;
/** Of the same content. */
let data: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "config-"));
  script = join(directory, "train.py");
  data = join(directory, "some.npz");
  for (const file of [script, data]) writeFileSync(file, "print(1)\n");
});
afterAll(() => rmSync(directory, { recursive: true }));
const sha256 = createHash("sha256").update("print(1)\n").digest("hex");
const otherSha256 = "0".repeat(64);

/** The problems that a configuration is refused with, one line each; none if it is accepted. */
function problemsOf(raw: unknown, otherProblems: readonly string[] = []): string[] {
  try {
    parseConfig(raw, otherProblems);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.message.split("\n");
    expect(lines[0]).toMatch(/^The configuration has (a problem|\d+ problems); nothing was made:$/);
    expect(lines.at(-1)).toBe(
      "Change them in the stack's configuration file, or by `npm run pulumi -- config set --path KEY VALUE`.",
    );
    return lines.slice(1, -1).map((line) => line.replace(/^ {2}- /, ""));
  }
}

describe("defaults", () => {
  test("are those of the design", () => {
    const config = parseConfig(plain);
    expect(config.zones[0]).toEqual({
      ...plain.zones[0],
      nodes: 1,
      shape: { instanceType: "g2ntp100.4xlarge.r4" },
      bandwidthMbps: 100,
    });
    expect({ ...config, zones: undefined }).toEqual({
      zones: undefined,
      limits: {},
      vpcNetwork: "192.168.0.0/16",
      tunnel: { kind: "ipsec", allowUnencrypted: false, topology: "mesh", intranet: "auto", check: "quick" },
      operatorCidrs: ["203.0.113.1/32"],
      ssh: { user: "ubuntu" },
      training: {
        mode: "cross-zone",
        launcher: "python",
        maxRestarts: 0,
        runtime: "host",
        container: { image: "qingcloud/deeplearning", options: [] },
        script: {
          source: "upload",
          path: "scripts/train/pytorch_mnist_dist.py",
          files: ["arguments", "data", "metrics", "model", "checkpoint", "group", "sync", "training"].map(
            (name) => `scripts/train/${name}.py`,
          ),
          args: [],
          env: {},
        },
        dataset: "digits",
        data: { source: "upload", path: "scripts/train/data/digits.npz" },
        epochs: 10,
        batchSize: 64,
        lr: 0.01,
        momentum: 0.5,
        seed: 1,
        sync: "ddp",
        syncOptions: {
          every: 20,
          precision: "fp16",
          overlapSteps: 0,
          rank: 4,
          warmupSteps: 0,
          outerLr: 0.7,
          outerMomentum: 0.9,
        },
        checkpointEverySteps: 50,
        masterPort: 29500,
        requireGpu: false,
        wait: false,
        maxDuration: 86_400,
      },
    });
  });

  test("of the script that trains on text suit it, and its text is that of the nodes", () => {
    const { epochs, batchSize, lr, momentum, data } = parseConfig({
      ...plain,
      training: { script: { path: "scripts/train/char_lm.py" } },
    }).training;
    expect({ epochs, batchSize, lr, momentum, data }).toEqual({
      epochs: 1,
      batchSize: 16,
      lr: 0.003,
      momentum: 0,
      data: undefined,
    });
  });

  test("of a mode are the guide's script, with the image's data where the script is the image's", () => {
    const scriptOf = (mode: string, zones: object[], more: object = {}) => {
      const { script, data } = parseConfig({ ...plain, zones, training: { mode, ...more } }).training;
      return [script.source, script.path, data];
    };
    const [one, two] = [[zoneOf("beijing", 1)], [zoneOf("beijing", 1, { nodes: 2 })]];
    const folder = "/home/ubuntu/test/pytorch";
    expect(scriptOf("single", one)).toEqual(["image", `${folder}/mnist.py`, undefined]);
    expect(scriptOf("distributed", two)).toEqual(["image", `${folder}/mnist_dist.py`, undefined]);
    expect(scriptOf("multi-gpu", one)[1]).toBe("scripts/train/pytorch_multi_gpu_test.py");
    const contained = { runtime: "container" };
    for (const [mode, name] of [
      ["single", "mnist.py"],
      ["multi-gpu", "pytorch_multi_gpu_test.py"],
    ] as const) {
      const expected = ["image", `/root/test/pytorch/${name}`, undefined];
      expect(scriptOf(mode, one, contained)).toEqual(expected);
    }
    const own = { script: { path: "mine.py" } };
    expect(scriptOf("single", one, own)).toEqual([
      "upload",
      "mine.py",
      { source: "upload", path: "scripts/train/data/digits.npz" },
    ]);
  });

  test("fill in any valid configuration, and what is filled in is valid", () => {
    fc.assert(
      fc.property(validSettings, (settings) => {
        const config = parseConfig(settings);
        expect(parseConfig(config)).toEqual(config);
      }),
    );
  });
});

const zones = (first: object, ...more: object[]) => ({
  ...plain,
  zones: [zoneOf("beijing", 1, first), zoneOf("shanghai", 2), ...more],
});

describe("bad input is told with key, what is allowed and what was given", () => {
  test.each<[string, unknown, string[]]>([
    [
      "overlapping networks",
      zones({}, zoneOf("third", 1)),
      [
        'crosszone:zones[2].network: overlaps zone "beijing" (192.168.1.0/24): every zone needs a /24 of its own (given: "192.168.1.0/24")',
      ],
    ],
    [
      "a network outside the VPC's",
      zones({ network: "10.0.1.0/24" }),
      ['crosszone:zones[0].network: must lie inside vpcNetwork 192.168.0.0/16 (given: "10.0.1.0/24")'],
    ],
    [
      "bandwidth 0",
      zones({ bandwidthMbps: 0 }),
      ["crosszone:zones[0].bandwidthMbps: must be a whole number of Mbit/s, 1 to 1000, or auto (given: 0)"],
    ],
    [
      "bandwidth 1001",
      zones({ bandwidthMbps: 1001 }),
      [
        "crosszone:zones[0].bandwidthMbps: must be a whole number of Mbit/s, 1 to 1000, or auto (given: 1001)",
      ],
    ],
    [
      "one zone for cross-zone",
      { ...plain, zones: [zoneOf("beijing", 1)] },
      [
        "crosszone:training.mode: mode cross-zone needs at least two zones; there is 1 zone with 1 node. Change zones, training.nodes, or training.mode: cross-zone, distributed, multi-gpu, single, none (given: nothing)",
      ],
    ],
    [
      "two zones for single",
      { ...plain, training: { mode: "single" } },
      [
        'crosszone:training.mode: mode single needs one zone with one node; there are 2 zones with 2 nodes. Change zones, training.nodes, or training.mode: cross-zone, distributed, multi-gpu, single, none (given: "single")',
      ],
    ],
    [
      "one node for distributed",
      { ...plain, zones: [zoneOf("beijing", 1)], training: { mode: "distributed" } },
      [
        "crosszone:training.mode: mode distributed needs one zone with at least two nodes; there is 1 zone with 1 node.",
      ],
    ],
    [
      "a script of the image without its whole path",
      { ...plain, training: { script: { source: "image", path: "mnist.py" } } },
      ["crosszone:training.script: source image needs an absolute path on the nodes"],
    ],
    [
      "images and momentum for a script that trains on text with AdamW",
      {
        ...plain,
        training: {
          script: { path: "scripts/train/char_lm.py" },
          dataset: "mnist",
          data: "x",
          momentum: 0.9,
        },
      },
      [
        'crosszone:training.dataset: is of images; char_lm.py reads text: leave it out, and name text of your own in data (given: "mnist")',
        "crosszone:training.momentum: must be 0 for char_lm.py, or be left out: it trains with AdamW (given: 0.9)",
      ],
    ],
    [
      "a script that takes no --gpus, for one process on all GPUs",
      {
        ...plain,
        zones: [zoneOf("beijing", 1)],
        training: { mode: "multi-gpu", script: { path: "scripts/train/char_lm.py" } },
      },
      [
        'crosszone:training.script.path: must be scripts/train/pytorch_multi_gpu_test.py in mode multi-gpu, or a script of your own that takes --gpus; with launcher torchrun any script has a rank on each GPU (given: "scripts/train/char_lm.py")',
      ],
    ],
    [
      "a sync mode that there is not",
      { ...plain, training: { sync: "fp8" } },
      [
        'crosszone:training.sync: Invalid option: expected one of "ddp"|"fp16"|"bf16"|"powersgd"|"local-sgd"|"diloco" (given: "fp8")',
      ],
    ],
    [
      "the payload of a mode whose parameters tell it",
      {
        ...plain,
        training: {
          sync: "fp16",
          expected: { parameters: 38_282, computeSecondsPerStep: 0.01, payloadBytesPerStep: 16_588 },
        },
      },
      [
        "crosszone:training.expected.payloadBytesPerStep: is of sync powersgd; of the other modes it follows from parameters: leave it out (given: 16588)",
      ],
    ],
    [
      "options of another sync mode",
      { ...plain, training: { sync: "local-sgd", syncOptions: { every: 5, precision: "int8", rank: 2 } } },
      [
        'crosszone:training.syncOptions.precision: is of sync diloco; sync local-sgd has every, warmupSteps. Leave it out, or change training.sync (given: "int8")',
        "crosszone:training.syncOptions.rank: is of sync powersgd; sync local-sgd has every, warmupSteps. Leave it out, or change training.sync (given: 2)",
      ],
    ],
    [
      "an average that is under way for longer than until the next",
      { ...plain, training: { sync: "diloco", syncOptions: { every: 5, overlapSteps: 5 } } },
      ["crosszone:training.syncOptions.overlapSteps: must be less than every, which is 5 (given: 5)"],
    ],
    [
      "options of sync ddp, which has none",
      { ...plain, training: { syncOptions: { warmupSteps: 10 } } },
      [
        "crosszone:training.syncOptions.warmupSteps: is of sync powersgd and local-sgd; sync ddp has no options. Leave it out, or change training.sync (given: 10)",
      ],
    ],
    [
      "a sync mode for one rank",
      { ...plain, zones: [zoneOf("beijing", 1)], training: { mode: "single", sync: "diloco" } },
      [
        'crosszone:training.sync: diloco is a way to bring several ranks together; there is 1 rank. Leave it out, or train with more ranks (given: "diloco")',
      ],
    ],
    [
      "a sync mode for the image's own script",
      {
        ...plain,
        zones: [zoneOf("beijing", 1, { nodes: 2 })],
        training: { mode: "distributed", sync: "fp16" },
      },
      [
        "crosszone:training.sync: the image's mnist_dist.py knows no mode but ddp; upload the project's: training.script.path: scripts/train/mnist_dist.py (given: \"fp16\")",
      ],
    ],
    [
      "the hash of a script inside a container's image",
      {
        ...plain,
        zones: [zoneOf("beijing", 1)],
        training: { mode: "single", runtime: "container", script: { sha256: otherSha256 } },
      },
      [
        "crosszone:training.script.sha256: is not checked of a script inside a container's image: leave it out, or upload the script",
      ],
    ],
    [
      "files beside a script of the image",
      { ...plain, training: { script: { source: "image", path: "/x.py", files: ["y.py"] } } },
      [
        "crosszone:training.script.files: is for a script that is uploaded or fetched: one of an image is started in the image's own folder",
      ],
    ],
    [
      "a source of its own without a path",
      { ...plain, training: { script: { source: "image" } } },
      [
        "crosszone:training.script.path: must name the script where its source is not the guide's (given: nothing)",
      ],
    ],
    [
      "no zone",
      { ...plain, zones: [], training: { mode: "none" } },
      ["crosszone:zones: Too small: expected array to have >=1 items (given: [])"],
    ],
    [
      "cross-zone without a tunnel",
      { ...plain, tunnel: { kind: "none" } },
      ['crosszone:tunnel.kind: mode cross-zone needs a tunnel; allowed: ipsec, gre (given: "none")'],
    ],
    [
      "another kind of tunnel",
      { ...plain, tunnel: { kind: "wireguard" } },
      ['crosszone:tunnel.kind: Invalid option: expected one of "ipsec"|"gre"|"none" (given: "wireguard")'],
    ],
    [
      "a name twice",
      zones({ name: "shanghai" }),
      ['crosszone:zones[1].name: is used twice (given: "shanghai")'],
    ],
    [
      "packets that are too large for any path",
      { ...plain, tunnel: { mtu: 9000 } },
      ["crosszone:tunnel.mtu: Too big: expected number to be <=1500 (given: 9000)"],
    ],
    [
      "a tunnel that does not encrypt, unless that is said",
      { ...plain, tunnel: { kind: "gre" } },
      [
        "crosszone:tunnel.allowUnencrypted: must be true for a tunnel of kind gre, which does not encrypt: gradients cross the internet in clear; or take kind ipsec (given: nothing)",
      ],
    ],
    [
      "more GRE tunnels than there are subnets",
      {
        ...plain,
        zones: Array.from({ length: 24 }, (_, index) => zoneOf(`z${index}`, index)),
        tunnel: { kind: "gre", allowUnencrypted: true },
      },
      [
        "crosszone:tunnel.topology: 24 zones as a mesh need 276 tunnels, there are subnets for 256 of kind gre; take topology star, kind ipsec, or fewer zones (given: nothing)",
      ],
    ],
    [
      "names that give two tunnels one name",
      { ...plain, zones: ["a", "b-c", "a-b", "c"].map((name, index) => zoneOf(name, index)) },
      ['crosszone:zones: two pairs of zones would have the tunnel "a-b-c": rename one of them (given: ['],
    ],
    [
      "no image, as in the environment prod before it is filled in",
      zones({ imageId: "" }),
      [
        "crosszone:zones[0].imageId: must be the id of an image of the zone; the console lists them, and so does `qingcloud iaas describe-images -z ZONE`. It needs python3 and PyTorch",
      ],
    ],
    [
      "more nodes than a /24 has addresses",
      zones({ nodes: 254 }),
      [
        "crosszone:zones[0].nodes: must be 253 or less: a /24 has no more addresses beside its router's; take another zone (given: 254)",
      ],
    ],
    [
      "a bad name",
      zones({ name: "Beijing 1" }),
      ['crosszone:zones[0].name: must be 1 to 16 of a-z, 0-9 and -, a letter first (given: "Beijing 1")'],
    ],
    [
      "SSH for the whole world",
      { ...plain, operatorCidrs: ["0.0.0.0/0"] },
      ['crosszone:operatorCidrs[0]: must not be the whole world (given: "0.0.0.0/0")'],
    ],
    [
      "nobody who may log in",
      { ...plain, operatorCidrs: [] },
      ["crosszone:operatorCidrs: must name who may log in by SSH, e.g. 198.51.100.7/32 (given: [])"],
    ],
    [
      "another world size",
      { ...plain, training: { worldSize: 3 } },
      [
        "crosszone:training.worldSize: must be a multiple of 1, at most 2 (a rank on each node), or be left out (given: 3)",
      ],
    ],
    [
      "another VPC network",
      { ...plain, vpcNetwork: "10.0.0.0/16" },
      [
        'crosszone:vpcNetwork: must be 192.168.0.0/16 or one of 172.16.0.0/16 to 172.31.0.0/16 (given: "10.0.0.0/16")',
        "crosszone:zones[0].network: must lie inside vpcNetwork 10.0.0.0/16",
        "crosszone:zones[1].network: must lie inside vpcNetwork 10.0.0.0/16",
      ],
    ],
    [
      "a script by URL without its hash",
      { ...plain, training: { script: { source: "url", url: "http://198.18.0.1/x.py" } } },
      ["crosszone:training.script: source url needs url and sha256 (given: {"],
    ],
    [
      "a host key that is none",
      { ...plain, ssh: { proxy: { host: "127.0.0.1", port: 22, user: "root", hostKey: "nonsense" } } },
      ["crosszone:ssh.proxy.hostKey: must be a public key in OpenSSH's form, e.g. `ssh-ed25519 AAAA…`"],
    ],
    [
      "unknown keys",
      { ...zones({ bandwith: 5 }), trainig: {}, training: { epoch: 3 } },
      [
        "crosszone:zones[0].bandwith: is not a setting",
        "crosszone:training.epoch: is not a setting",
        "crosszone:trainig: is not a setting",
      ],
    ],
  ])("%s", (_, raw, expected) => {
    const problems = problemsOf(raw);
    expect(problems).toHaveLength(expected.length);
    for (const [index, start] of expected.entries())
      expect(problems[index]?.startsWith(start), problems[index]).toBe(true);
  });

  test("nothing at all: every key that has no default", () => {
    expect(problemsOf({}).map((problem) => problem.split(":")[1])).toEqual(["zones", "operatorCidrs"]);
    expect(problemsOf({}).every((problem) => problem.endsWith("(given: nothing)"))).toBe(true);
  });

  test("a shape that is neither a type nor a size: what it may be", () => {
    const [problem = "", ...more] = problemsOf(zones({ shape: { cpu: 4 } }));
    expect(more).toEqual([]);
    expect(problem).toMatch(/^crosszone:zones\[0\]\.shape.*(instanceType|memoryGiB)/);
    expect(problem).not.toContain("Invalid input (given");
  });
});

test("all problems come in one message: of the schema, between settings, of the account and of the files", () => {
  const raw = {
    ...plain,
    zones: [zoneOf("beijing", 1, { bandwidthMbps: 5_000, zoneId: "pek9" }), zoneOf("shanghai", 1)],
    operatorCidrs: ["0.0.0.0/0"],
    training: { script: { path: "none.py" }, data: script },
  };
  const told = problemsOf(raw, [...zoneProblems(raw, ["shanghai1a"]), ...fileProblems(raw.training)]);
  expect(told.map((problem) => problem.slice("crosszone:".length).split(": ")[0])).toEqual([
    "zones[0].bandwidthMbps",
    "operatorCidrs[0]",
    "zones[1].network",
    "zones[0].zoneId",
    "training.script.path",
  ]);
});

test("problems that only the account or the files have are enough to refuse", () => {
  expect(problemsOf(plain, ["crosszone:zones[0].zoneId: …"])).toEqual(["crosszone:zones[0].zoneId: …"]);
});

test("an unknown zone is told with those that the account has", () => {
  expect(zoneProblems(plain, ["pek3a", "shanghai1a"])).toEqual([
    'crosszone:zones[0].zoneId: must be an active zone of the account: pek3a, shanghai1a (given: "beijing1a")',
  ]);
  expect(zoneProblems(plain, ["beijing1a", "shanghai1a"])).toEqual([]);
});

test.each([undefined, {}, { zones: "x" }, { zones: [null, {}, { zoneId: 7 }] }])(
  "zones of an impossible form are left to the schema: %j",
  (raw) => {
    expect(zoneProblems(raw, ["pek3a"])).toEqual([]);
  },
);

describe("the files of a run", () => {
  const withScript = (settings: object, training: object = {}) => ({
    ...plain,
    training: { data, ...training, script: { path: script, ...settings } },
  });

  test("that are there and have the hash are used with it", () => {
    const config = withScript({ sha256 });
    expect(fileProblems(config.training)).toEqual([]);
    expect(runFiles(parseConfig(config).training)).toEqual({
      script: { name: "train.py", sha256, from: { path: script } },
      more: [],
      data: {
        files: [{ name: "some.npz", sha256, from: { path: data } }],
        at: { file: "some.npz" },
      },
    });
  });

  test("come with further ones, which are told where they are missing", () => {
    const config = withScript({ files: [data, "no/module.py"] });
    expect(fileProblems(config.training)).toEqual([
      'crosszone:training.script.files[1]: no such file (given: "no/module.py")',
    ]);
    const { more } = runFiles(parseConfig(withScript({ files: [data] })).training);
    expect(more).toEqual([{ name: "some.npz", sha256, from: { path: data } }]);
    expect(fileProblems(withScript({ files: [data] }).training)).toEqual([
      'crosszone:training: two files are named "some.npz"; script, script.files and data lie in one folder on the nodes: rename one',
    ]);
  });

  test.each(["char_lm", "mnist", "mnist_dist", "pytorch_mnist_dist", "pytorch_multi_gpu_test"])(
    "of the project's %s.py are all modules that it imports or starts, and theirs",
    (name) => {
      const found = new Set([name]);
      for (const module of found) {
        const source = readFileSync(inProject(`scripts/train/${module}.py`), "utf8");
        const named = [...source.matchAll(/^(?:from|import) (\w+)|"(\w+)\.py"/gm)].map(
          (match) => match[1] ?? match[2],
        );
        for (const one of named) if (existsSync(inProject(`scripts/train/${one}.py`))) found.add(one ?? "");
      }
      const { script } = parseConfig({
        ...plain,
        training: { script: { path: `./scripts/train/${name}.py` } },
      }).training;
      const expected = [...found].filter((one) => one !== name).map((one) => `scripts/train/${one}.py`);
      expect([...script.files].sort()).toEqual(expected.sort());
    },
  );

  test("that are missing are told, both at once", () => {
    const config = withScript({ path: "no/such.py" }, { data: "no/such.npz" });
    expect(fileProblems(config.training)).toEqual([
      'crosszone:training.script.path: no such file (given: "no/such.py"); relative paths start at the project',
      'crosszone:training.data: no such file or folder (given: "no/such.npz"); relative paths start at the project, `npm start` writes the default one',
    ]);
  });

  test("with another hash are told with both hashes", () => {
    expect(fileProblems(withScript({ sha256: otherSha256 }).training)).toEqual([
      `crosszone:training.script.sha256: ${script} has ${sha256} (given: "${otherSha256}"); correct it, or take the file that was meant`,
    ]);
  });

  test("by URL are named by it and fetched with the hash that was given", () => {
    const url = "http://198.18.0.1/dir/pytorch_mnist_dist.py?v=2";
    const config = withScript({ source: "url", url, sha256: otherSha256 });
    expect(fileProblems(config.training)).toEqual([]);
    expect(runFiles(parseConfig(config).training).script).toEqual({
      name: "pytorch_mnist_dist.py",
      sha256: otherSha256,
      from: { url },
    });
  });

  test("are not looked for while it is not known which they are", () => {
    expect(fileProblems({ script: { path: 7 } })).toEqual([]);
  });

  test("are not looked for where nothing is run", () => {
    expect(fileProblems(withScript({ path: "no/such.py" }, { mode: "none" }).training)).toEqual([]);
  });

  test("start at the project where their path is relative", () => {
    expect(inProject("infra/training/files.ts")).toBe(
      join(import.meta.dirname, "..", "..", "..", "infra", "training", "files.ts"),
    );
    expect(inProject("/tmp/x")).toBe("/tmp/x");
  });
});

test("settings are read from the stack's configuration by namespace, those that there are not too", () => {
  const stored = {
    "crosszone:zones": '[{"name":"a"}]',
    "crosszone:vpcNetwork": "172.16.0.0/16",
    "crosszone:trainig": '{"epochs":1}',
    "crosszone:tunnel": "{broken",
    "qingcloud:profile": "p",
  };
  expect(readSettings(stored)).toEqual({
    zones: [{ name: "a" }],
    vpcNetwork: "172.16.0.0/16",
    trainig: { epochs: 1 },
    tunnel: "{broken",
  });
});
