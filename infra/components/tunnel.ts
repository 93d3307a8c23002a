import {
  ComponentResource,
  type ComponentResourceOptions,
  type CustomResource,
  type Input,
  type Output,
  output,
} from "@pulumi/pulumi";
import { GreTunnel, IpsecTunnel, type PathCheck, PresharedKey } from "../../provider/index.ts";
import type { TunnelPlan } from "../plan/tunnels.ts";
import { type Effort, pathCheck } from "./path.ts";
import type { Zone } from "./zone.ts";

export interface TunnelArgs {
  readonly plan: TunnelPlan;
  readonly mark: Input<string>;
  readonly zones: readonly [Zone, Zone];
  readonly check: Effort | "off";
}

/** A tunnel between two zones' routers, a router static at each side, and the proof that it carries packets. */
export class Tunnel extends ComponentResource {
  readonly plan: TunnelPlan;
  readonly sides: readonly [CustomResource, CustomResource];
  readonly zones: readonly [Zone, Zone];
  /** Absent with `tunnel.check: off`. */
  readonly pathCheck: PathCheck | undefined;

  constructor(
    name: string,
    { plan, mark, zones, check }: TunnelArgs,
    options: ComponentResourceOptions = {},
  ) {
    // In another order of the zones it is the same tunnel.
    const reversed = `${plan.zones[1]}-${plan.zones[0]}`;
    super("crosszone:network:Tunnel", name, {}, { ...options, aliases: [{ name: reversed }] });
    this.plan = plan;
    this.zones = zones;
    const key = plan.kind === "ipsec" ? new PresharedKey(name, {}, { parent: this }) : undefined;
    const side = (here: 0 | 1): CustomResource => {
      const [zone, peer] = here === 0 ? zones : [zones[1], zones[0]];
      const there = here === 0 ? 1 : 0;
      const common = {
        zone: zone.plan.zoneId,
        mark,
        vpcId: zone.router.id,
        remoteAddress: plan.over === "intranet" ? peer.router.id : peer.eip.address,
        targetNetworks: [...plan.networks[there]],
      };
      const sideName = `${name}-at-${zone.plan.name}`;
      const sideOptions = { parent: this, ...zone.router.ofStatics };
      if (plan.kind === "gre") {
        const [localAddress, peerAddress] = [plan.addresses[here], plan.addresses[there]];
        return new GreTunnel(sideName, { ...common, key: plan.key, localAddress, peerAddress }, sideOptions);
      }
      const localNetworks = [...plan.networks[here]];
      return new IpsecTunnel(
        sideName,
        {
          ...common,
          presharedKey: key?.value ?? "",
          localNetworks,
          // By which name a router goes in the intranet is not documented; the key proves who it is.
          ...(plan.over === "intranet" ? { remoteId: "%any" } : {}),
        },
        sideOptions,
      );
    };
    this.sides = [side(0), side(1)];
    this.pathCheck =
      check === "off"
        ? undefined
        : pathCheck(name, { zones, mtu: plan.mtu, effort: check, tunnels: [this] }, this);
    this.registerOutputs({ kind: plan.kind });
  }

  /** As `outputs.tunnels[]` shows it. */
  output(): TunnelOutput {
    const { kind, zones, over, mtu } = this.plan;
    const measured = this.pathCheck;
    return {
      kind,
      zones: [...zones],
      over,
      encrypted: kind === "ipsec",
      up: output(measured?.up ?? null),
      rttMs: output(measured?.rttMs ?? null),
      lossPercent: output(measured?.lossPercent ?? null),
      goodputMbps: output(measured?.goodputMbps ?? null),
      mtu: output(measured?.mtu ?? mtu),
    };
  }
}

interface TunnelOutput {
  kind: TunnelPlan["kind"];
  zones: string[];
  /** The intranet of both zones' one zone, where no EIP's bandwidth counts, or the internet. */
  over: TunnelPlan["over"];
  encrypted: boolean;
  /** Null where it was not checked. */
  up: Output<boolean | null>;
  rttMs: Output<number | null>;
  lossPercent: Output<number | null>;
  /** Null also where a training was under way when it was checked. */
  goodputMbps: Output<number | null>;
  /** As found; the plan's where it was not checked. */
  mtu: Output<number>;
}
