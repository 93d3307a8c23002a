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
  /** The part of the payload that may be sent while a step computes. */
  readonly hideable: number;
  /** The part of a step's computation beside which it is, the mean of all steps. */
  readonly cover: number;
}

/** Bytes on the wire of a zone's EIP, for each byte that is averaged. */
interface Load {
  out: number;
  in: number;
}

const mebibyte = 2 ** 20;
/** Of gradients, by DistributedDataParallel's default, bytes. */
export const usualBucket = 25 * mebibyte;
/** The smallest that was measured: 0.9 of a link's goodput at 10 and at 100 Mbit/s, see docs/link.md. */
const leastBucket = mebibyte / 4;
/** Its first one is smaller, to begin early. */
const firstBucket = mebibyte;
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

/** What a run averages while its steps compute. */
interface Beside {
  /** As of `Work`. */
  readonly averagings: number;
  /** Of all parameters. */
  readonly gradientBytes: number;
  /** That go out together during the backward pass; null where nothing does. */
  readonly bucketBytes?: number | null | undefined;
  /** That training goes on while an average is under way. */
  readonly overlapSteps?: number | undefined;
}

/**
 * Buckets of gradients before the last go out while the backward pass goes on; where ranks train alone in between, what they
 * average goes out beside the next steps, if they do not wait for it.
 */
export function hidingOf({
  averagings,
  gradientBytes,
  bucketBytes = usualBucket,
  overlapSteps = 0,
}: Beside): Pick<Work, "hideable" | "cover"> {
  if (averagings < 1 || bucketBytes === null) return { hideable: 1, cover: overlapSteps * averagings };
  const first = Math.min(firstBucket, bucketBytes);
  if (gradientBytes <= first) return { hideable: 0, cover: 0 };
  const last = (gradientBytes - first) % bucketBytes || bucketBytes;
  return { hideable: 1 - last / gradientBytes, cover: backward };
}

/**
 * Small buckets fill both directions of a link over gloo: an average goes round twice, and one bucket is under way while
 * another waits for its second round. A bucket should take five times as long as the round trips that it costs.
 * @param bytesUnderWay bandwidth × RTT of the path
 * @returns bytes, a multiple of 1/4 MiB
 */
export function bucketFor(ranks: number, bytesUnderWay: number): number {
  const bytes = (5 * (ranks - 1) * bytesUnderWay) / ringShare(ranks);
  return Math.min(usualBucket, Math.max(1, Math.ceil(bytes / leastBucket)) * leastBucket);
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
  const hidden = Math.min(transfer, work.cover * work.computeSeconds) * work.hideable;
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
