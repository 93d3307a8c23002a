/** The program: configuration, plan, components, outputs. */
import { Config } from "@pulumi/pulumi";
import { Network } from "./components/network.ts";
import { Training } from "./components/training.ts";
import { configSchema, parseConfig } from "./config.ts";
import { fileProblems, runFiles } from "./files.ts";
import { makePlan } from "./plan/plan.ts";

const stored = new Config("crosszone");
const config = parseConfig(
  Object.fromEntries(
    Object.keys(configSchema.shape).flatMap((key) => {
      const value = stored.getObject<unknown>(key);
      return value === undefined ? [] : [[key, value]];
    }),
  ),
  fileProblems,
);
const plan = makePlan(config);

/** Undefined where nothing will run on the nodes. */
function nodeNeeds() {
  if (plan.training !== undefined)
    return config.training.requireGpu ? (["torch", "gpu"] as const) : (["torch"] as const);
  return plan.tunnels.length > 0 && config.tunnel.check !== "off" ? [] : undefined;
}

const network = new Network("network", {
  plan,
  check: config.tunnel.check,
  ssh: config.ssh,
  needs: nodeNeeds(),
});

const run =
  plan.training === undefined
    ? undefined
    : new Training(
        "training",
        {
          plan: plan.training,
          settings: config.training,
          files: runFiles(config),
          nodes: new Map(network.nodes.map((node) => [node.plan.name, node])),
        },
        { dependsOn: network.tunnels.flatMap(({ pathCheck }) => pathCheck ?? []) },
      );

export const zones = network.zones.map((zone) => zone.output());
export const tunnels = network.tunnels.map((tunnel) => tunnel.output());
export const training = run?.output() ?? null;
export const operatorKey = network.operatorKey.privateKey;
