/** Configurations of random lives, and what one step changes in them: each is one that the schema takes. */
import type { Value } from "../../harness/configuration.ts";
import { zoneIds } from "../interrupts/operations.ts";

/** A network with its router and EIP, a router that has no EIP, or an EIP: there is one of each in every zone of the cloud. */
const joined = ["network", "router", "eip"] as const;
export type Joined = (typeof joined)[number];

/** What a zone joins there, and the network that it has then; absent where the zone chooses it. */
export interface Theirs {
  readonly existing: Readonly<Record<string, string>>;
  readonly network?: string;
}
export type TheirsIn = (zoneId: string, kind: Joined) => Theirs;

export interface PlannedZone {
  readonly name: string;
  readonly formerly?: string;
  /** What it joins of somebody else's. */
  readonly joins?: Joined | undefined;
  readonly zoneId: string;
  readonly network: string;
  readonly nodes: number;
  readonly bandwidthMbps: number;
  readonly shape: { readonly instanceType: string };
  readonly imageId: string;
}

export interface Plan {
  readonly zones: readonly PlannedZone[];
  readonly kind: "ipsec" | "gre" | "none";
  readonly topology: "mesh" | "star";
  readonly intranet: "auto" | "off";
  readonly operators: readonly string[];
}

const names = ["beijing", "shanghai", "tianjin", "b", "s-2", "gz"] as const;
const mostZones = 4;
const shapes = ["c1m1", "c2m2"] as const;

/** Whole numbers, each drawn below a bound: what a step is made of, so that a failing life shrinks. */
export type Draw = (below: number) => number;

function pick<Item>(draw: Draw, items: readonly Item[]): Item {
  return items[draw(items.length)] as Item;
}

function newZone(draw: Draw, { zones }: Pick<Plan, "zones">): PlannedZone {
  const free = names.filter((name) => !zones.some((each) => each.name === name || each.formerly === name));
  const thirds = [1, 2, 3, 4, 5, 6].filter(
    (third) => !zones.some((each) => each.network === networkOf(third)),
  );
  const zoneId = pick(draw, zoneIds);
  const [isJoining, kind] = [draw(3) === 0, pick(draw, joined)];
  const isTaken = zones.some((each) => each.zoneId === zoneId && each.joins === kind);
  return {
    name: pick(draw, free),
    zoneId,
    ...(isJoining && !isTaken ? { joins: kind } : {}),
    network: networkOf(pick(draw, thirds)),
    nodes: 1 + draw(2),
    bandwidthMbps: 1 + draw(40),
    shape: { instanceType: pick(draw, shapes) },
    imageId: "img-bare",
  };
}

const networkOf = (third: number) => `192.168.${third}.0/24`;

export function firstPlan(draw: Draw): Plan {
  const count = 1 + draw(3);
  let zones: readonly PlannedZone[] = [];
  while (zones.length < count) zones = [...zones, newZone(draw, { zones })];
  return {
    zones,
    kind: pick(draw, ["ipsec", "gre", "none"]),
    topology: pick(draw, ["mesh", "star"]),
    intranet: pick(draw, ["auto", "off"]),
    operators: ["198.51.100.7/32"],
  };
}

type Change = (plan: Plan, draw: Draw) => Plan;

const changeZone =
  (change: (zone: PlannedZone, draw: Draw, plan: Plan) => Partial<PlannedZone>): Change =>
  (plan, draw) => {
    const chosen = draw(plan.zones.length);
    return {
      ...plan,
      zones: plan.zones.map((zone, index) =>
        index === chosen ? { ...zone, ...change(zone, draw, plan) } : zone,
      ),
    };
  };

