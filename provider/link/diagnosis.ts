/** Why packets do not pass a tunnel, or pass slowly: from what the API and the nodes tell. Pure. */
import { overlaps } from "../../qingcloud/networks.ts";
import { type TunnelPacket, tunnelPackets } from "../../qingcloud/tunnel-packets.ts";
import type { Rule } from "../cloud/security-rules.ts";
import type { EndFacts, TunnelFacts, TunnelStatic } from "./tunnel-facts.ts";

export interface Cause {
  readonly what: string;
  readonly cure: string;
}

/** How a node would send to the other one. */
export interface NodeRoute {
  /** Of the node. */
  readonly address: string;
  readonly peer: string;
  /** The next router; null where it needs none. */
  readonly via: string | null;
  /** Why it can not send; null where it can. */
  readonly error: string | null;
}

/** `up` puts back what someone changed only once a refresh has found it. */
const fix = "`pulumi up --refresh` fixes it";

/** Everything that is wrong with a tunnel; nothing where both ends agree. No text holds a key. */
export function diagnose({ kind, over, ends }: TunnelFacts): Cause[] {
  const [one, other] = ends;
  if (one === undefined || other === undefined) return [];
  const missing = ends.flatMap((end) => missingAt(end, over));
  // What follows from it is no further cause.
  if (missing.length > 0) return missing;
  return [
    ...[one, other].flatMap((end) => {
      const peer = end === one ? other : one;
      return [
        ...wrongAddress(end, peer, over),
        ...wrongNetworks(end, peer),
        ...closed(end, peer, kind, over),
      ];
    }),
    ...differences(one, other),
  ];
}

const named = ({ vpcId, zone }: EndFacts) => `router ${vpcId} (zone ${zone})`;

function missingAt(end: EndFacts, over: TunnelFacts["over"]): Cause[] {
  const { router, eip, tunnel, networks, vxnets } = end;
  if (router === undefined) return [{ what: `${named(end)} is gone`, cure: `${fix}, and makes another` }];
  if (router.status !== "active") {
    return [
      {
        what: `${named(end)} is ${router.status}`,
        cure: "power it on in the console, or wait until it is active",
      },
    ];
  }
  const isJoined = vxnets.some(({ network }) => networks.some((each) => overlaps(network, each)));
  return [
    ...(over === "internet" && eip === undefined
      ? [{ what: `${named(end)} has no EIP, so nothing reaches it`, cure: fix }]
      : []),
    ...(over === "internet" && eip !== undefined && eip.status !== "associated"
      ? [
          {
            what: `EIP ${eip.id} of ${named(end)} is ${eip.status}: UpdateRouters has not put it into effect`,
            cure: fix,
          },
        ]
      : []),
    ...(tunnel === undefined
      ? [{ what: `${named(end)} no longer has tunnel ${end.staticId}: someone has deleted it`, cure: fix }]
      : []),
    ...(tunnel?.isApplied === false
      ? [
          {
            what: `the tunnel ${tunnel.id} of ${named(end)} is not in effect: UpdateRouters is missing on this side`,
            cure: `${fix}; in the console it is "apply changes" of the router`,
          },
        ]
      : []),
    ...(isJoined ? [] : [{ what: `no vxnet with ${networks.join(", ")} is in ${named(end)}`, cure: fix }]),
  ];
}

function wrongAddress(end: EndFacts, peer: EndFacts, over: TunnelFacts["over"]): Cause[] {
  const { tunnel } = end;
  if (tunnel === undefined) return [];
  const right = over === "internet" ? [peer.eip?.address] : [peer.vpcId, peer.router?.privateIp];
  const ofTunnel = `the tunnel ${tunnel.id} of ${named(end)}`;
  const isAny = tunnel.kind === "ipsec" && tunnel.remoteAddress === "0.0.0.0";
  const id = tunnel.kind === "ipsec" ? (tunnel.remoteId ?? "%any") : "%any";
  return [
    ...(isAny || right.includes(tunnel.remoteAddress)
      ? []
      : [
          {
            what: `${ofTunnel} leads to ${tunnel.remoteAddress}, its peer ${named(peer)} is at ${right[0]}`,
            cure: fix,
          },
        ]),
    ...(id === "%any" || right.includes(id)
      ? []
      : [{ what: `${ofTunnel} wants a peer by the name ${id}, its peer's is ${right[0]}`, cure: fix }]),
  ];
}

function wrongNetworks(end: EndFacts, peer: EndFacts): Cause[] {
  const { tunnel } = end;
  if (tunnel === undefined) return [];
  const ofTunnel = `the tunnel ${tunnel.id} of ${named(end)}`;
  const lost = peer.networks.filter((network) => !tunnel.targetNetworks.includes(network));
  const own = end.vxnets.find(({ network }) => tunnel.targetNetworks.some((each) => overlaps(each, network)));
  const rival = end.others.find(({ targetNetworks }) =>
    targetNetworks.some((each) => peer.networks.some((network) => overlaps(each, network))),
  );
  const foreign =
    tunnel.kind === "ipsec" ? end.networks.filter((network) => !tunnel.localNetworks.includes(network)) : [];
  const targets = tunnel.targetNetworks.join(", ");
  return [
    ...(lost.length > 0
      ? [
          {
            what: `${ofTunnel} does not lead to ${lost.join(", ")} behind its peer, but to ${targets}`,
            cure: fix,
          },
        ]
      : []),
    ...(foreign.length > 0
      ? [{ what: `${ofTunnel} takes nothing from ${foreign.join(", ")} behind its own router`, cure: fix }]
      : []),
    ...(own === undefined
      ? []
      : [
          {
            what: `${ofTunnel} leads to ${targets}, which overlaps the router's own vxnet ${own.id} (${own.network})`,
            cure: "give one of them another network (crosszone:zones[].network)",
          },
        ]),
    ...(rival === undefined
      ? []
      : [
          {
            what: `another tunnel of ${named(end)}, ${rival.id}, leads to overlapping networks (${rival.targetNetworks.join(", ")}) and takes their packets`,
            cure: "delete that tunnel, or give it other networks, and apply the router's changes",
          },
        ]),
  ];
}

