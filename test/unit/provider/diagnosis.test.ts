import { describe, expect, test } from "vitest";
import { diagnose, diagnoseBandwidth, diagnoseRoutes } from "../../../provider/link/diagnosis.ts";
import type { EndFacts, TunnelFacts, TunnelStatic } from "../../../provider/link/tunnel-facts.ts";

type Rule = NonNullable<EndFacts["group"]>["rules"][number];

const rule = (protocol: Rule["protocol"], from: string, more: Partial<Rule> = {}): Rule => ({
  protocol,
  priority: 0,
  action: "accept",
  direction: 0,
  cidrBlock: `${from}/32`,
  ...more,
});
const port = (number: number) => ({ fromPort: number, toPort: number });
const addresses = ["203.0.113.10", "198.51.100.10"] as const;
const networks = ["192.168.1.0/24", "192.168.2.0/24"] as const;

/** What is so at one end of a tunnel that works. */
function endOf(kind: "ipsec" | "gre", here: 0 | 1): EndFacts {
  const there = here === 0 ? 1 : 0;
  const [own, peer] = [networks[here], networks[there]];
  const common = {
    id: `rtrs-${here}`,
    isApplied: true,
    remoteAddress: addresses[there],
    targetNetworks: [peer],
  };
  const tunnel: TunnelStatic =
    kind === "ipsec"
      ? { ...common, kind, algorithm: "aes", presharedKey: "the key", localNetworks: [own], mode: "main" }
      : {
          ...common,
          kind,
          key: 1001,
          localAddress: `10.254.0.${here + 1}`,
          peerAddress: `10.254.0.${there + 1}`,
        };
  return {
    zone: `gpu${here + 1}a`,
    vpcId: `rtr-${here}`,
    staticId: `rtrs-${here}`,
    networks: [own],
    bandwidthMbps: 20,
    router: { status: "active", privateIp: `100.64.0.${here + 2}` },
    eip: { id: `eip-${here}`, address: addresses[here], status: "associated", bandwidthMbps: 20 },
    tunnel,
    others: [],
    vxnets: [{ id: `vxnet-${here}`, network: own, gateway: own.replace(/0\/24$/, "1") }],
    group: {
      id: `sg-${here}`,
      isApplied: true,
      rules:
        kind === "gre"
          ? [rule("gre", addresses[there])]
          : [
              rule("udp", addresses[there], port(500)),
              rule("udp", addresses[there], port(4500)),
              rule("esp", addresses[there]),
            ],
    },
  };
}

interface Changes {
  readonly kind?: "ipsec" | "gre";
  readonly over?: TunnelFacts["over"];
  /** At the first end. */
  readonly end?: Partial<EndFacts>;
  readonly tunnel?: object;
}

function factsWith({ kind = "ipsec", over = "internet", end = {}, tunnel = {} }: Changes): TunnelFacts {
  const [one, other] = [endOf(kind, 0), endOf(kind, 1)];
  const changed = one.tunnel && ({ ...one.tunnel, ...tunnel } as TunnelStatic);
  return { kind, over, ends: [{ ...one, tunnel: changed, ...end }, other] };
}

const causes = (changes: Changes) => diagnose(factsWith(changes)).map(({ what }) => what);
const router = "router rtr-0 (zone gpu1a)";
const group = endOf("ipsec", 0).group;
const withRules = (rules: readonly Rule[]): Changes => ({
  end: { group: { id: "sg-0", isApplied: true, rules } },
});

test.each(["ipsec", "gre"] as const)("of a tunnel of kind %s that is right nothing is said", (kind) => {
  expect(causes({ kind })).toEqual([]);
});

test("a tunnel over the intranet may name its peer by the router's id or its address there", () => {
  const ofIntranet = (remoteAddress: string) => {
    const facts = factsWith({ over: "intranet", tunnel: { remoteAddress } });
    const rules = ["100.64.0.3", "100.64.0.2"].map((from) => [
      rule("udp", from, { fromPort: 1, toPort: 65535 }),
      rule("esp", from),
    ]);
    const ends = facts.ends.map((end, index) => ({
      ...end,
      eip: undefined,
      group: { id: `sg-${index}`, isApplied: true, rules: rules[index] ?? [] },
      tunnel: index === 0 ? end.tunnel : ({ ...end.tunnel, remoteAddress: "rtr-0" } as TunnelStatic),
    }));
    return diagnose({ ...facts, ends });
  };
  expect(ofIntranet("rtr-1")).toEqual([]);
  expect(ofIntranet("100.64.0.3")).toEqual([]);
  expect(ofIntranet(addresses[1]).map(({ what }) => what)).toEqual([
    `the tunnel rtrs-0 of ${router} leads to 198.51.100.10, its peer router rtr-1 (zone gpu2a) is at rtr-1`,
  ]);
});

