/** Sites that a client of the API makes - a router with a vxnet - and the tunnels between them. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../local-cloud/network/machine/shell.ts";
import { firstId, type TestCloud } from "../local-cloud/support.ts";
import { output } from "./support.ts";

const key = "a key that is seen nowhere";

export interface Site {
  readonly zone: string;
  readonly router: string;
  /** `""` without an EIP. */
  readonly eip: string;
  /** The router's address in its vxnet. */
  readonly address: string;
}

export interface StaticValues {
  readonly type: 6 | 7;
  readonly val1: string;
  readonly val2: string;
  readonly val3?: string;
  readonly val4?: string;
}

export function ipsec(
  remote: string,
  local: string,
  target: string,
  { id = "", mode = "main" }: { id?: string; mode?: string } = {},
): StaticValues {
  return { type: 7, val1: `${remote}|aes|${key}|${id}`, val2: local, val3: target, val4: mode };
}

/** A GRE tunnel of key k has the addresses 10.254.k.2 and .3. */
export function gre(remote: string, greKey: number, side: "left" | "right", target: string): StaticValues {
  const [own, peer] = side === "left" ? [2, 3] : [3, 2];
  const val1 = `${remote}|${greKey}|10.254.${greKey}.${own}|10.254.${greKey}.${peer}`;
  return { type: 6, val1, val2: target };
}

export class Sites {
  readonly #cloud: TestCloud;
  readonly #prefix: string;
  readonly #groups = new Map<string, string>();

  constructor(cloud: TestCloud) {
    this.#cloud = cloud;
    const settings = JSON.parse(readFileSync(join(cloud.home, "settings.json"), "utf8")) as {
      prefix: string;
    };
    this.#prefix = settings.prefix;
  }

  namespace(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  /** Pings from the router's address in its vxnet to that of another one, or to any address. */
  ping(from: Site, to: Site | string): Promise<string> {
    const route = typeof to === "string" ? [to] : ["-I", from.address, to.address];
    const options = ["-c2", "-i0.2", "-W1"];
    return output("ip", "netns", "exec", this.namespace(from.router), "ping", ...options, ...route);
  }

  async make(zone: string, network: string, hasEip = true): Promise<Site> {
    const { client } = this.#cloud;
    const group = await this.#tunnelGroup(zone);
    const given = { zone, vpc_network: "192.168.0.0/16", security_group: group };
    const router = firstId((await client.done("CreateRouters", given)).routers);
    await client.done("ApplySecurityGroup", { zone, security_group: group });
    await this.join({ zone, router }, network);
    const address = network.replace(/0\/24$/, "1");
    if (!hasEip) return { zone, router, eip: "", address };
    const id = firstId((await client.ok("AllocateEips", { zone, bandwidth: "50" })).eips);
    await client.ok("ModifyRouterAttributes", { zone, router, eip: id });
    const eip = String((await client.one("DescribeEips", "eip_set", { zone, "eips.1": id })).eip_addr);
    return { zone, router, eip, address };
  }

  /** Joins a new vxnet to a site's router. */
  async join({ zone, router }: Pick<Site, "zone" | "router">, network: string): Promise<void> {
    const { client } = this.#cloud;
    const vxnet = firstId((await client.ok("CreateVxnets", { zone, vxnet_type: "1" })).vxnets);
    await client.done("JoinRouter", { zone, router, vxnet, ip_network: network });
  }

  async addTunnel({ zone, router }: Site, { type, ...values }: StaticValues): Promise<string> {
    const given = Object.entries(values).map(([name, value]) => [`statics.1.${name}`, value]);
    const statics = { "statics.1.static_type": String(type), ...Object.fromEntries(given) };
    const { router_statics } = await this.#cloud.client.ok("AddRouterStatics", { zone, router, ...statics });
    return firstId(router_statics);
  }

  async apply(...sites: Site[]): Promise<void> {
    for (const { zone, router } of sites) {
      await this.#cloud.client.done("UpdateRouters", { zone, "routers.1": router });
    }
  }

  async remove(site: Site, ...statics: string[]): Promise<void> {
    const named = Object.fromEntries(statics.map((id, index) => [`router_statics.${index + 1}`, id]));
    await this.#cloud.client.ok("DeleteRouterStatics", { zone: site.zone, ...named });
  }

  async untilUp(...statics: string[]): Promise<void> {
    await until(
      `tunnels ${statics.join(", ")}`,
      async () => {
        const { routers } = await this.#cloud.status();
        const up = routers.flatMap(({ tunnels }) => tunnels).filter(({ established }) => established);
        return statics.every((id) => up.some((tunnel) => tunnel.id === id));
      },
      20_000,
    );
  }

  /** A security group of a zone that lets tunnels in. */
  async #tunnelGroup(zone: string): Promise<string> {
    const made = this.#groups.get(zone);
    if (made !== undefined) return made;
    const { client } = this.#cloud;
    const group = String((await client.ok("CreateSecurityGroup", { zone })).security_group_id);
    const rules = [
      { protocol: "udp", val1: "500", val2: "500" },
      { protocol: "udp", val1: "4500", val2: "4500" },
      { protocol: "esp" },
      { protocol: "gre" },
    ];
    const parameters = rules.flatMap((rule, index) =>
      Object.entries({ ...rule, priority: "1", action: "accept" }).map(([name, value]) => [
        `rules.${index + 1}.${name}`,
        value,
      ]),
    );
    const added = Object.fromEntries(parameters) as Record<string, string>;
    await client.ok("AddSecurityGroupRules", { zone, security_group: group, ...added });
    this.#groups.set(zone, group);
    return group;
  }
}
