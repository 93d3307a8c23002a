/** Whether a run fits the zones that it is to train on: said before anything is made. */
import { posix } from "node:path";
import { type nodesOf, ranksPerNode, type TrainingNode, trainingNodes } from "../plan/training.ts";
import { type Mode, modes, type TrainingSettings } from "./schema.ts";

type Zones = Parameters<typeof nodesOf>[0][];

interface Problem {
  /** The setting of `training`. */
  readonly key: string;
  readonly message: string;
  readonly given: unknown;
}

interface Needs {
  readonly zones: (count: number) => boolean;
  readonly nodes: (count: number) => boolean;
  readonly what: string;
}

const oneNode: Needs = {
  zones: (count) => count === 1,
  nodes: (count) => count === 1,
  what: "needs one zone with one node",
};
/** How many zones, and nodes in all, each mode trains on. */
const needs: Record<Exclude<Mode, "none">, Needs> = {
  "cross-zone": { zones: (count) => count >= 2, nodes: () => true, what: "needs at least two zones" },
  distributed: {
    zones: (count) => count === 1,
    nodes: (count) => count >= 2,
    what: "needs one zone with at least two nodes",
  },
  "multi-gpu": oneNode,
  single: oneNode,
};

/** What does not fit; nothing where all of it does. */
export function fitProblems(training: TrainingSettings, zones: Zones): Problem[] {
  if (training.mode === "none" || zones.length === 0) return [];
  const all = trainingNodes(
    { ...training, nodes: undefined, worldSize: undefined, masterAddr: undefined },
    zones,
  );
  const named = nameProblems(training, all);
  if (named.length > 0) return named;
  const nodes = trainingNodes(training, zones);
  const unfit = modeProblem(training.mode, nodes);
  return [
    ...(unfit === undefined ? [] : [{ key: "mode", message: unfit, given: training.mode }]),
    ...launcherProblems(training),
    ...gpuProblems(training, nodes),
    ...worldSizeProblems(training, all.length, nodes),
    ...masterProblems(training, nodes),
    ...syncProblems(training, nodes),
  ];
}

/** Why a mode can not train on these nodes; undefined where it can. */
function modeProblem(mode: Exclude<Mode, "none">, nodes: readonly TrainingNode[]): string | undefined {
  const zones = new Set(nodes.map(({ zone }) => zone)).size;
  const needed = needs[mode];
  if (needed.zones(zones) && needed.nodes(nodes.length)) return undefined;
  const there = `there ${zones === 1 ? "is 1 zone" : `are ${zones} zones`} with ${nodes.length} node${nodes.length === 1 ? "" : "s"}`;
  return `mode ${mode} ${needed.what}; ${there}. Change zones, training.nodes, or training.mode: ${modes.join(", ")}`;
}

function nameProblems({ nodes }: TrainingSettings, all: readonly TrainingNode[]): Problem[] {
  const names = all.map(({ name }) => name);
  const wrong = (nodes ?? []).find((name, index) => !names.includes(name) || nodes?.indexOf(name) !== index);
  if (wrong === undefined) return [];
  const shown = names.length > 12 ? `${names.slice(0, 12).join(", ")}, …` : names.join(", ");
  return [{ key: "nodes", message: `"${wrong}" must be a node, named once: ${shown}`, given: nodes }];
}

function launcherProblems({ mode, launcher, maxRestarts, script }: TrainingSettings): Problem[] {
  if (launcher === "torchrun" && mode === "single") {
    const message = "mode single starts one process by python; take mode multi-gpu for torchrun on one node";
    return [{ key: "launcher", message, given: launcher }];
  }
  if (launcher === "python" && maxRestarts > 0) {
    const message =
      "is of launcher torchrun; with python the next `up` begins another attempt, from the last checkpoint";
    return [{ key: "maxRestarts", message, given: maxRestarts }];
  }
  const isFixed =
    launcher === "torchrun" && script.args.some((word) => /^--(rank|world[-_]size)\b/.test(word));
  const message =
    "must not hold --rank or --world-size with launcher torchrun, which gives them by the environment";
  return isFixed ? [{ key: "script.args", message, given: script.args }] : [];
}

function gpuProblems({ gpusPerNode }: TrainingSettings, nodes: readonly TrainingNode[]): Problem[] {
  const small = nodes.find(({ gpus }) => gpusPerNode !== undefined && gpus < gpusPerNode);
  if (small === undefined) return [];
  const message = `must be at most the GPUs of every node's shape; ${small.name} has ${small.gpus}. Take a larger shape (zones[].shape), or fewer`;
  return [{ key: "gpusPerNode", message, given: gpusPerNode }];
}

function worldSizeProblems(
  training: TrainingSettings,
  available: number,
  nodes: readonly TrainingNode[],
): Problem[] {
  const { worldSize, nodes: named } = training;
  const perNode = ranksPerNode(training, nodes);
  if (worldSize === undefined || worldSize === nodes.length * perNode) return [];
  const most = named?.length ?? available;
  const ranks = perNode === 1 ? "a rank on each node" : `${perNode} ranks on each node`;
  const allowed =
    named === undefined && most > 1
      ? `a multiple of ${perNode}, at most ${most * perNode}`
      : `${most * perNode}`;
  return [{ key: "worldSize", message: `must be ${allowed} (${ranks}), or be left out`, given: worldSize }];
}

function masterProblems({ masterAddr }: TrainingSettings, nodes: readonly TrainingNode[]): Problem[] {
  if (masterAddr === undefined || nodes.some(({ privateIp }) => privateIp === masterAddr)) return [];
  const some = nodes.slice(0, 8).map(({ name, privateIp }) => `${privateIp} (${name})`);
  const message = `must be the address of a node that trains: ${some.join(", ")}${nodes.length > 8 ? ", …" : ""}`;
  return [{ key: "masterAddr", message, given: masterAddr }];
}

/** The image's own scripts average gradients, as the guide has them. */
const imageScripts = ["mnist_dist.py", "pytorch_multi_gpu_test.py"];

function syncProblems(training: TrainingSettings, nodes: readonly TrainingNode[]): Problem[] {
  const { sync, script } = training;
  if (sync === "ddp") return [];
  if (nodes.length * ranksPerNode(training, nodes) === 1) {
    const message = `${sync} is a way to bring several ranks together; there is 1 rank. Leave it out, or train with more ranks`;
    return [{ key: "sync", message, given: sync }];
  }
  if (script.source !== "image" || !imageScripts.includes(posix.basename(script.path))) return [];
  const message = `the image's ${posix.basename(script.path)} knows no mode but ddp; upload the project's: training.script.path: scripts/train/mnist_dist.py`;
  return [{ key: "sync", message, given: sync }];
}