describe("what is missing is told alone", () => {
  const eip = endOf("ipsec", 0).eip;
  test.each<[string, Changes, string]>([
    ["a router", { end: { router: undefined } }, `${router} is gone`],
    ["a router that is off", { end: { router: { status: "poweroffed" } } }, `${router} is poweroffed`],
    ["an EIP", { end: { eip: undefined } }, `${router} has no EIP, so nothing reaches it`],
    [
      "an EIP that is not in effect",
      { end: { eip: eip && { ...eip, status: "available" } } },
      `EIP eip-0 of ${router} is available: UpdateRouters has not put it into effect`,
    ],
    [
      "the tunnel",
      { end: { tunnel: undefined } },
      `${router} no longer has tunnel rtrs-0: someone has deleted it`,
    ],
    [
      "UpdateRouters",
      { tunnel: { isApplied: false, presharedKey: "another" } },
      `the tunnel rtrs-0 of ${router} is not in effect: UpdateRouters is missing on this side`,
    ],
    ["the vxnet", { end: { vxnets: [] } }, `no vxnet with 192.168.1.0/24 is in ${router}`],
  ])("%s", (_what, changes, expected) => {
    expect(causes(changes)).toEqual([expected]);
  });
});

describe("what the two ends say of each other", () => {
  const ofTunnel = `the tunnel rtrs-0 of ${router}`;
  const both = `of ${router} and router rtr-1 (zone gpu2a) differ`;
  test.each<[string, Changes, string[]]>([
    [
      "another peer",
      { tunnel: { remoteAddress: "203.0.113.99" } },
      [`${ofTunnel} leads to 203.0.113.99, its peer router rtr-1 (zone gpu2a) is at 198.51.100.10`],
    ],
    [
      "another name of the peer",
      { tunnel: { remoteId: "203.0.113.99" } },
      [`${ofTunnel} wants a peer by the name 203.0.113.99, its peer's is 198.51.100.10`],
    ],
    ["the peer by any name", { tunnel: { remoteId: "%any" } }, []],
    [
      "another target",
      { tunnel: { targetNetworks: ["192.168.9.0/24"] } },
      [`${ofTunnel} does not lead to 192.168.2.0/24 behind its peer, but to 192.168.9.0/24`],
    ],
    [
      "another local network",
      { tunnel: { localNetworks: ["192.168.9.0/24"] } },
      [`${ofTunnel} takes nothing from 192.168.1.0/24 behind its own router`],
    ],
    [
      "an own network that overlaps the target",
      {
        end: {
          vxnets: [
            { id: "vxnet-0", network: "192.168.1.0/24", gateway: "192.168.1.1" },
            { id: "vxnet-9", network: "192.168.2.128/25", gateway: "192.168.2.129" },
          ],
        },
      },
      [
        `${ofTunnel} leads to 192.168.2.0/24, which overlaps the router's own vxnet vxnet-9 (192.168.2.128/25)`,
      ],
    ],
    [
      "another tunnel to overlapping networks",
      {
        end: {
          others: [
            { ...endOf("gre", 0).tunnel, id: "rtrs-9", targetNetworks: ["192.168.0.0/16"] } as TunnelStatic,
          ],
        },
      },
      [
        `another tunnel of ${router}, rtrs-9, leads to overlapping networks (192.168.0.0/16) and takes their packets`,
      ],
    ],
    ["another key", { tunnel: { presharedKey: "another key" } }, [`the pre-shared keys ${both}`]],
    ["another algorithm", { tunnel: { algorithm: "3des" } }, [`the algorithms (3des, aes) ${both}`]],
    ["another mode", { tunnel: { mode: "aggrmode" } }, [`the IKE modes (aggrmode, main) ${both}`]],
    ["another key of GRE", { kind: "gre", tunnel: { key: 7 } }, [`the keys (7, 1001) ${both}`]],
    [
      "other addresses of GRE",
      { kind: "gre", tunnel: { localAddress: "10.254.0.9" } },
      [`the point-to-point addresses (10.254.0.9 to 10.254.0.2, 10.254.0.2 to 10.254.0.1) ${both}`],
    ],
  ])("%s", (_what, changes, expected) => {
    expect(causes(changes)).toEqual(expected);
  });

  test("no key of IPSec is in any text", () => {
    const found = diagnose(
      factsWith({ tunnel: { presharedKey: "another key", remoteAddress: "203.0.113.99" } }),
    );
    expect(found).toHaveLength(2);
    expect(JSON.stringify(found)).not.toMatch(/the key|another key/);
  });
});

