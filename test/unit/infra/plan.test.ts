import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../infra/config.ts";
import { makePlan } from "../../../infra/plan/plan.ts";
import { overlaps } from "../../../qingcloud/networks.ts";
import { plain, validConfig, zoneOf } from "./configurations.ts";

const check = (claim: (plan: ReturnType<typeof makePlan>, config: Parameters<typeof makePlan>[0]) => void) =>
  fc.assert(
    fc.property(validConfig, (config) => claim(makePlan(config), config)),
    { numRuns: 50 },
  );
const isUnique = (items: readonly unknown[]) => expect(new Set(items).size).toBe(items.length);

describe("the plan of any valid configuration", () => {
  test("gives every node an address of its own, inside its zone's network and not the gateway's", () =>
    check(({ zones }) => {
      isUnique(zones.flatMap((zone) => [zone.gateway, ...zone.nodes.map((node) => node.privateIp)]));
      for (const zone of zones) {
        const addresses = [zone.gateway, ...zone.nodes.map((node) => node.privateIp)];
        expect(addresses.filter((address) => !overlaps(`${address}/32`, zone.network))).toEqual([]);
        expect(addresses.filter((address) => /\.(0|255)$/.test(address))).toEqual([]);
      }
    }));

  test("gives as many nodes as were asked for, each a name and, in its zone, an SSH port of its own", () =>
    check(({ zones }, config) => {
      expect(zones.map((zone) => zone.nodes.length)).toEqual(config.zones.map((zone) => zone.nodes));
      isUnique(zones.flatMap((zone) => zone.nodes.map((node) => node.name)));
      for (const { nodes } of zones) isUnique(nodes.map((node) => node.sshPort));
      const ports = zones.flatMap((zone) => zone.nodes.map(({ sshPort }) => sshPort));
      expect(ports.filter((port) => !(port < 65536))).toEqual([]);
    }));

  test("connects every pair of zones: a mesh by a tunnel each, a star by the first zone's tunnels", () =>
    check(({ zones, tunnels, paths }, { tunnel }) => {
      const names = zones.map((zone) => zone.name);
      const pairs = names.flatMap((a, i) => names.slice(i + 1).map((b) => [a, b]));
      expect(paths.map((path) => path.zones)).toEqual(pairs);
      expect(tunnels.map((each) => each.zones)).toEqual(
        tunnel.topology === "mesh" ? pairs : pairs.filter(([a]) => a === names[0]),
      );
      isUnique(tunnels.map((each) => each.name));
      expect(tunnels.map(({ kind }) => kind)).toEqual(tunnels.map(() => tunnel.kind));
    }));

  test("a packet from any zone to any other finds a way through tunnels that carry both networks", () =>
    check(({ zones, tunnels }) => {
      for (const from of zones) {
        for (const to of zones.filter((zone) => zone !== from)) {
          let at = from.name;
          for (let hops = 0; at !== to.name; hops += 1) {
            expect(hops).toBeLessThan(2);
            const onward = tunnels.flatMap(({ zones: [one, other], networks: [near, far] }) =>
              at === one
                ? [{ next: other, near, far }]
                : at === other
                  ? [{ next: one, near: far, far: near }]
                  : [],
            );
            const [taken, ...more] = onward.filter(
              ({ near, far }) => near.includes(from.network) && far.includes(to.network),
            );
            expect(more).toEqual([]);
            if (taken === undefined) throw new Error(`no way from ${from.name} to ${to.name} at ${at}`);
            at = taken.next;
          }
        }
      }
    }));

  test("joins two VPCs of one zone over its intranet unless that is off, and others over the internet", () =>
    check(({ zones, tunnels }, { tunnel }) => {
      const zoneIdOf = new Map(zones.map(({ name, zoneId }) => [name, zoneId]));
      for (const { zones: ends, over } of tunnels) {
        const [one, other] = ends.map((name) => zoneIdOf.get(name));
        expect(over).toBe(tunnel.intranet === "auto" && one === other ? "intranet" : "internet");
      }
    }));

  test("gives every GRE tunnel a key and two addresses of a subnet of its own, outside all networks", () =>
    check(({ tunnels, vpcNetwork }) => {
      const gre = tunnels.flatMap((tunnel) => (tunnel.kind === "gre" ? [tunnel] : []));
      isUnique(gre.map(({ key }) => key));
      const subnets = gre.map(({ addresses }) => addresses.map((address) => address.replace(/\.\d+$/, "")));
      isUnique(subnets.map(([one]) => one));
      for (const [one, other] of subnets) expect(one).toBe(other);
      for (const { addresses } of gre) {
        isUnique(addresses);
        for (const address of addresses) expect(overlaps(`${address}/32`, vpcNetwork)).toBe(false);
      }
    }));

  test("the subnet of a GRE tunnel is of its two networks alone: no change of the zones gives it to another tunnel", () => {
    const thirds = fc.uniqueArray(fc.nat(15), { minLength: 2, maxLength: 8 });
    const plans = fc.tuple(thirds, thirds, fc.constantFrom("mesh", "star"), fc.constantFrom("mesh", "star"));
    const subnetsOf = (networks: readonly number[], topology: string) => {
      const zones = networks.map((third, index) => zoneOf(`z${index}`, third));
      const tunnel = { kind: "gre", allowUnencrypted: true, topology };
      const plan = makePlan(parseConfig({ ...plain, zones, tunnel, training: { mode: "none" } }));
      const thirdOf = new Map(zones.map(({ name }, index) => [name, networks[index] ?? 0]));
      return plan.tunnels.flatMap((each) => {
        const pair = each.zones.map((name) => thirdOf.get(name) ?? 0).sort((a, b) => a - b);
        return each.kind === "gre" ? [[each.addresses[0], pair.join(" ")] as const] : [];
      });
    };
    fc.assert(
      fc.property(plans, ([one, other, first, second]) => {
        const before = new Map(subnetsOf(one, first));
        for (const [subnet, pair] of subnetsOf(other, second)) {
          if (before.has(subnet)) expect(before.get(subnet)).toBe(pair);
        }
      }),
    );
  });

  test("routes every zone to the network of all; tunnels have the MTU of their kind", () =>
    check(({ zones, tunnels, vpcNetwork }, { tunnel }) => {
      for (const zone of zones) expect(zone.routes).toEqual([vpcNetwork]);
      for (const { mtu } of tunnels) expect(mtu).toBe(tunnel.kind === "gre" ? 1472 : 1400);
    }));

  test("takes a smaller MTU that is given, of tunnels and of paths", () => {
    const { tunnels, paths } = makePlan(parseConfig({ ...plain, tunnel: { mtu: 1300 } }));
    expect([...tunnels, ...paths].map(({ mtu }) => mtu)).toEqual([1300, 1300]);
  });

  test("gives the ranks 0 to n-1 once each, one to a node, and the master is rank 0's address", () =>
    check(({ zones, training }, config) => {
      if (config.training.mode === "none") {
        expect(training).toBeUndefined();
        return;
      }
      const nodes = zones.flatMap((zone) => zone.nodes);
      expect(training?.launches.map(({ ranks }) => ranks)).toEqual(nodes.map((_, index) => [index]));
      expect(training?.launches.map(({ node }) => node)).toEqual(nodes.map((node) => node.name));
      expect(training?.worldSize).toBe(nodes.length);
      expect(training?.masterAddr).toBe(nodes[0]?.privateIp);
      expect(training?.masterPort).toBe(config.training.masterPort);
    }));

  test("lets SSH in only from operatorCidrs, and only to the ports of nodes", () =>
    check(({ zones }, config) => {
      for (const { nodes, rules } of zones) {
        const tcp = rules.filter((rule) => rule.protocol === "tcp");
        expect(tcp.map((rule) => rule.from)).toEqual(config.operatorCidrs.map((cidr) => ({ cidr })));
        const ports = nodes.map((node) => node.sshPort);
        for (const { fromPort, toPort } of tcp) {
          expect([fromPort, toPort]).toEqual([Math.min(...ports), Math.max(...ports)]);
        }
      }
    }));

  test("lets tunnels in only from zones at their other ends: GRE, or UDP 500, UDP 4500 and ESP", () =>
    check(({ zones, tunnels }, { tunnel }) => {
      for (const { name, rules } of zones) {
        const peers = tunnels
          .filter((each) => each.zones.includes(name))
          .map(({ zones: ends, over }) => ({ zone: ends.find((zone) => zone !== name) ?? "", over }));
        expect(rules.filter((rule) => rule.protocol !== "tcp")).toEqual(
          peers.flatMap((from) =>
            tunnel.kind === "gre"
              ? [{ protocol: "gre", from }]
              : [
                  { protocol: "udp", fromPort: 500, toPort: 500, from },
                  { protocol: "udp", fromPort: 4500, toPort: 4500, from },
                  { protocol: "esp", from },
                ],
          ),
        );
      }
    }));
});

test("without tunnels there is no route and no rule but SSH's", () => {
  const { zones, tunnels } = makePlan(
    parseConfig({ ...plain, tunnel: { kind: "none" }, training: { mode: "none" } }),
  );
  expect(tunnels).toEqual([]);
  for (const zone of zones) {
    expect(zone.routes).toEqual([]);
    expect(zone.rules.map((rule) => rule.protocol)).toEqual(["tcp"]);
  }
});
