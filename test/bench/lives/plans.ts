/** Configurations of random lives, and what one step changes in them: each is one that the schema takes. */
import type { Value } from "../../harness/configuration.ts";
import { zoneIds } from "../interrupts/operations.ts";

export interface PlannedZone {
  readonly name: string;
  readonly formerly?: string;
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
  return {
    name: pick(draw, free),
    zoneId: pick(draw, zoneIds),
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
  move: changeZone(({ zoneId }) => ({ zoneId: zoneIds.find((each) => each !== zoneId) ?? zoneId })),
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
export function settingsOf({ zones, kind, topology, intranet, operators }: Plan): Record<string, Value> {
  return {
    zones,
    "tunnel.kind": kind,
    "tunnel.allowUnencrypted": kind === "gre",
    "tunnel.topology": topology,
    "tunnel.intranet": intranet,
    "tunnel.check": "off",
    operatorCidrs: operators,
    "training.mode": "none",
  };
}