/** One thing each: a change of the user's between two `up`. */
const changes: Readonly<Record<string, Change>> = {
  bandwidth: changeZone((_, draw) => ({ bandwidthMbps: 1 + draw(40) })),
  nodes: changeZone((_, draw) => ({ nodes: 1 + draw(3) })),
  shape: changeZone(({ shape }) => ({
    shape: { instanceType: shape.instanceType === "c1m1" ? "c2m2" : "c1m1" },
  })),
  move: changeZone(({ zoneId }) => ({
    zoneId: zoneIds.find((each) => each !== zoneId) ?? zoneId,
    joins: undefined,
  })),
  join: changeZone(({ zoneId, joins }, draw, { zones }) => {
    const isFree = (kind: Joined) => !zones.some((each) => each.zoneId === zoneId && each.joins === kind);
    return {
      joins:
        joins === undefined ? [joined[draw(joined.length)]].find((kind) => kind && isFree(kind)) : undefined,
    };
  }),
  network: changeZone((_, draw, plan) => ({ network: newZone(draw, plan).network })),
  rename: changeZone((zone, draw, plan) => ({ name: newZone(draw, plan).name, formerly: zone.name })),
  swap: (plan, draw) => {
    const [one, other] = [draw(plan.zones.length), draw(plan.zones.length)];
    const networks = plan.zones.map(({ network }) => network);
    const at = (index: number) => networks[index === one ? other : index === other ? one : index] ?? "";
    return { ...plan, zones: plan.zones.map((zone, index) => ({ ...zone, network: at(index) })) };
  },
  more: (plan, draw) =>
    plan.zones.length >= mostZones ? plan : { ...plan, zones: [...plan.zones, newZone(draw, plan)] },
  fewer: (plan, draw) => {
    if (plan.zones.length === 1) return plan;
    const gone = draw(plan.zones.length);
    return { ...plan, zones: plan.zones.filter((_, index) => index !== gone) };
  },
  kind: (plan, draw) => ({ ...plan, kind: pick(draw, ["ipsec", "gre", "none"]) }),
  topology: (plan) => ({ ...plan, topology: plan.topology === "mesh" ? "star" : "mesh" }),
  intranet: (plan) => ({ ...plan, intranet: plan.intranet === "auto" ? "off" : "auto" }),
  operators: (plan, draw) => ({
    ...plan,
    operators: [`198.51.100.${7 + draw(3)}/32`, "203.0.113.0/24"].slice(draw(2)),
  }),
};
export const changeNames = Object.keys(changes);

export function changed(name: string, plan: Plan, draw: Draw): Plan {
  const change = changes[name];
  if (change === undefined) throw new Error(`there is no change "${name}"`);
  // A zone's name until now is said for one `up`.
  const zones = plan.zones.map(({ formerly: _, ...zone }) => zone);
  return change({ ...plan, zones }, draw);
}

/** The settings of a plan; without a data plane nobody logs in to a node. */
export function settingsOf(
  { zones, kind, topology, intranet, operators }: Plan,
  theirsIn: TheirsIn,
): Record<string, Value> {
  return {
    zones: zones.map(({ joins, ...zone }) =>
      joins === undefined ? zone : joining(zone, joins, theirsIn(zone.zoneId, joins)),
    ),
    "tunnel.kind": kind,
    "tunnel.allowUnencrypted": kind === "gre",
    "tunnel.topology": topology,
    "tunnel.intranet": intranet,
    "tunnel.check": "off",
    operatorCidrs: operators,
    "training.mode": "none",
  };
}

/** An EIP that is there has its bandwidth. */
function joining({ bandwidthMbps, ...zone }: PlannedZone, kind: Joined, { existing, network }: Theirs) {
  return {
    ...zone,
    existing,
    network: network ?? zone.network,
    ...(kind === "router" ? { bandwidthMbps } : {}),
  };
}

/** Something wrong that a user may write; nothing may be made or changed for it. */
const mistakes: Readonly<Record<string, (settings: Record<string, Value>) => Record<string, Value>>> = {
  "a zone that the account does not have": (settings) => withFirstZone(settings, { zoneId: "gpu9z" }),
  "a bandwidth below one": (settings) => withFirstZone(settings, { bandwidthMbps: 0 }),
  "a network that is none": (settings) => withFirstZone(settings, { network: "192.168.1.0" }),
  "somebody's EIP that is not there": (settings) =>
    withFirstZone(settings, { existing: { eipId: "eip-00000000" }, bandwidthMbps: undefined }),
  "a zone twice": (settings) => ({
    ...settings,
    zones: (settings.zones as readonly object[]).flatMap((zone) => [zone, zone]),
  }),
  "no zone": (settings) => ({ ...settings, zones: [] }),
  "a tunnel of another kind": (settings) => ({ ...settings, "tunnel.kind": "wireguard" }),
  "an address of no operator": (settings) => ({ ...settings, operatorCidrs: ["everywhere"] }),
};
export const mistakeNames = Object.keys(mistakes);

export function mistaken(name: string, settings: Record<string, Value>): Record<string, Value> {
  const make = mistakes[name];
  if (make === undefined) throw new Error(`there is no mistake "${name}"`);
  return make(settings);
}

function withFirstZone(settings: Record<string, Value>, change: object): Record<string, Value> {
  const [first, ...rest] = settings.zones as readonly object[];
  return { ...settings, zones: [{ ...first, ...change }, ...rest] };
}
