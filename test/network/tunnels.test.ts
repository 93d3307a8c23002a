/** Tunnels that a client of the API makes, on the wire: what the services say becomes what carries packets. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Observation } from "../../local-cloud/network/picture.ts";
import { until } from "../../local-cloud/network/shell.ts";
import { firstId, startTestCloud, type TestCloud } from "../local-cloud/support.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { output, watchWire } from "./support.ts";

const key = "a key that is seen nowhere";

interface Site {
  readonly zone: string;
  readonly router: string;
  readonly eip: string;
  /** The router's address in its vxnet. */
  readonly address: string;
}

let cloud: TestCloud;
let prefix = "";
const groups = new Map<string, string>();

const inRouter = ({ router }: Site, ...command: string[]) =>
  output("ip", "netns", "exec", `${prefix}-${router}`, ...command);
const ping = (from: Site, to: Site) =>
  inRouter(from, "ping", "-c2", "-i0.2", "-W1", "-I", from.address, to.address);

/** A security group of a zone that lets tunnels in. */
async function tunnelGroup(zone: string): Promise<string> {
  const made = groups.get(zone);
  if (made !== undefined) return made;
  const { client } = cloud;
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
  groups.set(zone, group);
  return group;
}

async function makeSite(zone: string, network: string, hasEip: boolean): Promise<Site> {
  const { client } = cloud;
  const group = await tunnelGroup(zone);
  const given = { zone, vpc_network: "192.168.0.0/16", security_group: group };
  const router = firstId((await client.done("CreateRouters", given)).routers);
  await client.done("ApplySecurityGroup", { zone, security_group: group });
  const vxnet = firstId((await client.ok("CreateVxnets", { zone, vxnet_type: "1" })).vxnets);
  await client.done("JoinRouter", { zone, router, vxnet, ip_network: network });
  const address = network.replace(/0\/24$/, "1");
  if (!hasEip) return { zone, router, eip: "", address };
  const id = firstId((await client.ok("AllocateEips", { zone, bandwidth: "50" })).eips);
  await client.ok("ModifyRouterAttributes", { zone, router, eip: id });
  const eip = String((await client.one("DescribeEips", "eip_set", { zone, "eips.1": id })).eip_addr);
  return { zone, router, eip, address };
}

type Values = { readonly type: 6 | 7 } & Readonly<Record<`val${1 | 2 | 3 | 4}`, string | undefined>>;

async function addTunnel({ zone, router }: Site, values: Partial<Values>): Promise<string> {
  const { type = 7, ...rest } = values;
  const given = Object.entries(rest).flatMap(([name, value]) =>
    value === undefined ? [] : [[`statics.1.${name}`, value]],
  );
  const statics = { "statics.1.static_type": String(type), ...Object.fromEntries(given) };
  return firstId((await cloud.client.ok("AddRouterStatics", { zone, router, ...statics })).router_statics);
}

async function apply(...sites: Site[]): Promise<void> {
  for (const { zone, router } of sites)
    await cloud.client.done("UpdateRouters", { zone, "routers.1": router });
}

/** Deletes tunnels, so that nothing of a test meets the next. */
async function remove(site: Site, ...statics: string[]): Promise<void> {
  const named = Object.fromEntries(statics.map((id, index) => [`router_statics.${index + 1}`, id]));
  await cloud.client.ok("DeleteRouterStatics", { zone: site.zone, ...named });
}

async function untilUp(...statics: string[]): Promise<void> {
  await until(
    `tunnels ${statics.join(", ")}`,
    async () => {
      const { routers }: Observation = await cloud.status();
      const up = routers.flatMap(({ tunnels }) => tunnels).filter(({ established }) => established);
      return statics.every((id) => up.some((tunnel) => tunnel.id === id));
    },
    20_000,
  );
}

const ipsec = (remote: string, local: string, target: string, more: { id?: string; mode?: string } = {}) => ({
  type: 7 as const,
  val1: `${remote}|aes|${key}|${more.id ?? ""}`,
  val2: local,
  val3: target,
  val4: more.mode,
});

