/** Which zones' routers are joined by tunnels, what each side carries, and which pairs of zones that connects. Pure. */
import { addressIn } from "../../qingcloud/networks.ts";

type Topology = "mesh" | "star";

/** What the configuration says of tunnels. */
interface Wanted {
  readonly zones: readonly { readonly name: string; readonly zoneId: string; readonly network: string }[];
  readonly tunnel: {
    readonly kind: TunnelPlan["kind"] | "none";
    readonly topology: Topology;
    readonly intranet: "auto" | "off";
    readonly mtu?: number | undefined;
  };
}

/** What carries a tunnel: EIPs with their bandwidth, or the intranet of the zone that both routers are in. */
export type Carrier = "internet" | "intranet";

interface Common {
  /** `a-b`, of the zones' names. */
  readonly name: string;
  readonly zones: readonly [string, string];
  readonly over: Carrier;
  /** Networks behind each side's router, its zone's own first: the hub of a star carries for the other spokes too. */
  readonly networks: readonly [readonly string[], readonly string[]];
  /** Largest packet that passes, bytes. */
  readonly mtu: number;
}

export type TunnelPlan =
  | (Common & { readonly kind: "ipsec" })
  | (Common & {
      readonly kind: "gre";
      /** Tells the tunnel's packets from those of others; it is no secret. */
      readonly key: number;
      /** Point-to-point addresses of the two sides. */
      readonly addresses: readonly [string, string];
    });

/** Two zones whose nodes reach each other, over one tunnel or, through the hub of a star, over two. */
export interface PathPlan {
  readonly name: string;
  readonly zones: readonly [string, string];
  readonly mtu: number;
}

/** Inner packets on a 1,500-byte path: of ESP in UDP 4500 with AES and SHA, as strongSwan's own interface has; of GRE with a key. */
export const mtus = { ipsec: 1400, gre: 1472 } as const;
/** Each GRE tunnel takes a /24 of it: QingCloud wants a subnet of its own for the two addresses of every tunnel. */
const pointToPoint = "10.254.0.0/16";
/** How many tunnels `pointToPoint` has subnets for. */
export const mostGreTunnels = 256;
const firstKey = 1001;

/** How many tunnels a stack has. */
export function countTunnels(zones: number, topology: Topology): number {
  return topology === "star" ? Math.max(0, zones - 1) : (zones * (zones - 1)) / 2;
}

/** Every pair of zones; in a star only the first zone, where the master is, with each other one. */
export function planTunnels({ zones, tunnel }: Wanted): TunnelPlan[] {
  const { kind, topology, mtu } = tunnel;
  if (kind === "none") return [];
  const isStar = topology === "star";
  const taken = new Set<number>();
  return pairs(isStar ? zones.slice(0, 1) : zones, zones).map(([one, other]) => {
    const relayed = isStar ? zones.slice(1).filter((zone) => zone !== other) : [];
    const common: Common = {
      name: `${one.name}-${other.name}`,
      zones: [one.name, other.name] as const,
      over: tunnel.intranet === "auto" && one.zoneId === other.zoneId ? "intranet" : "internet",
      networks: [[one, ...relayed].map(({ network }) => network), [other.network]] as const,
      mtu: mtu ?? mtus[kind],
    };
    if (kind === "ipsec") return { ...common, kind };
    const subnet = subnetOf(one.network, other.network, taken);
    const address = (host: number) => addressIn(pointToPoint, subnet * 256 + host);
    return { ...common, kind, key: firstKey + subnet, addresses: [address(1), address(2)] as const };
  });
}

const lowOctets = 16;

/**
 * Number of the subnet of a GRE tunnel between two networks. It does not depend on the other tunnels where the networks are
 * 0 to 15 of their VPC: a tunnel that comes while another goes must not have that one's, and one that stays keeps its own.
 * Others have one of those that are left.
 * @param taken the numbers of the tunnels before, to which this one is added
 */
function subnetOf(one: string, other: string, taken: Set<number>): number {
  const [low = 0, high = 0] = [one, other].map(thirdOctetOf).sort((a, b) => a - b);
  const isOwn = low < high && high < lowOctets;
  const left = [...Array(mostGreTunnels).keys()].filter((each) => each >> 4 >= each % lowOctets);
  const from = (low * 31 + high) % left.length;
  const rest = [...left.slice(from), ...left.slice(0, from)];
  const all = [...(isOwn ? [low * lowOctets + high] : []), ...rest, ...Array(mostGreTunnels).keys()];
  const subnet = all.find((each) => !taken.has(each));
  if (subnet === undefined)
    throw new Error(`There are ${mostGreTunnels} subnets for GRE tunnels, and all are taken.`);
  taken.add(subnet);
  return subnet;
}

const thirdOctetOf = (network: string): number => Number(network.split(".")[2]);

/** Every pair of zones that is connected. */
export function planPaths(
  { zones }: { readonly zones: readonly { readonly name: string }[] },
  tunnels: readonly TunnelPlan[],
): PathPlan[] {
  const [first] = tunnels;
  if (first === undefined) return [];
  return pairs(zones, zones).map(([one, other]) => ({
    name: `${one.name}-${other.name}`,
    zones: [one.name, other.name],
    mtu: first.mtu,
  }));
}

/** The zone at the other end; undefined of a zone that is at neither. */
export function peerOf([one, other]: readonly [string, string], zone: string): string | undefined {
  return one === zone ? other : other === zone ? one : undefined;
}

/** Each of `ones` with every one of `all` behind it. */
function pairs<Item>(ones: readonly Item[], all: readonly Item[]): (readonly [Item, Item])[] {
  return ones.flatMap((one) => all.slice(all.indexOf(one) + 1).map((other) => [one, other] as const));
}
