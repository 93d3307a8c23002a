/** The program: configuration, plan, components, outputs. */
import { Resource, RunError, runtime } from "@pulumi/pulumi";
import { getZones } from "../provider/index.ts";
import { Network } from "./components/network.ts";
import { Training } from "./components/training.ts";
import { ConfigError, parseConfig, readSettings, zoneProblems } from "./config.ts";
import { costOf } from "./cost.ts";
import { findExisting, providersWords } from "./existing/find.ts";
import { planNeeds } from "./plan/needs.ts";
import { makePlan } from "./plan/plan.ts";
import { keepRenamed } from "./renamed.ts";
import { fileProblems, runFiles } from "./training/files.ts";

// The CLI keeps in the state where each resource was made, by all callers: an eighth of what it writes at each step.
Object.assign(Resource, { stackTrace: () => [] });

const { config, existing } = await readConfig();
const plan = makePlan(config);
keepRenamed(config.zones);

const network = new Network("network", {
  plan,
  existing,
  check: config.tunnel.check,
  ssh: config.ssh,
  needs: planNeeds(config, plan.tunnels.length > 0),
});

const checks = [...network.checks];
const { costPerHour } = config.limits;
export const cost = costOf(network.zones, costPerHour);

const run =
  plan.training === undefined
    ? undefined
    : new Training(
        "training",
        {
          plan: plan.training,
          settings: config.training,
          files: runFiles(config.training),
          nodes: new Map(network.nodes.map((node) => [node.plan.name, node])),
          zones: plan.zones,
          paths: network.paths,
          chosen: plan.chosen,
        },
        // Where there is a limit, nothing of it is made before the costs are known to be within.
        { dependsOn: costPerHour === undefined ? checks : cost.apply(() => checks) },
      );

export const zones = network.zones.map((zone) => zone.output());
export const tunnels = network.tunnels.map((tunnel) => tunnel.output());
export const training = run?.output() ?? null;
/** For logging in by hand: `npm run pulumi -- stack output --show-secrets operatorKey`. */
export const operatorKey = network.operatorKey.privateKey;

/** All problems are told before anything is made, and without a stack trace: they are the user's, not the program's. */
async function readConfig() {
  const raw = readSettings(runtime.allConfig());
  // Asked while the rest is checked: a missing key file must not hide what else is wrong.
  const zones = await getZones({}).catch((error: Error) => error);
  const joins = zones instanceof Error ? undefined : await findExisting(raw.zones, zones.zoneIds);
  const problems = [
    ...(zones instanceof Error ? [] : zoneProblems(raw, zones.zoneIds)),
    ...(joins?.problems ?? []),
    ...fileProblems(raw.training),
  ];
  try {
    const checked = parseConfig(raw, problems);
    if (joins !== undefined) return { config: checked, existing: joins.zones };
  } catch (error) {
    throw error instanceof ConfigError ? new RunError(error.message) : error;
  }
  throw new RunError(providersWords(zones));
}
