/** The proof that two zones reach each other. */
import type { ComponentResource, CustomResource, Output } from "@pulumi/pulumi";
import { PathCheck, ReachCheck } from "../../provider/index.ts";
import type { Node, Zone } from "./zone.ts";

export type Effort = "quick" | "full";

export interface PathArgs {
  readonly zones: readonly [Zone, Zone];
  /** Largest packet that must pass, bytes. */
  readonly mtu: number;
  readonly effort: Effort;
  /** The sides of the tunnels on the way. */
  readonly through: readonly CustomResource[];
  /** Of those that go over the internet, the zones' bandwidths, Mbit/s. */
  readonly limits: readonly Output<number>[];
}

/** Checks between the first nodes of both zones, and again when a tunnel, a node or a bandwidth changes. */
export function pathCheck(
  name: string,
  { zones, mtu, effort, through, limits }: PathArgs,
  parent: ComponentResource,
): PathCheck | undefined {
  const [from, to] = zones.map((zone) => zone.nodes[0]);
  if (from === undefined || to === undefined) return undefined;
  return new PathCheck(
    name,
    {
      from: { connection: from.connection, address: from.plan.privateIp },
      to: { connection: to.connection, address: to.plan.privateIp },
      mtu,
      effort,
      triggers: [
        ...through.map((each) => each.id),
        ...[from, to].map((node) => node.instance.id),
        ...limits.map((bandwidth) => bandwidth.apply((mbps) => `${mbps} Mbit/s`)),
      ],
    },
    {
      parent,
      dependsOn: [...through, from.ready ?? from.instance, to.ready ?? to.instance],
      deletedWith: from.instance,
    },
  );
}

export interface ReachArgs {
  readonly node: Node;
  /** First nodes of the other zones, with the largest packet that must pass to them, bytes. */
  readonly peers: readonly { readonly node: Node; readonly mtu: number }[];
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
