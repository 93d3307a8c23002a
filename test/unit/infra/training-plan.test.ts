import { describe, expect, test } from "vitest";
import { ConfigError, parseConfig } from "../../../infra/config.ts";
import { makePlan } from "../../../infra/plan/plan.ts";
import { plain, zoneOf } from "./configurations.ts";

const twoGpus = { instanceType: "g2ntp100.8xlarge.r4" };
const four = [1, 2, 3, 4].map((third) => zoneOf(`z${third}`, third, { nodes: 6, shape: twoGpus }));

function planOf(training: object, zones: readonly object[] = four) {
  const plan = makePlan(parseConfig({ ...plain, zones, training })).training;
  if (plan === undefined) throw new Error("nothing is trained");
  return plan;
}

const nodesOf = (training: object, zones?: readonly object[]) => [
  ...new Set(planOf(training, zones).launches.map(({ node }) => node)),
];

function problemsOf(training: object, zones: readonly object[] = four): string {
  try {
    parseConfig({ ...plain, zones, training });
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("there is no problem");
}

describe("the nodes that train", () => {
  test("are all, in the order of zones and addresses", () => {
    expect(nodesOf({})).toEqual(
      four.flatMap(({ name }) => [1, 2, 3, 4, 5, 6].map((node) => `${name}-${node}`)),
    );
    expect(planOf({})).toMatchObject({ worldSize: 24, nodeCount: 24, masterAddr: "192.168.1.2" });
  });

  test("are as many as the world size needs, equally many of each zone", () => {
    expect(nodesOf({ worldSize: 8 })).toEqual([
      "z1-1",
      "z1-2",
      "z2-1",
      "z2-2",
      "z3-1",
      "z3-2",
      "z4-1",
      "z4-2",
    ]);
    expect(nodesOf({ worldSize: 6, gpusPerNode: 2 })).toEqual(["z1-1", "z2-1", "z3-1"]);
    const uneven = [zoneOf("a", 1), zoneOf("b", 2, { nodes: 5 })];
    expect(nodesOf({ worldSize: 4 }, uneven)).toEqual(["a-1", "b-1", "b-2", "b-3"]);
  });

  test("are those named, in their order; the node of the master's address comes first", () => {
    const nodes = ["z3-2", "z1-1", "z2-6"];
    expect(nodesOf({ nodes })).toEqual(nodes);
    expect(planOf({ nodes }).masterAddr).toBe("192.168.3.3");
    expect(nodesOf({ nodes, masterAddr: "192.168.2.7" })).toEqual(["z2-6", "z3-2", "z1-1"]);
    expect(nodesOf({ mode: "single", nodes: ["z4-6"] })).toEqual(["z4-6"]);
  });
});

describe("the ranks of a node", () => {
  const ranksOf = (training: object, zones?: readonly object[]) =>
    planOf(training, zones).launches.map(({ ranks, nodeRank, localRank }) => [nodeRank, localRank, ranks]);
  const two = four.slice(0, 2).map((zone) => ({ ...zone, nodes: 1 }));

  test("are one with python, or one for each GPU asked for, each started by itself", () => {
    expect(ranksOf({}, two)).toEqual([
      [0, 0, [0]],
      [1, 0, [1]],
    ]);
    expect(ranksOf({ gpusPerNode: 2 }, two)).toEqual([
      [0, 0, [0]],
      [0, 1, [1]],
      [1, 0, [2]],
      [1, 1, [3]],
    ]);
  });

  test("are one for each GPU of the smallest shape with torchrun, all started by it", () => {
    expect(ranksOf({ launcher: "torchrun" }, two)).toEqual([
      [0, 0, [0, 1]],
      [1, 0, [2, 3]],
    ]);
    const mixed = [two[0], zoneOf("small", 2)];
    expect(ranksOf({ launcher: "torchrun" }, mixed as object[])).toEqual([
      [0, 0, [0]],
      [1, 0, [1]],
    ]);
  });

  test("of mode multi-gpu are one process for all GPUs, or for those asked for", () => {
    const one = two.slice(0, 1);
    expect(planOf({ mode: "multi-gpu" }, one)).toMatchObject({ worldSize: 1, gpusPerNode: 2 });
    expect(planOf({ mode: "multi-gpu", gpusPerNode: 1 }, one)).toMatchObject({
      worldSize: 1,
      gpusPerNode: 1,
    });
    expect(planOf({ mode: "multi-gpu", launcher: "torchrun" }, one)).toMatchObject({
      worldSize: 2,
      nodeCount: 1,
    });
  });

  test("are told the end of the run at a port beside the master's", () => {
    expect([29500, 65535].map((masterPort) => planOf({ masterPort }).controlPort)).toEqual([29501, 65534]);
  });
});

describe("what does not fit is told before anything is made", () => {
  test.each([
    [
      "more GPUs than the shape has",
      { gpusPerNode: 3 },
      "training.gpusPerNode: must be at most the GPUs of every node's shape; z1-1 has 2. Take a larger shape (zones[].shape), or fewer (given: 3)",
    ],
    [
      "more ranks than nodes",
      { worldSize: 25 },
      "training.worldSize: must be a multiple of 1, at most 24 (a rank on each node), or be left out (given: 25)",
    ],
    [
      "half a node",
      { worldSize: 5, launcher: "torchrun" },
      "training.worldSize: must be a multiple of 2, at most 48 (2 ranks on each node), or be left out (given: 5)",
    ],
    [
      "another number than the nodes named",
      { worldSize: 3, nodes: ["z1-1", "z2-1"] },
      "training.worldSize: must be 2 (a rank on each node), or be left out (given: 3)",
    ],
    [
      "a world too small for two zones",
      { worldSize: 1 },
      "training.mode: mode cross-zone needs at least two zones; there is 1 zone with 1 node.",
    ],
    [
      "a node that there is not",
      { nodes: ["z1-1", "z9-1"] },
      'training.nodes: "z9-1" must be a node, named once: z1-1, z1-2, z1-3, z1-4, z1-5, z1-6, z2-1, z2-2, z2-3, z2-4, z2-5, z2-6, … (given: ["z1-1","z9-1"])',
    ],
    ["a node named twice", { nodes: ["z1-1", "z1-1"] }, 'training.nodes: "z1-1" must be a node, named once'],
    [
      "a master that does not train",
      { nodes: ["z1-1", "z2-1"], masterAddr: "192.168.1.3" },
      'training.masterAddr: must be the address of a node that trains: 192.168.1.2 (z1-1), 192.168.2.2 (z2-1) (given: "192.168.1.3")',
    ],
    [
      "torchrun for one process",
      { mode: "single", nodes: ["z1-1"], launcher: "torchrun" },
      "training.launcher: mode single starts one process by python; take mode multi-gpu for torchrun on one node",
    ],
    ["restarts without torchrun", { maxRestarts: 2 }, "training.maxRestarts: is of launcher torchrun;"],
    [
      "a rank by hand under torchrun",
      { launcher: "torchrun", script: { args: ["--rank", "0"] } },
      "training.script.args: must not hold --rank or --world-size with launcher torchrun",
    ],
  ])("%s", (_, training, message) => {
    expect(problemsOf(training)).toContain(message);
  });
});
