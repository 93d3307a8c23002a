/** The proof that two zones reach each other. */
import { all, type ComponentResource, type CustomResource, type Input, type Output } from "@pulumi/pulumi";
import { PathCheck, ReachCheck } from "../../provider/index.ts";
import { goodputShare } from "../plan/goodput.ts";
import type { TunnelPlan } from "../plan/tunnels.ts";
import type { Node, Zone } from "./zone.ts";

export type Effort = "quick" | "full";

/** A tunnel on the way, as a check looks at it. */
export interface PathTunnel {
  readonly plan: TunnelPlan;
  readonly zones: readonly [Zone, Zone];
  readonly sides: readonly [CustomResource, CustomResource];
}

export interface PathArgs {
  readonly zones: readonly [Zone, Zone];
  /** Packet that should pass, bytes. */
  readonly mtu: number;
  readonly effort: Effort;
  /** One, or two through the hub of a star. */
  readonly tunnels: readonly PathTunnel[];
}

/** Checks between the first nodes of both zones, and again when a tunnel, a node or a bandwidth changes. */
export function pathCheck(
  name: string,
  { zones, mtu, effort, tunnels }: PathArgs,
  parent: ComponentResource,
): PathCheck | undefined {
  const [from, to] = zones.map((zone) => zone.nodes[0]);
  if (from === undefined || to === undefined) return undefined;
  const through = tunnels.flatMap(({ sides }) => sides);
  const bought = bandwidthsOf(tunnels);
  const kind = tunnels[0]?.plan.kind;
  return new PathCheck(
    name,
    {
      from: { connection: from.connection, address: from.plan.privateIp },
      to: { connection: to.connection, address: to.plan.privateIp },
      mtu,
      effort,
      tunnels: tunnels.map(({ plan, zones: ends, sides }) => ({
        kind: plan.kind,
        over: plan.over,
        ends: ([0, 1] as const).map((here) => ({
          zone: ends[here].plan.zoneId,
          vpcId: ends[here].router.id,
          staticId: sides[here].id,
          networks: [...plan.networks[here]],
          ...(plan.over === "internet" ? { bandwidthMbps: ends[here].eip.bandwidth } : {}),
        })),
      })),
      ...(bought.length === 0 || kind === undefined
        ? {}
        : { expectedMbps: all(bought).apply((mbps) => Math.min(...mbps) * goodputShare(kind, mtu)) }),
      triggers: [
        ...through.map((each) => each.id),
        ...[from, to].map((node) => node.instance.id),
        ...bought.map((bandwidth) => bandwidth.apply((mbps) => `${mbps} Mbit/s`)),
      ],
    },
    {
      parent,
      dependsOn: [...through, from.ready ?? from.instance, to.ready ?? to.instance],
      deletedWith: from.instance,
    },
  );
}

/** Of the EIPs on the way, each once, Mbit/s; over an intranet none bounds what passes. */
export function bandwidthsOf(tunnels: readonly PathTunnel[]): Output<number>[] {
  const bought = tunnels.flatMap(({ plan, zones }) =>
    plan.over === "internet" ? zones.map(({ eip }) => eip.bandwidth) : [],
  );
  return [...new Set(bought)];
}

export interface ReachArgs {
  readonly node: Node;
  /** First nodes of the other zones, with the largest packet that must pass to them, bytes. */
  readonly peers: readonly { readonly node: Node; readonly mtu: Input<number> }[];
  /** The sides of all tunnels. */
  readonly through: readonly CustomResource[];
  /** That the first nodes reach each other: where they do not, that is told, not what follows from it. */
  readonly after: readonly PathCheck[];
}

/** The proof that a node, of which no path is checked, reaches all other zones. */
export function reachCheck(
  { node, peers, through, after }: ReachArgs,
  parent: ComponentResource,
): ReachCheck {
  return new ReachCheck(
    node.plan.name,
    {
      connection: node.connection,
      peers: peers.map((peer) => ({ address: peer.node.plan.privateIp, mtu: peer.mtu })),
      triggers: [
        ...through.map((each) => each.id),
        ...[node, ...peers.map((peer) => peer.node)].map(({ instance }) => instance.id),
      ],
    },
    { parent, dependsOn: [...after, node.ready ?? node.instance], deletedWith: node.instance },
  );
}
