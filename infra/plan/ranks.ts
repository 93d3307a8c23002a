/** How the ranks of a run are started. Pure. */
import { createHash } from "node:crypto";
import type { TrainingSettings } from "../training/schema.ts";
import type { TrainingPlan } from "./plan.ts";

/** Names of a run's files in the folder that it is started in. */
interface FileNames {
  readonly script: string;
  readonly data?: string | undefined;
}

type Flag = readonly [string, string | number];

/** The command of a rank, as the guide starts it, with everything that the configuration says. */
export function rankCommand(
  plan: TrainingPlan,
  training: TrainingSettings,
  rank: number,
  files: FileNames,
): string[] {
  const flags: readonly Flag[] = [
    ...modeFlags(plan, training.mode, rank),
    ...(files.data === undefined ? [] : ([["--data", files.data]] as const)),
    ["--epochs", training.epochs],
    ["--batch-size", training.batchSize],
    ["--lr", training.lr],
    ["--momentum", training.momentum],
    ["--seed", training.seed],
  ];
  return ["python", files.script, ...flags.flat().map(String), ...training.script.args];
}

/**
 * How the guide's script of each mode is told which GPUs or where its ranks meet; `mnist_dist.py` takes the rest from the
 * environment.
 */
function modeFlags(plan: TrainingPlan, mode: TrainingSettings["mode"], rank: number): Flag[] {
  if (mode === "single") return [];
  if (mode === "multi-gpu") return plan.gpusPerNode > 0 ? [["--gpus", plan.gpusPerNode]] : [];
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

/** What every script finds in its environment, as torchrun sets it. */
export function rankEnvironment(plan: TrainingPlan, rank: number): Record<string, string> {
  return {
    MASTER_ADDR: plan.masterAddr,
    MASTER_PORT: String(plan.masterPort),
    WORLD_SIZE: String(plan.worldSize),
    RANK: String(rank),
    LOCAL_RANK: "0",
    NODE_RANK: String(rank),
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
