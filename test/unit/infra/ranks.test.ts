import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../infra/config.ts";
import { makePlan } from "../../../infra/plan/plan.ts";
import { launchCommand, launchEnvironment, runIdOf } from "../../../infra/plan/ranks.ts";
import { plain, zoneOf } from "./configurations.ts";

const isUnique = (items: readonly unknown[]) => expect(new Set(items).size).toBe(items.length);

describe("the command of a launch", () => {
  const files = { script: "pytorch_mnist_dist.py", data: "digits.npz" };
  const planOf = (settings: object) => {
    const config = parseConfig({ ...plain, ...settings });
    const plan = makePlan(config).training;
    if (plan === undefined) throw new Error("nothing is trained");
    return { plan, training: config.training };
  };
  const commandsOf = (
    training: object = {},
    names: Parameters<typeof launchCommand>[3] = files,
    more = {},
  ) => {
    const { plan, training: settings } = planOf({ training, ...more });
    return plan.launches.map((launch) => launchCommand(plan, settings, launch, names));
  };

  test("starts as in the guide and goes on with every setting", () => {
    expect(commandsOf({ script: { args: ["--log-interval", "5"] } }).map((words) => words.join(" "))).toEqual(
      [0, 1].map(
        (rank) =>
          `python pytorch_mnist_dist.py --master-addr 192.168.1.2 --rank ${rank} --world-size 2 --master-port 29500 --data digits.npz --epochs 10 --batch-size 64 --lr 0.01 --momentum 0.5 --seed 1 --log-interval 5`,
      ),
    );
  });

  test.each([
    [{ sync: "fp16" }, "--sync fp16"],
    [{ sync: "powersgd", syncOptions: { rank: 2 } }, "--sync powersgd --powersgd-rank 2 --sync-warmup 0"],
    [
      { sync: "local-sgd", syncOptions: { warmupSteps: 7 } },
      "--sync local-sgd --sync-every 20 --sync-warmup 7",
    ],
    [
      { sync: "diloco", syncOptions: { every: 50, precision: "int8", overlapSteps: 8, outerLr: "0.5" } },
      "--sync diloco --sync-every 50 --sync-precision int8 --sync-overlap 8 --outer-lr 0.5 --outer-momentum 0.9",
    ],
  ])("tells a script how ranks come together: %j", (training, expected) => {
    const [command] = commandsOf({ ...training, script: { args: ["--log-interval", "5"] } });
    expect(command?.join(" ")).toMatch(new RegExp(` --seed 1 ${expected} --log-interval 5$`));
  });

  test.each([
    [
      "distributed",
      [zoneOf("beijing", 1, { nodes: 2 })],
      [0, 1].map((rank) => `python mnist_dist.py --world_size 2 --rank ${rank}`),
    ],
    ["single", [zoneOf("beijing", 1)], ["python mnist.py"]],
    [
      "multi-gpu",
      [zoneOf("beijing", 1, { shape: { instanceType: "g2ntp100.8xlarge.r4" } })],
      ["python pytorch_multi_gpu_test.py --gpus 2"],
    ],
  ])("of mode %s is the guide's", (mode, zones, expected) => {
    const script = planOf({ zones, training: { mode } }).training.script.path.replace(/.*\//, "");
    expect(commandsOf({ mode }, { script }, { zones }).map((words) => words.join(" "))).toEqual(
      expected.map((start) => `${start} --epochs 10 --batch-size 64 --lr 0.01 --momentum 0.5 --seed 1`),
    );
  });

  test("by torchrun meets at the master, with the node ranks and processes of the plan", () => {
    const shape = { instanceType: "g2ntp100.8xlarge.r4" };
    const zones = [zoneOf("beijing", 1, { shape }), zoneOf("shanghai", 2, { shape })];
    const training = { launcher: "torchrun", maxRestarts: 3 };
    expect(commandsOf(training, files, { zones }).map((words) => words.join(" "))).toEqual(
      [0, 1].map(
        (node) =>
          `python -m torch.distributed.run --nnodes=2 --nproc_per_node=2 --node_rank=${node} --rdzv_backend=static --master_addr=192.168.1.2 --master_port=29500 --max_restarts=3 --redirects=9:1 --tee=9:1 pytorch_mnist_dist.py --data digits.npz --epochs 10 --batch-size 64 --lr 0.01 --momentum 0.5 --seed 1`,
      ),
    );
  });

  test("finds in its environment where the ranks meet, as torchrun sets it", () => {
    const shape = { instanceType: "g2ntp100.8xlarge.r4" };
    const zones = [zoneOf("beijing", 1, { shape }), zoneOf("shanghai", 2, { shape })];
    const environmentsOf = (training: object) => {
      const { plan, training: settings } = planOf({ zones, training: { masterPort: 2345, ...training } });
      return plan.launches.map((launch) => launchEnvironment(plan, settings.launcher, launch));
    };
    const common = {
      MASTER_ADDR: "192.168.1.2",
      MASTER_PORT: "2345",
      WORLD_SIZE: "4",
      OMP_NUM_THREADS: "1",
    };
    const own = (rank: string, local: string, node: string) => ({
      ...common,
      RANK: rank,
      LOCAL_RANK: local,
      LOCAL_WORLD_SIZE: "2",
      NODE_RANK: node,
    });
    expect(environmentsOf({ gpusPerNode: 2 })).toEqual([
      own("0", "0", "0"),
      own("1", "1", "0"),
      own("2", "0", "1"),
      own("3", "1", "1"),
    ]);
    expect(environmentsOf({ launcher: "torchrun" })).toEqual([
      { ...common, NODE_RANK: "0" },
      { ...common, NODE_RANK: "1" },
    ]);
  });

  test("holds each argument as one word, whatever is in it", () => {
    const args = ["--note", "a b; rm -rf / $(x) 'y'"];
    expect(commandsOf({ script: { args } })[0]?.slice(-2)).toEqual(args);
  });

  test("changes with every training setting that it shows", () => {
    const settings = [
      { epochs: 3 },
      { batchSize: 3 },
      { lr: 0.3 },
      { momentum: 0.3 },
      { seed: 3 },
      { masterPort: 3333 },
      { sync: "fp16" },
      { sync: "diloco" },
      { sync: "diloco", syncOptions: { every: 30 } },
      { script: { args: ["--no-cuda"] } },
    ];
    isUnique([{}, ...settings].map((training) => JSON.stringify(commandsOf(training))));
  });
});

describe("the id of a run", () => {
  const words = fc.array(fc.array(fc.string(), { maxLength: 4 }), { minLength: 1, maxLength: 3 });
  const env = fc.dictionary(fc.constantFrom("A", "B", "C"), fc.string());
  const hashes = fc.tuple(fc.string(), fc.string());

  test("is 12 hexadecimal digits and the same for the same run", () => {
    fc.assert(
      fc.property(words, env, hashes, (commands, environment, sha256) => {
        const id = runIdOf(commands, environment, sha256);
        expect(id).toMatch(/^[0-9a-f]{12}$/);
        expect(runIdOf(structuredClone(commands), { ...environment }, [...sha256])).toBe(id);
      }),
    );
  });

  test("changes when and only when a command, the environment or a file changes", () => {
    const inputs = fc.tuple(words, env, hashes);
    fc.assert(
      fc.property(inputs, inputs, (one, other) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other);
        expect(runIdOf(...one) === runIdOf(...other)).toBe(isSame);
      }),
    );
    type Inputs = Parameters<typeof runIdOf>;
    const base: Inputs = [[["a", "b"]], { A: "1" }, ["x", "y"]];
    const changed: Inputs[] = [
      [[["a b"]], base[1], base[2]],
      [[["a"], ["b"]], base[1], base[2]],
      [base[0], { A: "2" }, base[2]],
      [base[0], { B: "1" }, base[2]],
      [base[0], base[1], ["y", "x"]],
      [base[0], base[1], ["xy"]],
    ];
    isUnique([base, ...changed].map((each) => runIdOf(...each)));
  });
});