describe("tunnels by the API", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    requireDataPlane();
    cloud = await startTestCloud({ dataPlane: "linux" });
    const settings = JSON.parse(readFileSync(join(cloud.home, "settings.json"), "utf8")) as {
      prefix: string;
    };
    prefix = settings.prefix;
  });

  afterAll(async () => {
    await cloud?.stop();
  });

  test("routers of one zone reach each other by their ids, without an EIP and in secret", async () => {
    const one = await makeSite("gpu1a", "192.168.1.0/24", false);
    const other = await makeSite("gpu1a", "192.168.2.0/24", false);
    const [first, second] = [
      await addTunnel(one, ipsec(other.router, "192.168.1.0/24", "192.168.2.0/24")),
      await addTunnel(other, ipsec(one.router, "192.168.2.0/24", "192.168.1.0/24", { id: one.router })),
    ];
    await apply(one, other);
    await untilUp(first, second);
    const seen = await watchWire(`${prefix}-switch`, /UDP-encap: ESP/, async () =>
      expect(await ping(one, other)).toContain("2 received"),
    );
    expect(seen).toMatch(/100\.64\.0\.1[01]\.4500 > 100\.64\.0\.1[01]\.4500: UDP-encap: ESP/);
    expect(seen).not.toContain("192.168.");
    await remove(one, first);
    await remove(other, second);
    const gre = (peer: Site, own: number, target: string) => ({
      type: 6 as const,
      val1: `${peer.router}|7|10.254.1.${own}|10.254.1.${5 - own}`,
      val2: target,
    });
    const [third, fourth] = [
      await addTunnel(one, gre(other, 2, "192.168.2.0/24")),
      await addTunnel(other, gre(one, 3, "192.168.1.0/24")),
    ];
    await apply(one, other);
    await untilUp(third, fourth);
    const clear = await watchWire(`${prefix}-switch`, /GREv0, key=0x7/, async () =>
      expect(await ping(other, one)).toContain("2 received"),
    );
    expect(clear).toMatch(/100\.64\.0\.1[01] > 100\.64\.0\.1[01]: GREv0, key=0x7/);
    await remove(one, third);
    await remove(other, fourth);
    await apply(one, other);
    expect(await ping(one, other)).toContain("0 received");
  });

  test("aggressive mode joins several networks on both sides, each pair by an SA of its own", async () => {
    const one = await makeSite("gpu1a", "192.168.11.0/24", true);
    const other = await makeSite("gpu2a", "192.168.21.0/24", true);
    const lan = async ({ zone, router }: Site, network: string) => {
      const vxnet = firstId((await cloud.client.ok("CreateVxnets", { zone, vxnet_type: "1" })).vxnets);
      await cloud.client.done("JoinRouter", { zone, router, vxnet, ip_network: network });
    };
    await lan(one, "192.168.12.0/24");
    await lan(other, "192.168.22.0/24");
    const [here, there] = ["192.168.11.0/24|192.168.12.0/24", "192.168.21.0/24|192.168.22.0/24"];
    const aggressive = { mode: "aggrmode" };
    const tunnels = [
      await addTunnel(one, ipsec(other.eip, here, there, aggressive)),
      await addTunnel(other, ipsec(one.eip, there, here, aggressive)),
    ];
    const handshake = await watchWire(`${prefix}-internet`, /phase 1 .* agg/, async () => {
      await apply(one, other);
      await untilUp(...tunnels);
    });
    expect(handshake).not.toContain("ident");
    for (const from of [one, { ...one, address: "192.168.12.1" }]) {
      for (const to of [other, { ...other, address: "192.168.22.1" }]) {
        expect(await ping(from, to), `${from.address} to ${to.address}`).toContain("2 received");
      }
    }
  });

  test("who takes any peer and any id is called by the one who names it", async () => {
    const hub = await makeSite("gpu1a", "192.168.31.0/24", true);
    const abroad = await makeSite("gpu2a", "192.168.32.0/24", true);
    const answering = await addTunnel(
      hub,
      ipsec("0.0.0.0", "192.168.31.0/24", "192.168.32.0/24", { id: "%any" }),
    );
    const calling = await addTunnel(abroad, ipsec(hub.eip, "192.168.32.0/24", "192.168.31.0/24"));
    await apply(hub, abroad);
    await untilUp(answering, calling);
    expect(await ping(hub, abroad)).toContain("2 received");
    await remove(abroad, calling);
    await apply(abroad);
    const neighbour = await makeSite("gpu1a", "192.168.32.0/24", false);
    const near = await addTunnel(neighbour, ipsec(hub.router, "192.168.32.0/24", "192.168.31.0/24"));
    await apply(neighbour);
    await untilUp(near);
    expect(await ping(neighbour, hub)).toContain("2 received");
  });

  test("spokes of a star reach each other through the hub, which has both their networks as its own", async () => {
    const hub = await makeSite("gpu1a", "192.168.41.0/24", true);
    const left = await makeSite("gpu2a", "192.168.42.0/24", true);
    const right = await makeSite("gpu2a", "192.168.43.0/24", true);
    const [h, l, r] = ["192.168.41.0/24", "192.168.42.0/24", "192.168.43.0/24"];
    const tunnels = [
      await addTunnel(hub, ipsec(left.eip, `${h}|${r}`, l)),
      await addTunnel(hub, ipsec(right.eip, `${h}|${l}`, r)),
      await addTunnel(left, ipsec(hub.eip, l, `${h}|${r}`)),
      await addTunnel(right, ipsec(hub.eip, r, `${h}|${l}`)),
    ];
    await apply(hub, left, right);
    await untilUp(...tunnels);
    expect(await ping(left, hub)).toContain("2 received");
    const seen = await watchWire(`${prefix}-internet`, /UDP-encap: ESP/, async () =>
      expect(await ping(left, right)).toContain("2 received"),
    );
    expect(seen).not.toMatch(/192\.168\./);
    expect(seen).toContain(`${left.eip}.4500 > ${hub.eip}.4500`);
    expect(seen).not.toContain(`${left.eip}.4500 > ${right.eip}.4500`);
  });
});