/** What the two ends must have in common. */
function differences(one: EndFacts, other: EndFacts): Cause[] {
  const [a, b] = [one.tunnel, other.tunnel];
  if (a === undefined || b === undefined) return [];
  const between = `of ${named(one)} and ${named(other)}`;
  const differ = (what: string) => [{ what: `${what} ${between} differ`, cure: `${fix} on both sides` }];
  if (a.kind === "ipsec" && b.kind === "ipsec") {
    return [
      ...(a.presharedKey === b.presharedKey ? [] : differ("the pre-shared keys")),
      ...(a.algorithm === b.algorithm ? [] : differ(`the algorithms (${a.algorithm}, ${b.algorithm})`)),
      ...(a.mode === b.mode ? [] : differ(`the IKE modes (${a.mode}, ${b.mode})`)),
    ];
  }
  if (a.kind === "gre" && b.kind === "gre") {
    const isMirrored = a.localAddress === b.peerAddress && a.peerAddress === b.localAddress;
    const addresses = [a, b].map(({ localAddress, peerAddress }) => `${localAddress} to ${peerAddress}`);
    return [
      ...(a.key === b.key ? [] : differ(`the keys (${a.key ?? "none"}, ${b.key ?? "none"})`)),
      ...(isMirrored ? [] : differ(`the point-to-point addresses (${addresses.join(", ")})`)),
    ];
  }
  return differ(`the kinds (${a.kind}, ${b.kind})`);
}

function closed(
  end: EndFacts,
  peer: EndFacts,
  kind: TunnelStatic["kind"],
  over: TunnelFacts["over"],
): Cause[] {
  const { group } = end;
  const from = over === "internet" ? peer.eip?.address : peer.router?.privateIp;
  if (group === undefined || from === undefined) return [];
  const ofGroup = `security group ${group.id} of ${named(end)}`;
  const shut = tunnelPackets[kind].filter((packet) => !isLetIn(group.rules, packet, from));
  const list = shut.map(({ protocol, port }) =>
    port === undefined ? protocol : `${protocol.toUpperCase()} ${port}`,
  );
  return [
    ...(shut.length > 0
      ? [
          {
            what: `${ofGroup} does not let in ${list.join(", ")} from ${from}, the router of zone ${peer.zone}`,
            cure: `${fix}, or add the rule accept ${list.join(", ")} from ${from}/32 and apply the group`,
          },
        ]
      : []),
    ...(group.isApplied
      ? []
      : [
          {
            what: `${ofGroup} has changes that are not in effect: ApplySecurityGroup is missing`,
            cure: fix,
          },
        ]),
  ];
}

/** The first inbound rule that matches decides; where none does, nothing comes in. */
function isLetIn(rules: readonly Rule[], { protocol, port }: TunnelPacket, from: string): boolean {
  const first = rules
    .filter(({ direction }) => direction === 0)
    .toSorted((one, other) => one.priority - other.priority)
    .find(
      (rule) =>
        rule.protocol === protocol &&
        (rule.cidrBlock === undefined || overlaps(withPrefix(rule.cidrBlock), `${from}/32`)) &&
        (port === undefined ||
          (port >= (rule.fromPort ?? 0) && port <= (rule.toPort ?? rule.fromPort ?? 65535))),
    );
  return first?.action === "accept";
}

function withPrefix(cidr: string): string {
  return cidr.includes("/") ? cidr : `${cidr}/32`;
}

/** Nodes that do not send by their zone's router. @param ends of all tunnels on the way */
export function diagnoseRoutes(routes: readonly NodeRoute[], ends: readonly EndFacts[]): Cause[] {
  const vxnets = ends.flatMap((end) => end.vxnets);
  return routes.flatMap(({ address, peer, via, error }) => {
    const gateway = vxnets.find(({ network }) => overlaps(network, `${address}/32`))?.gateway;
    const network = ends.flatMap(({ networks }) => networks).find((each) => overlaps(each, `${peer}/32`));
    const cure = `on the node: \`sudo ip route replace ${network ?? `${peer}/32`} via ${gateway ?? "ITS-ROUTER"}\`, or restart it: its user data sets the route at every boot`;
    if (error !== null) return [{ what: `the node ${address} has no route to ${peer} (${error})`, cure }];
    if (gateway === undefined || via === gateway) return [];
    const way = via === null ? "directly" : `by ${via}`;
    return [
      { what: `the node ${address} sends to ${peer} ${way}, not by its zone's router ${gateway}`, cure },
    ];
  });
}

/** EIPs that have less than was bought. */
export function diagnoseBandwidth(tunnels: readonly TunnelFacts[]): Cause[] {
  const ends = tunnels.flatMap((tunnel) => (tunnel.over === "internet" ? tunnel.ends : []));
  const found = ends.flatMap((end) => {
    const { eip, bandwidthMbps } = end;
    if (eip === undefined || bandwidthMbps === undefined || eip.bandwidthMbps >= bandwidthMbps) return [];
    const what = `EIP ${eip.id} of ${named(end)} has ${eip.bandwidthMbps} Mbit/s, not ${bandwidthMbps}: someone has changed it`;
    return [{ what, cure: fix }];
  });
  // An EIP may be at the end of several tunnels on the way.
  return [...new Map(found.map((cause) => [cause.what, cause])).values()];
}
