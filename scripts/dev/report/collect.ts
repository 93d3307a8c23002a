/** Finds out what a report is made of: from the stack's state, the nodes, and the cloud's monitoring. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../../package.json" with { type: "json" };
import { GetMonitor } from "../../../qingcloud/actions/monitor.ts";
import { DescribeEips, DescribeRouters } from "../../../qingcloud/actions.ts";
import { QingCloudClient } from "../../../qingcloud/client.ts";
import { readProfile } from "../../../qingcloud/profile.ts";
import { capture } from "../process.ts";
import { ask, askMetrics } from "../run/agent.ts";
import { describeLink } from "../run/plan.ts";
import { type RankOnNode, readRanks } from "../run/ranks.ts";
import type { Workspace } from "../workspace.ts";
import { type LaunchData, periodOf, type RankData, type RunData } from "./data.ts";
import { readMetrics } from "./metrics.ts";
import { providerSettings, shownSettings } from "./settings.ts";
import { readFiles, readNetwork, type ZoneFacts } from "./state.ts";
import { type MonitorStep, type Period, stepFor, type Traffic, trafficIn } from "./traffic.ts";

/** @param stateText what `pulumi stack export --show-secrets` prints, of a stack with a run */
export async function collect(workspace: Workspace, stateText: string): Promise<RunData> {
  const launched = readRanks(stateText);
  const found = await Promise.all(launched.map(askLaunch));
  const madeAt = Date.now() / 1000;
  const launches = found.map(({ launch }) => launch);
  const ranks = found.flatMap((each) => each.ranks).sort((one, other) => one.rank - other.rank);
  const names = launches.map(({ node }) => node);
  const network = readNetwork(stateText, names);
  const configuration = readConfiguration(workspace);
  const period = periodOf({ launches, ranks, madeAt });
  const trafficStep = stepFor(period ?? { from: madeAt, to: madeAt }, madeAt);
  const { traffic, problems } =
    period === undefined
      ? { traffic: [], problems: [] }
      : await askTraffic(workspace, configuration, network.zones, { period, step: trafficStep, madeAt });
  return {
    stack: workspace.stack,
    runId: launched[0]?.runId ?? "",
    madeAt,
    launches,
    ranks,
    network,
    files: names[0] === undefined ? [] : readFiles(stateText, names[0]),
    traffic,
    trafficStep,
    link: describeLink(
      stateText,
      launched,
      ranks.map(({ metrics }) => metrics),
    ),
    settings: { yaml: shownSettings(configuration), version: await versionOf(workspace.root) },
    problems,
  };
}

/** A node that can not be asked does not hide the others. */
async function askLaunch(launched: RankOnNode): Promise<{ launch: LaunchData; ranks: RankData[] }> {
  const { ranks, node, launchedAt, launch } = launched;
  const own = {
    ranks,
    node,
    argv: Array.isArray(launch.argv) ? launch.argv.map(String) : [],
    launchedAt: launchedAt === undefined ? undefined : launchedAt / 1000,
    summary: undefined,
    gpus: [],
    problem: undefined,
  };
  const silent = ranks.map((rank) => ({ rank, node, metrics: readMetrics([]) }));
  try {
    const summary = await ask(launched, { subcommand: "status" });
    try {
      const told = await askMetrics(launched);
      const found = told.ranks.map(({ rank, lines }) => ({ rank, node, metrics: readMetrics(lines) }));
      // One process may have workers that are ranks too.
      const missing = silent.filter(({ rank }) => !found.some((each) => each.rank === rank));
      return { launch: { ...own, summary, gpus: told.gpus }, ranks: [...found, ...missing] };
    } catch (error) {
      const problem = `Metrics of ${node}: ${(error as Error).message}`;
      return { launch: { ...own, summary, problem }, ranks: silent };
    }
  } catch (error) {
    const problem = `Everything of ${node}: it could not be asked (${(error as Error).message}).`;
    return { launch: { ...own, problem }, ranks: silent };
  }
}

/** The stack's configuration file: the working copy, else the committed one. */
function readConfiguration({ root, pulumi, stack }: Workspace): string {
  const name = `Pulumi.${stack}.yaml`;
  const path = [join(pulumi, name), join(root, name)].find(existsSync);
  return path === undefined ? "{}" : readFileSync(path, "utf8");
}

interface Asked {
  readonly period: Period;
  readonly step: MonitorStep;
  /** Seconds since 1970. */
  readonly madeAt: number;
}

/** Credentials are read as the provider reads them, from where its configuration says. */
async function askTraffic(
  { root }: Workspace,
  configuration: string,
  zones: readonly ZoneFacts[],
  asked: Asked,
): Promise<{ traffic: Traffic[]; problems: string[] }> {
  let client: QingCloudClient;
  try {
    client = new QingCloudClient(readProfile({ ...providerSettings(configuration), directory: root }));
  } catch (error) {
    return { traffic: [], problems: [`Traffic at the EIPs: ${(error as Error).message}`] };
  }
  try {
    const outcomes = await Promise.allSettled(zones.map((zone) => trafficOf(client, zone, asked)));
    return {
      traffic: outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? outcome.value : [])),
      problems: outcomes.flatMap((outcome, index) =>
        outcome.status === "rejected"
          ? [
              `Traffic at the EIP of ${zones[index]?.name}: ${String(outcome.reason?.message ?? outcome.reason)}`,
            ]
          : [],
      ),
    };
  } finally {
    client.close();
  }
}

/** Of the EIP that is on the zone's router now, with the bandwidth that it has now. */
async function trafficOf(
  client: QingCloudClient,
  { name, zoneId, routerId }: ZoneFacts,
  { period, step, madeAt }: Asked,
): Promise<Traffic[]> {
  if (routerId === undefined) return [];
  const { router_set } = await client.call(DescribeRouters, zoneId, { routers: [routerId] });
  const eipId = router_set[0]?.eip.eip_id;
  if (eipId === undefined) return [];
  const [{ eip_set }, { meter_set }] = await Promise.all([
    client.call(DescribeEips, zoneId, { eips: [eipId] }),
    client.call(GetMonitor, zoneId, {
      resource: eipId,
      meters: ["traffic", "flow"],
      step,
      start_time: iso(period.from),
      end_time: iso(Math.max(madeAt, period.from + 1)),
    }),
  ]);
  const data = (meter: string) => meter_set.find(({ meter_id }) => meter_id === meter)?.data ?? [];
  return eip_set.slice(0, 1).map(
    ({ eip_addr, bandwidth }): Traffic => ({
      zone: name,
      eipId,
      address: eip_addr,
      rateMbps: bandwidth,
      ...trafficIn(period, step, { traffic: data("traffic"), flow: data("flow") }),
    }),
  );
}

/** @param time seconds since 1970 */
function iso(time: number): string {
  return new Date(time * 1000).toISOString();
}

/** Of this project; a checkout without git tells its version alone. */
async function versionOf(root: string): Promise<string> {
  const own = `crosszone ${packageJson.version}`;
  const git = (...args: string[]) => capture("git", ["-C", root, ...args]);
  try {
    const [commit, changes] = await Promise.all([
      git("rev-parse", "--short=12", "HEAD"),
      git("status", "--porcelain", "--untracked-files=no"),
    ]);
    if (commit.code !== 0) return own;
    const changed = changes.stdout === "" ? "" : " with changes";
    return `${own}, commit ${commit.stdout.trim()}${changed}`;
  } catch {
    return own;
  }
}
