import {
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  type Output,
  output,
} from "@pulumi/pulumi";
import { IpsecTunnel, PathCheck, PresharedKey } from "../../provider/index.ts";
import type { TunnelPlan } from "../plan/plan.ts";
import type { Zone } from "./zone.ts";

export interface TunnelArgs {
  readonly plan: TunnelPlan;
  readonly mark: Input<string>;
  readonly zones: readonly [Zone, Zone];
  readonly check: "quick" | "full" | "off";
}

/** An IPSec tunnel between two zones' routers, one IpsecTunnel at each side, and the proof that it carries packets. */
export class Tunnel extends ComponentResource {
  readonly plan: TunnelPlan;
  /** Absent with `tunnel.check: off`. */
  readonly pathCheck: PathCheck | undefined;

  constructor(name: string, args: TunnelArgs, options: ComponentResourceOptions = {}) {
    super("crosszone:network:Tunnel", name, {}, options);
    this.plan = args.plan;
    const [one, other] = args.zones;
    const key = new PresharedKey(name, {}, { parent: this });
    const side = (from: Zone, to: Zone) =>
      new IpsecTunnel(
        `${name}-at-${from.plan.name}`,
        {
          zone: from.plan.zoneId,
          mark: args.mark,
          vpcId: from.router.id,
          remoteAddress: to.eip.address,
          presharedKey: key.value,
          localNetworks: [from.plan.network],
          targetNetworks: [to.plan.network],
        },
        { parent: this, ...from.router.ofStatics },
      );
    const sides = [side(one, other), side(other, one)];
    this.pathCheck = args.check === "off" ? undefined : this.#check(name, args, sides);
    this.registerOutputs({ kind: args.plan.kind });
  }

  #check(name: string, { plan, zones, check }: TunnelArgs, sides: IpsecTunnel[]): PathCheck | undefined {
    const [from, to] = zones.map((zone) => zone.nodes[0]);
    if (from === undefined || to === undefined || check === "off") return undefined;
    return new PathCheck(
      name,
      {
        from: { connection: from.connection, address: from.plan.privateIp },
        to: { connection: to.connection, address: to.plan.privateIp },
        mtu: plan.mtu,
        effort: check,
        triggers: [
          ...sides.map((each) => each.id),
          ...[from, to].map((node) => node.instance.id),
          ...zones.map((zone) => zone.eip.bandwidth.apply((mbps) => `${mbps} Mbit/s`)),
        ],
      },
      {
        parent: this,
        dependsOn: [...sides, from.ready ?? from.instance, to.ready ?? to.instance],
        deletedWith: from.instance,
      },
    );
  }

  /** As `outputs.tunnels[]` shows it. */
  output(): TunnelOutput {
    const { kind, zones, mtu } = this.plan;
    const measured = this.pathCheck;
    return {
      kind,
      zones: [...zones],
      encrypted: kind === "ipsec",
      up: output(measured?.up ?? null),
      rttMs: output(measured?.rttMs ?? null),
      goodputMbps: output(measured?.goodputMbps ?? null),
      mtu,
    };
  }
}

interface TunnelOutput {
  kind: "ipsec";
  zones: string[];
  encrypted: boolean;
  /** Null where it was not checked. */
  up: Output<boolean | null>;
  rttMs: Output<number | null>;
  goodputMbps: Output<number | null>;
  mtu: number;
}
