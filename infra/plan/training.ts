/** Which nodes train, as which ranks, and what is started on each. Pure. */
import { gpusOf } from "../../qingcloud/gpu-shapes.ts";
import { addressIn } from "../../qingcloud/networks.ts";
import type { TrainingSettings } from "../training/schema.ts";

export interface TrainingPlan {
  /** Address of the node of rank 0. */
  readonly masterAddr: string;
  readonly masterPort: number;
  /** Where rank 0's supervisor tells the others when to start and when all end. */
  readonly controlPort: number;
  readonly worldSize: number;
  /** How many nodes train. */
  readonly nodeCount: number;
  /** GPUs of each node that its ranks use, or workers on the CPU in their place; at least 1. */
  readonly gpusPerNode: number;
  readonly launches: readonly LaunchPlan[];
}

/** A process that a node's agent starts: a rank, or torchrun, which starts all ranks of its node. */
export interface LaunchPlan {
  /** Name of the node. */
  readonly node: string;
  readonly nodeRank: number;
  readonly localRank: number;
  readonly ranks: readonly [number, ...number[]];
}

/** What is asked of a zone here. */
interface ZoneOfNodes {
  readonly name: string;
  readonly network: string;
  readonly nodes: number;
  readonly shape: Parameters<typeof gpusOf>[0];
}

export interface TrainingNode {
  /** Unique in the stack, e.g. `beijing-1`. */
  readonly name: string;
  readonly zone: string;
  readonly privateIp: string;
  /** 0 where the shape is not known or has none. */
  readonly gpus: number;
}

const firstHost = 2;

/** The nodes of a zone, in the order of their addresses. */
export function nodesOf(zone: ZoneOfNodes): TrainingNode[] {
  return Array.from({ length: zone.nodes }, (_, index) => ({
    name: `${zone.name}-${index + 1}`,
    zone: zone.name,
    privateIp: addressIn(zone.network, firstHost + index),
    gpus: gpusOf(zone.shape),
  }));
}

type Choice = Pick<
  TrainingSettings,
  "mode" | "launcher" | "nodes" | "worldSize" | "masterAddr" | "gpusPerNode"
>;

/** Ranks on each node. The guide's script of mode multi-gpu is one process for all GPUs. */
export function ranksPerNode(
  { mode, launcher, gpusPerNode }: Choice,
  nodes: readonly TrainingNode[],
): number {
  if (mode === "single" || (mode === "multi-gpu" && launcher === "python")) return 1;
  return gpusPerNode ?? (launcher === "torchrun" ? fewestGpus(nodes) : 1);
}

/** Every node must have as many. */
function fewestGpus(nodes: readonly TrainingNode[]): number {
  return Math.max(1, Math.min(...nodes.map(({ gpus }) => gpus)));
}

/**
 * The nodes that train, in the order of their ranks: those named, else all; of all, as many as the world size needs, in
 * equal parts of the zones. The one with the master's address comes first.
 */
export function trainingNodes(choice: Choice, zones: readonly ZoneOfNodes[]): TrainingNode[] {
  const all = zones.map(nodesOf);
  const byName = new Map(all.flat().map((node) => [node.name, node]));
  const perNode = ranksPerNode(choice, all.flat());
  const count = choice.worldSize === undefined ? Infinity : Math.ceil(choice.worldSize / perNode);
  const chosen =
    choice.nodes?.flatMap((name) => byName.get(name) ?? []) ??
    (count < byName.size ? evenly(all, count) : all.flat());
  const isMaster = ({ privateIp }: TrainingNode) => privateIp === choice.masterAddr;
  return [...chosen.filter(isMaster), ...chosen.filter((node) => !isMaster(node))];
}

/** `count` of the lists' items, as equally many of each list as there are, in the lists' order. */
function evenly<Item>(lists: readonly (readonly Item[])[], count: number): Item[] {
  const rows = Array.from({ length: Math.max(...lists.map(({ length }) => length)) }, (_, row) =>
    lists.flatMap((list) => list.slice(row, row + 1)),
  );
  const chosen = new Set(rows.flat().slice(0, count));
  return lists.flat().filter((item) => chosen.has(item));
}

/** @param choice fits the zones, see `fitProblems` */
export function planTraining(
  choice: Choice & Pick<TrainingSettings, "masterPort">,
  zones: readonly ZoneOfNodes[],
): TrainingPlan {
  const nodes = trainingNodes(choice, zones);
  const [master] = nodes;
  if (master === undefined) throw new Error("A plan without nodes has no master.");
  const perNode = ranksPerNode(choice, nodes);
  const locals = Array.from({ length: perNode }, (_, local) => local);
  const launches = nodes.flatMap(({ name }, nodeRank): LaunchPlan[] => {
    const first = nodeRank * perNode;
    const ofNode = { node: name, nodeRank };
    if (choice.launcher === "torchrun") {
      const ranks = [first, ...locals.slice(1).map((local) => first + local)] as const;
      return [{ ...ofNode, localRank: 0, ranks }];
    }
    return locals.map((localRank) => ({ ...ofNode, localRank, ranks: [first + localRank] }));
  });
  const { masterPort } = choice;
  return {
    masterAddr: master.privateIp,
    masterPort,
    controlPort: masterPort < 65535 ? masterPort + 1 : masterPort - 1,
    worldSize: nodes.length * perNode,
    nodeCount: nodes.length,
    gpusPerNode: choice.mode === "multi-gpu" ? (choice.gpusPerNode ?? fewestGpus(nodes)) : perNode,
    launches,
  };
}
