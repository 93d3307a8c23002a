/**
 * How long a step takes at a bandwidth, and which bandwidth is worth its money. Pure.
 *
 * Ranks average in a ring, in the order of their numbers: each sends 2 (n - 1) / n of what is averaged to the next one
 * (gloo and nccl do so). Where the next one is in another zone that passes both zones' EIPs, and in a star the hub's too.
 */
import { acknowledgementShare, goodputShare } from "./goodput.ts";

/** A tunnel between two zones, as planned or as the path check has found it. */
export interface Link {
  readonly zones: readonly [string, string];
  readonly kind: "ipsec" | "gre";
  /** Over a zone's intranet no EIP bounds it. */
  readonly over: "internet" | "intranet";
  /** Largest packet that passes, bytes. */
  readonly mtu: number;
  /** Null where it was not measured. */
  readonly rttMs: number | null;
}

/** What a step of a run does. */
export interface Work {
  /** The zone of each rank, in the order of ranks. */
  readonly zones: readonly string[];
  readonly links: readonly Link[];
  /** Seconds that a step takes without the other ranks. */
  readonly computeSeconds: number;
  /** What a rank hands to the group in a step, bytes; the mean, where it does so in some steps only. */
  readonly payloadBytes: number;
  /** The part of the steps in which it does. */
  readonly averagings: number;
  /** The part of the payload that may be sent while gradients are still computed. */
  readonly hideable: number;
}

/** Bytes on the wire of a zone's EIP, for each byte that is averaged. */
interface Load {
  out: number;
  in: number;
}

const mebibyte = 2 ** 20;
/** Of DistributedDataParallel: its first bucket of gradients is smaller, to begin early. */
const buckets = { first: mebibyte, others: 25 * mebibyte };
/** Of a step's computation, the backward pass. */
const backward = 2 / 3;
/** Where twice the bandwidth makes a step less than this part shorter, more is not worth it. */
const worthwhile = 1 / 5;

/** What an EIP can have, Mbit/s. */
export const mostMbps = 1000;

/** What each rank sends in a ring, for each byte that is averaged. */
export function ringShare(ranks: number): number {
  return (2 * (ranks - 1)) / ranks;
}

/**
 * Buckets of gradients before the last go out while the backward pass goes on; where ranks train alone in between, nothing
 * does.
 * @param gradientBytes of all parameters
 * @param averagings as of `Work`
 */
export function hideablePart(gradientBytes: number, averagings = 1): number {
  if (gradientBytes <= buckets.first || averagings < 1) return 0;
  const rest = gradientBytes - buckets.first;
  const last = rest % buckets.others || buckets.others;
  return 1 - last / gradientBytes;
}

/** @param mbps of a zone's EIP */
export function secondsPerStep(work: Work, mbps: (zone: string) => number): number {
  return secondsWith(work, loadsOf(work), mbps);
}

function secondsWith(
  work: Work,
  { loads, rttSeconds }: ReturnType<typeof loadsOf>,
  mbps: (zone: string) => number,
): number {
  const bytes = work.payloadBytes;
  const transfers = [...loads].map(
    ([zone, load]) => (Math.max(load.out, load.in) * bytes * 8) / (mbps(zone) * 1e6),
  );
  const transfer = Math.max(0, ...transfers);
  const hidden = Math.min(transfer, backward * work.computeSeconds) * work.hideable;
  const latency = (work.zones.length - 1) * rttSeconds * work.averagings;
  return work.computeSeconds + transfer - hidden + latency;
}

/** Bytes that pass each zone's EIP in a step: those of the direction that has more. */
export function bytesPerStep(work: Work): Map<string, number> {
  return new Map(
    [...loadsOf(work).loads].map(([zone, load]) => [zone, Math.max(load.out, load.in) * work.payloadBytes]),
  );
}

/**
 * The smallest bandwidth at which twice as much makes a step less than a fifth shorter: below it time is bought cheaply,
 * above it dearly.
 * @param most that there may be, Mbit/s
 * @returns Mbit/s, and whether it is the knee, or only as much as there may be
 */
export function kneeOf(work: Work, most: number = mostMbps): { mbps: number; isReached: boolean } {
  const loads = loadsOf(work);
  const seconds = (mbps: number) => secondsWith(work, loads, () => mbps);
  for (let mbps = 1; mbps <= most; mbps += 1) {
    if ((seconds(mbps) - seconds(2 * mbps)) / seconds(mbps) < worthwhile) return { mbps, isReached: true };
  }
  return { mbps: most, isReached: false };
}

function loadsOf({ zones, links }: Work): { loads: Map<string, Load>; rttSeconds: number } {
  const loads = new Map<string, Load>();
  const loadOf = (zone: string) => {
    const load = loads.get(zone) ?? { out: 0, in: 0 };
    loads.set(zone, load);
    return load;
  };
  const ranks = zones.length;
  const sent = ringShare(ranks);
  let rttMs = 0;
  zones.forEach((zone, rank) => {
    const legs = routeOf(zone, zones[(rank + 1) % ranks] ?? zone, links);
    rttMs = Math.max(
      rttMs,
      legs.reduce((sum, { link }) => sum + (link.rttMs ?? 0), 0),
    );
    for (const { from, to, link } of legs.filter((leg) => leg.link.over === "internet")) {
      const data = sent / goodputShare(link.kind, link.mtu);
      const acknowledgements = sent * acknowledgementShare(link.kind, link.mtu);
      loadOf(from).out += data;
      loadOf(to).in += data;
      loadOf(to).out += acknowledgements;
      loadOf(from).in += acknowledgements;
    }
  });
  return { loads, rttSeconds: rttMs / 1000 };
}

interface Leg {
  readonly from: string;
  readonly to: string;
  readonly link: Link;
}

/** Over the tunnel between two zones, else through the zone that has one with both. */
function routeOf(from: string, to: string, links: readonly Link[]): Leg[] {
  if (from === to) return [];
  const between = (one: string, other: string) =>
    links.find(({ zones }) => zones.includes(one) && zones.includes(other));
  const direct = between(from, to);
  if (direct !== undefined) return [{ from, to, link: direct }];
  for (const hub of new Set(links.flatMap(({ zones }) => zones))) {
    const [first, second] = [between(from, hub), between(hub, to)];
    if (first !== undefined && second !== undefined && hub !== from && hub !== to) {
      return [
        { from, to: hub, link: first },
        { from: hub, to, link: second },
      ];
    }
  }
  return [];
}
