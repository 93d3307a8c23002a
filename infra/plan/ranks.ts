/** How the ranks of a run are started. Pure. */
import { createHash } from "node:crypto";
import type { TrainingSettings } from "../training/schema.ts";
import { syncFlags } from "../training/sync.ts";
import type { LaunchPlan, TrainingPlan } from "./training.ts";

/** Names of a run's files in the folder that it is started in. */
interface FileNames {
  readonly script: string;
  /** A file or a folder; absent where the script has its own. */
  readonly data?: string | undefined;
}

type Flag = readonly [string, string | number];

/** The command of a launch, as the guide starts a rank, or by torchrun, with everything that the configuration says. */
export function launchCommand(
  plan: TrainingPlan,
  training: TrainingSettings,
  launch: LaunchPlan,
  files: FileNames,
): string[] {
  const isByTorchrun = training.launcher === "torchrun";
  const flags: readonly Flag[] = [
    ...(isByTorchrun ? [] : modeFlags(plan, training.mode, launch.ranks[0])),
    ...dataFlags(training.dataset, files.data),
    ["--epochs", training.epochs],
    ["--batch-size", training.batchSize],
    ["--lr", training.lr],
    ["--momentum", training.momentum],
    ["--seed", training.seed],
    ...syncFlags(training.sync, training.syncOptions),
  ];
  const starter = isByTorchrun ? torchrun(plan, training, launch) : ["python"];
  return [...starter, files.script, ...flags.flat().map(String), ...training.script.args];
}

function dataFlags(dataset: TrainingSettings["dataset"], data: string | undefined): Flag[] {
  if (data === undefined) return [];
  if (dataset === "digits") return [["--data", data]];
  return [
    ["--dataset", dataset],
    ["--data-dir", data],
  ];
}

/**
 * Rendezvous at the master with the node ranks of the plan (`static`): the dynamic one gives ranks by hostname, and wants
 * nodes to resolve each other's. Spelled with underscores, which PyTorch 1.13 asks for and 2.x takes.
 */
function torchrun(
  plan: TrainingPlan,
  { maxRestarts }: TrainingSettings,
  { nodeRank, ranks }: LaunchPlan,
): string[] {
  const flags: readonly Flag[] = [
    ["--nnodes", plan.nodeCount],
    ["--nproc_per_node", ranks.length],
    ["--node_rank", nodeRank],
    ["--rdzv_backend", "static"],
    ["--master_addr", plan.masterAddr],
    ["--master_port", plan.masterPort],
    ["--max_restarts", maxRestarts],
    // Nothing is redirected; PyTorch 1.13 on Python 3.11 does not understand that default, but a map without its ranks.
    ["--redirects", "9:1"],
    ["--tee", "9:1"],
  ];
  return ["python", "-m", "torch.distributed.run", ...flags.map(([name, value]) => `${name}=${value}`)];
}

/**
 * How the guide's script of each mode is told which GPUs or where its ranks meet; `mnist_dist.py` takes the rest from the
 * environment.
 */
function modeFlags(plan: TrainingPlan, mode: TrainingSettings["mode"], rank: number): Flag[] {
  if (mode === "single") return [];
  if (mode === "multi-gpu") return [["--gpus", plan.gpusPerNode]];
  if (mode === "distributed") {
    return [
      ["--world_size", plan.worldSize],
      ["--rank", rank],
    ];
  }
  return [
    ["--master-addr", plan.masterAddr],
    ["--rank", rank],
    ["--world-size", plan.worldSize],
    ["--master-port", plan.masterPort],
  ];
}

/** What every script finds in its environment; torchrun adds what is of a rank alone. */
export function launchEnvironment(
  plan: TrainingPlan,
  launcher: TrainingSettings["launcher"],
  { ranks, nodeRank, localRank }: LaunchPlan,
): Record<string, string> {
  const localWorldSize = plan.worldSize / plan.nodeCount;
  const common = {
    MASTER_ADDR: plan.masterAddr,
    MASTER_PORT: String(plan.masterPort),
    WORLD_SIZE: String(plan.worldSize),
    NODE_RANK: String(nodeRank),
    // As torchrun sets it, which else warns: results depend on it, so both launchers come to the same.
    ...(localWorldSize > 1 ? { OMP_NUM_THREADS: "1" } : {}),
  };
  if (launcher === "torchrun") return common;
  return {
    ...common,
    RANK: String(ranks[0]),
    LOCAL_RANK: String(localRank),
    LOCAL_WORLD_SIZE: String(localWorldSize),
  };
}

/** Identifies a run by everything that changes what it computes: 12 hexadecimal digits. */
export function runIdOf(
  commands: readonly (readonly string[])[],
  env: object,
  sha256: readonly (string | undefined)[],
): string {
  return createHash("sha256")
    .update(JSON.stringify([commands, env, sha256]))
    .digest("hex")
    .slice(0, 12);
}
