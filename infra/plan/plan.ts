/** The plan: everything that follows from the configuration alone. Pure; resources are made from it. */
import { addressIn, overlaps } from "../../qingcloud/networks.ts";
import { tunnelPackets } from "../../qingcloud/tunnel-packets.ts";
import type { Config, ZoneConfig } from "../config.ts";
import { autoBandwidth } from "./auto-bandwidth.ts";
import { nodesOf, planTraining, type TrainingPlan } from "./training.ts";
import type { Setting } from "./tuning.ts";
import { type Carrier, type PathPlan, planPaths, planTunnels, type TunnelPlan } from "./tunnels.ts";

export interface Plan {
  readonly vpcNetwork: string;
  readonly zones: readonly ZonePlan[];
  readonly tunnels: readonly TunnelPlan[];
  readonly paths: readonly PathPlan[];
  readonly training: TrainingPlan | undefined;
  /** What the configuration leaves to the plan, with its reason. */
  readonly chosen: readonly Setting[];
}

export interface ZonePlan {
  readonly name: string;
  readonly zoneId: string;
  readonly network: string;
  /** The router's address in the network: QingCloud's default, the first. */
  readonly gateway: string;
  readonly bandwidthMbps: number;
  readonly imageId: string;
  readonly shape: ZoneConfig["shape"];
  readonly nodes: readonly NodePlan[];
  readonly rules: readonly RulePlan[];
  /**
   * Networks reached through tunnels: that of all VPCs, so that another zone is no new route for the nodes that are there, and
   * those outside it.
   */
  readonly routes: readonly string[];
}

export interface NodePlan {
  /** Unique in the stack, e.g. `beijing-1`. */
  readonly name: string;
  readonly privateIp: string;
  /** Port of the EIP that leads to the node's SSH. */
  readonly sshPort: number;
}

/** An inbound rule of the zone's router. */
export interface RulePlan {
  readonly protocol: "tcp" | "udp" | "esp" | "gre";
  readonly fromPort?: number;
  readonly toPort?: number;
  /** A CIDR, or a zone's router: its EIP, or its address in the intranet. */
  readonly from: { readonly cidr: string } | { readonly zone: string; readonly over: Carrier };
}

const firstSshPort = 2201;

export function makePlan(config: Config): Plan {
  const tunnels = planTunnels(config);
  const paths = planPaths(config, tunnels);
  const [tunnelsOf, pathsOf] = [byZone(tunnels), byZone(paths)];
  const networks = new Map(config.zones.map(({ name, network }) => [name, network]));
  const auto = autoBandwidthOf(config);
  const zones = config.zones.map((zone) => ({
    ...planZone(zone, zone.bandwidthMbps === "auto" ? (auto?.mbps ?? 0) : zone.bandwidthMbps),
    rules: [
      ...operatorRules(config.operatorCidrs, zone.nodes),
      ...(tunnelsOf.get(zone.name) ?? []).flatMap(({ peer, link }) =>
        tunnelRules(link.kind, { zone: peer, over: link.over }),
      ),
    ],
    routes: [
      ...(paths.length > 0 ? [config.vpcNetwork] : []),
      ...(pathsOf.get(zone.name) ?? [])
        .flatMap(({ peer }) => networks.get(peer) ?? [])
        .filter((network) => !overlaps(network, config.vpcNetwork)),
    ],
  }));
  return {
    vpcNetwork: config.vpcNetwork,
    zones,
    tunnels,
    paths,
    training: config.training.mode === "none" ? undefined : planTraining(config.training, config.zones),
    chosen:
      auto === undefined
        ? []
        : [{ setting: "zones[].bandwidthMbps", value: String(auto.mbps), reason: auto.reason }],
  };
}

function autoBandwidthOf(config: Config) {
  if (!config.zones.some(({ bandwidthMbps }) => bandwidthMbps === "auto")) return undefined;
  const found = autoBandwidth(config);
  if ("problem" in found) throw new Error(`A configuration that was not checked: ${found.problem}`);
  return found;
}

function planZone(zone: ZoneConfig, bandwidthMbps: number): Omit<ZonePlan, "rules" | "routes"> {
  const { name, zoneId, network, imageId, shape } = zone;
  const nodes = nodesOf(zone).map((node, index) => ({
    name: node.name,
    privateIp: node.privateIp,
    sshPort: firstSshPort + index,
  }));
  return { name, zoneId, network, gateway: addressIn(network, 1), bandwidthMbps, imageId, shape, nodes };
}

/** The links that each zone has, each with the zone at its other end. */
function byZone<Link extends { readonly zones: readonly [string, string] }>(
  links: readonly Link[],
): Map<string, { peer: string; link: Link }[]> {
  const found = new Map<string, { peer: string; link: Link }[]>();
  const add = (zone: string, peer: string, link: Link) => {
    const known = found.get(zone);
    if (known === undefined) found.set(zone, [{ peer, link }]);
    else known.push({ peer, link });
  };
  for (const link of links) {
    const [one, other] = link.zones;
    add(one, other, link);
    add(other, one, link);
  }
  return found;
}

/** SSH, to the ports that lead to nodes. */
function operatorRules(cidrs: readonly string[], nodes: number): RulePlan[] {
  const ports = { fromPort: firstSshPort, toPort: firstSshPort + nodes - 1 };
  return cidrs.map((cidr) => ({ protocol: "tcp", ...ports, from: { cidr } }));
}

/** What a peer's router sends. */
function tunnelRules(kind: TunnelPlan["kind"], from: RulePlan["from"]): RulePlan[] {
  return tunnelPackets[kind].map(({ protocol, port }) => ({
    protocol,
    ...(port === undefined ? {} : { fromPort: port, toPort: port }),
    from,
  }));
}