describe("the security group", () => {
  const shut = (list: string) =>
    `security group sg-0 of ${router} does not let in ${list} from 198.51.100.10, the router of zone gpu2a`;
  const rules = group?.rules ?? [];
  test.each<[string, readonly Rule[], string[]]>([
    ["without a rule", [], [shut("UDP 500, UDP 4500, esp")]],
    ["without one of them", rules.slice(0, 1), [shut("UDP 4500, esp")]],
    [
      "for another address",
      rules.map((each) => ({ ...each, cidrBlock: "203.0.113.99" })),
      [shut("UDP 500, UDP 4500, esp")],
    ],
    ["for everybody", rules.map(({ cidrBlock: _, ...each }) => each), []],
    [
      "for a network with the peer in it",
      rules.map((each) => ({ ...each, cidrBlock: "198.51.100.0/24" })),
      [],
    ],
    [
      "for outbound packets alone",
      rules.map((each) => ({ ...each, direction: 1 as const })),
      [shut("UDP 500, UDP 4500, esp")],
    ],
    [
      "with a rule before it that drops",
      [...rules, rule("udp", addresses[1], { ...port(500), action: "drop" })].map((each, index) => ({
        ...each,
        priority: index === 3 ? 1 : 2,
      })),
      [shut("UDP 500")],
    ],
  ])("%s", (_what, given, expected) => {
    expect(causes(withRules(given))).toEqual(expected);
  });

  test("for GRE must let in gre", () => {
    expect(causes({ kind: "gre", ...withRules(rules) })).toEqual([shut("gre")]);
  });

  test("that is not applied is told", () => {
    expect(causes({ end: { group: group && { ...group, isApplied: false } } })).toEqual([
      `security group sg-0 of ${router} has changes that are not in effect: ApplySecurityGroup is missing`,
    ]);
  });
});

describe("a node's route", () => {
  const ends = factsWith({}).ends;
  const route = { address: "192.168.1.2", peer: "192.168.2.2", via: "192.168.1.1", error: null };
  test("by its zone's router is right", () => {
    expect(diagnoseRoutes([route], ends)).toEqual([]);
  });
  test.each([
    [
      { via: null, error: "RTNETLINK answers: Network is unreachable" },
      "the node 192.168.1.2 has no route to 192.168.2.2 (RTNETLINK answers: Network is unreachable)",
    ],
    [
      { via: "192.168.1.77" },
      "the node 192.168.1.2 sends to 192.168.2.2 by 192.168.1.77, not by its zone's router 192.168.1.1",
    ],
    [
      { via: null },
      "the node 192.168.1.2 sends to 192.168.2.2 directly, not by its zone's router 192.168.1.1",
    ],
  ])("that is %j is told, with the route that fixes it", (changes, what) => {
    expect(diagnoseRoutes([{ ...route, ...changes }], ends)).toEqual([
      {
        what,
        cure: "on the node: `sudo ip route replace 192.168.2.0/24 via 192.168.1.1`, or restart it: its user data sets the route at every boot",
      },
    ]);
  });
});

test("an EIP that has less than was bought is named once", () => {
  const facts = factsWith({});
  const [one, other] = facts.ends;
  const eip = one?.eip && { ...one.eip, bandwidthMbps: 2 };
  const ends = [{ ...one, eip }, other] as EndFacts[];
  expect(diagnoseBandwidth([facts])).toEqual([]);
  expect(
    diagnoseBandwidth([
      { ...facts, ends },
      { ...facts, ends },
    ]),
  ).toEqual([
    {
      what: `EIP eip-0 of ${router} has 2 Mbit/s, not 20: someone has changed it`,
      cure: "`pulumi up --refresh` fixes it",
    },
  ]);
});
