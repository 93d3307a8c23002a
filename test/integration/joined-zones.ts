/** Two zones whose routers a tunnel joins, made by the provider; and what `up --refresh` does to them. */
import { tunnelPackets } from "../../qingcloud/tunnel-packets.ts";
import type { TestClient } from "../local-cloud/support.ts";
import { type Plugin, urnOf } from "./plugin.ts";
import { HalfMade, type Resource } from "./plugin-answers.ts";

type Kind = "ipsec" | "gre";
type Side = 0 | 1;
export type Zone = (typeof zones)[Side];

const zones = ["gpu1a", "gpu2a"] as const;
const networks = ["192.168.1.0/24", "192.168.2.0/24"] as const;
const addresses = ["10.254.0.1", "10.254.0.2"] as const;
const sides: readonly Side[] = [0, 1];
/** Mbit/s, of each EIP. */
const bandwidth = 20;
const presharedKey = "the key that both sides have";

/** A resource as the program wants it; its inputs are known when those before it are made. */
interface Wanted {
  readonly urn: string;
  inputs(): Record<string, unknown>;
}

/** New values of a tunnel; given is its first value, taken apart. */
type Modification = (values: readonly string[]) => Record<string, string>;

/** Another text in a place of the first value. */
export function part(index: number, text: string): Modification {
  return (values) => ({ val1: values.with(index, text).join("|") });
}

export class JoinedZones {
  readonly #plugin: Plugin;
  readonly #client: TestClient;
  readonly #made = new Map<string, Resource>();
  #kind: Kind = "ipsec";

  constructor(plugin: Plugin, client: TestClient) {
    this.#plugin = plugin;
    this.#client = client;
  }

  /** Makes what is missing, or puts a tunnel of the other kind in its place. */
  async join(kind: Kind): Promise<void> {
    this.#kind = kind;
    await this.refreshAndUp();
  }

  /** Reads everything; then creates what someone has deleted, puts back what differs and deletes what is not wanted. */
  async refreshAndUp(): Promise<void> {
    const halfMade = new Set<string>();
    const refresh = async ([urn, resource]: readonly [string, Resource]) => {
      const found = await this.#plugin.read(resource).catch((error: unknown) => {
        if (!(error instanceof HalfMade)) throw error;
        halfMade.add(urn);
        return error.resource;
      });
      if (found === undefined) this.#made.delete(urn);
      else this.#made.set(urn, found);
    };
    await Promise.all([...this.#made].map(refresh));
    const wanted = this.#wanted();
    for (const { urn, inputs } of wanted) {
      const known = this.#made.get(urn);
      const isAsWanted =
        known !== undefined &&
        !halfMade.has(urn) &&
        Object.keys(await this.#plugin.diff(known, inputs())).length === 0;
      if (isAsWanted) continue;
      this.#made.set(
        urn,
        known === undefined
          ? await this.#plugin.create(urn, inputs())
          : await this.#plugin.update(known, inputs()),
      );
    }
    const urns = new Set(wanted.map(({ urn }) => urn));
    for (const [urn, resource] of [...this.#made].filter(([each]) => !urns.has(each))) {
      await this.#plugin.delete(resource);
      this.#made.delete(urn);
    }
  }

  /** As someone does it in the console: changes values of a side's tunnel. */
  async modify(zone: Zone, change: Modification): Promise<void> {
    const request = { zone, router: this.id("Vpc", zone) };
    const { router_static_set: statics } = await this.#client.ok("DescribeRouterStatics", request);
    const id = this.tunnelId(zone);
    const found = (statics as Record<string, string>[]).find((each) => each.router_static_id === id);
    const values = change((found?.val1 ?? "").split("|"));
    await this.#client.ok("ModifyRouterStaticAttributes", { zone, router_static: id, ...values });
  }

  async apply(zone: Zone): Promise<void> {
    await this.#client.done("UpdateRouters", { zone, "routers.1": this.id("Vpc", zone) });
  }

  async modifyAndApply(zone: Zone, change: Modification): Promise<void> {
    await this.modify(zone, change);
    await this.apply(zone);
  }

  /** Deletes the first rule of a side's security group. @param isApplied whether that is put into effect too */
  async closeGroup(zone: Zone, isApplied: boolean): Promise<void> {
    const group = { zone, security_group: this.id("SecurityGroup", zone) };
    const rule = await this.#client.one("DescribeSecurityGroupRules", "security_group_rule_set", group);
    const rules = { zone, "security_group_rules.1": String(rule.security_group_rule_id) };
    await this.#client.ok("DeleteSecurityGroupRules", rules);
    if (isApplied) await this.#client.done("ApplySecurityGroup", group);
  }

  id(type: string, zone: Zone): string {
    return this.#resource(type, zone).id;
  }

  tunnelId(zone: Zone): string {
    return this.id(tunnelType(this.#kind), zone);
  }

  eipAddress(zone: Zone): string {
    return String(this.#resource("Eip", zone).properties.address);
  }

  /** As the program gives the tunnel to a path check. */
  tunnelInput() {
    return {
      kind: this.#kind,
      over: "internet" as const,
      ends: sides.map((here) => ({
        zone: zones[here],
        vpcId: this.id("Vpc", zones[here]),
        staticId: this.tunnelId(zones[here]),
        networks: [networks[here]],
        bandwidthMbps: bandwidth,
      })),
    };
  }

  #resource(type: string, zone: Zone): Resource {
    const found = this.#made.get(urnOf(`cloud:${type}`, zone));
    if (found === undefined) throw new Error(`no ${type} was made in zone ${zone}`);
    return found;
  }

  #wanted(): Wanted[] {
    const each = (type: string, inputs: (here: Side, there: Side) => Record<string, unknown>): Wanted[] =>
      sides.map((here) => ({
        urn: urnOf(`cloud:${type}`, zones[here]),
        inputs: () => ({ zone: zones[here], ...inputs(here, here === 0 ? 1 : 0) }),
      }));
    return [
      ...each("Eip", () => ({ bandwidth })),
      ...each("SecurityGroup", (_here, there) => ({
        rules: tunnelPackets[this.#kind].map(({ protocol, port }) => ({
          protocol,
          ...(port === undefined ? {} : { fromPort: port, toPort: port }),
          cidrBlock: `${this.eipAddress(zones[there])}/32`,
        })),
      })),
      ...each("Vpc", (here) => ({
        vpcNetwork: "192.168.0.0/16",
        eipId: this.id("Eip", zones[here]),
        securityGroupId: this.id("SecurityGroup", zones[here]),
      })),
      ...each("Vxnet", (here) => ({ vpcId: this.id("Vpc", zones[here]), ipNetwork: networks[here] })),
      ...each(tunnelType(this.#kind), (here, there) => ({
        vpcId: this.id("Vpc", zones[here]),
        remoteAddress: this.eipAddress(zones[there]),
        targetNetworks: [networks[there]],
        ...(this.#kind === "ipsec"
          ? { presharedKey, localNetworks: [networks[here]] }
          : { key: 1001, localAddress: addresses[here], peerAddress: addresses[there] }),
      })),
    ];
  }
}

function tunnelType(kind: Kind): string {
  return kind === "ipsec" ? "IpsecTunnel" : "GreTunnel";
}
