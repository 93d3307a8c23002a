/** The proof that two zones reach each other. */
import type { ComponentResource, CustomResource, Output } from "@pulumi/pulumi";
import { PathCheck } from "../../provider/index.ts";
import type { Zone } from "./zone.ts";

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
