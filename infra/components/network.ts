import {
  all,
  ComponentResource,
  type ComponentResourceOptions,
  deferredOutput,
  type Output,
  output,
} from "@pulumi/pulumi";
import {
  Eip,
  getIntranetAddress,
  type PathCheck,
  type ReachCheck,
  SshKey,
  StackMark,
} from "../../provider/index.ts";
import type { Existing } from "../existing/join.ts";
import { goodputShare } from "../plan/goodput.ts";
import type { Plan } from "../plan/plan.ts";
import type { Path } from "../plan/tuning.ts";
import { type PathPlan, peerOf } from "../plan/tunnels.ts";
import { bandwidthsOf, type Effort, pathCheck, reachCheck } from "./path.ts";
import type { PublicAddress } from "./router.ts";
import { Tunnel } from "./tunnel.ts";
import { type Node, Zone, type ZoneArgs } from "./zone.ts";

export interface NetworkArgs {
  readonly plan: Plan;
  /** What zones have already, by their names: it is joined, not made. */
  readonly existing: ReadonlyMap<string, Existing>;
  readonly check: Effort | "off";
  readonly ssh: ZoneArgs["ssh"];
  readonly needs: ZoneArgs["needs"];
}

/** All zones and the tunnels between them. */
export class Network extends ComponentResource {
  readonly zones: readonly Zone[];
  readonly tunnels: readonly Tunnel[];
  /** Of every pair of zones by their first nodes, and of every other node; none with `check: off`. */
  readonly checks: readonly (PathCheck | ReachCheck)[];
  /** Every pair of zones, as the checks have found them. */
  readonly paths: Output<readonly Path[]>;
  readonly operatorKey: SshKey;

  constructor(
    name: string,
    { plan, existing, check, ssh, needs }: NetworkArgs,
    options: ComponentResourceOptions = {},
  ) {
    super("crosszone:network:Network", name, {}, options);
    const child = { parent: this };
    const mark = new StackMark("mark", { sweep: true }, child).value;
    this.operatorKey = new SshKey("operator", { comment: "operator" }, child);
    const { operatorKey } = this;
    // Before the zones: each zone's firewall lets in the EIPs of its peers.
    const eips = new Map(
      plan.zones.map((zone): [string, PublicAddress] => {
        const eip = existing.get(zone.name)?.eip;
        const own = { zone: zone.zoneId, mark, bandwidth: zone.bandwidthMbps };
        return [zone.name, eip === undefined ? new Eip(zone.name, own, child) : asOutputs(eip)];
      }),
    );
    const { intranet, resolveIntranet } = this.#intranetAddresses(plan);
    const { vpcNetwork } = plan;
    this.zones = plan.zones.map((zone) => {
      const joined = existing.get(zone.name) ?? {};
      const args = {
        plan: zone,
        existing: joined,
        vpcNetwork,
        mark,
        eips,
        intranet,
        operatorKey,
        ssh,
        needs,
      };
      return new Zone(zone.name, args, child);
    });
    resolveIntranet();
    this.tunnels = plan.tunnels.map((tunnel) => {
      const [one, other] = tunnel.zones;
      const zones = [this.#zone(one), this.#zone(other)] as const;
      return new Tunnel(tunnel.name, { plan: tunnel, mark, zones, check }, child);
    });
    const paths = new Map([
      ...this.tunnels.map((tunnel) => [tunnel.plan.name, tunnel.pathCheck] as const),
      ...(check === "off" ? [] : this.#checkRelayed(plan, check)),
    ]);
    this.paths = all(plan.paths.map((path) => this.#found(path, paths.get(path.name))));
    const pathChecks = [...paths.values()].flatMap((each) => each ?? []);
    this.checks = [...pathChecks, ...(check === "off" ? [] : this.#checkNodes(plan, paths))];
    this.registerOutputs({});
  }

  /** Routers let each other in by addresses that they have when they are made: promised before, asked for after that. */
  #intranetAddresses({ tunnels }: Plan) {
    const names = new Set(tunnels.flatMap(({ over, zones }) => (over === "intranet" ? zones : [])));
    const promised = [...names].map((name) => [name, ...deferredOutput<string>()] as const);
    return {
      intranet: new Map(promised.map(([name, address]) => [name, address])),
      resolveIntranet: () => {
        for (const [name, , resolve] of promised) {
          const { plan, router } = this.#zone(name);
          const ask = async (vpcId: string) =>
            (await getIntranetAddress({ zone: plan.zoneId, vpcId })).address;
          resolve(router.id.apply(ask));
        }
      },
    };
  }

  /** Pairs of zones that no tunnel joins: between spokes of a star, packets pass two. */
  #checkRelayed({ paths }: Plan, effort: Effort) {
    const joined = new Set(this.tunnels.map(({ plan }) => plan.name));
    return paths
      .filter(({ name }) => !joined.has(name))
      .map(({ name, zones: [one, other], mtu }) => {
        const zones = [this.#zone(one), this.#zone(other)] as const;
        const tunnels = this.#tunnelsOf(name, [one, other]);
        return [name, pathCheck(name, { zones, mtu, effort, tunnels }, this)] as const;
      });
  }

  /** The tunnels between two zones: one, or those of both to the hub of a star. */
  #tunnelsOf(name: string, [one, other]: PathPlan["zones"]): Tunnel[] {
    const own = this.tunnels.filter(({ plan }) => plan.name === name);
    if (own.length > 0) return own;
    return this.tunnels.filter(({ plan }) => plan.zones.includes(one) || plan.zones.includes(other));
  }

  #found({ name, zones, mtu }: PathPlan, check: PathCheck | undefined): Output<Path> {
    const tunnels = this.#tunnelsOf(name, zones);
    const { kind = "ipsec" } = tunnels[0]?.plan ?? {};
    const bandwidths = all(bandwidthsOf(tunnels));
    return all([check?.mtu ?? mtu, check?.rttMs ?? null, bandwidths]).apply(([found, rttMs, mbps]) => ({
      zones,
      kind,
      mtu: found,
      rttMs,
      bandwidthMbps: mbps.length === 0 ? null : Math.min(...mbps),
      goodputShare: goodputShare(kind, found),
    }));
  }

  /** Nodes beside the first of each zone, which the paths are checked between. */
  #checkNodes({ paths }: Plan, checks: ReadonlyMap<string, PathCheck | undefined>): ReachCheck[] {
    const after = [...checks.values()].flatMap((each) => each ?? []);
    return this.zones.flatMap(({ plan: { name }, nodes }) => {
      const peers = paths.flatMap(({ name: path, zones, mtu }) => {
        const peer = peerOf(zones, name);
        const node = peer === undefined ? undefined : this.#zone(peer).nodes[0];
        return node === undefined ? [] : [{ node, mtu: checks.get(path)?.mtu ?? mtu }];
      });
      const through = this.tunnels.flatMap(({ sides }) => sides);
      if (peers.length === 0) return [];
      return nodes.slice(1).map((node) => reachCheck({ node, peers, through, after }, this));
    });
  }

  get nodes(): readonly Node[] {
    return this.zones.flatMap((zone) => zone.nodes);
  }

  #zone(name: string): Zone {
    const zone = this.zones.find((each) => each.plan.name === name);
    if (zone === undefined) throw new Error(`The plan names a zone "${name}" that it does not have.`);
    return zone;
  }
}

function asOutputs({ id, address, bandwidth }: NonNullable<Existing["eip"]>): PublicAddress {
  return { id: output(id), address: output(address), bandwidth: output(bandwidth) };
}
