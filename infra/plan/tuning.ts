/** How nodes and ranks are set for the link between zones, each setting with its reason. Pure. */
import type { TrainingSettings } from "../training/schema.ts";
import { payloadOf } from "../training/sync.ts";
import { bucketFor, ringShare, usualBucket } from "./bandwidth.ts";
import { peerOf, type TunnelPlan } from "./tunnels.ts";

/** Two zones whose nodes reach each other, as planned or as the path check has found it. */
export interface Path {
  readonly zones: readonly [string, string];
  readonly kind: TunnelPlan["kind"];
  /** Largest packet that passes, bytes. */
  readonly mtu: number;
  /** Null where it was not measured. */
  readonly rttMs: number | null;
  /** Bandwidth of the EIPs on the way, Mbit/s; null where none bounds it. */
  readonly bandwidthMbps: number | null;
  /** What of it TCP carries by the headers. */
  readonly goodputShare: number;
}

export interface TunedZone {
  readonly name: string;
  readonly network: string;
  readonly gateway: string;
}

/** What the agent on a node sets up before it starts a rank. */
export interface LinkOrder {
  readonly routes: readonly { readonly network: string; readonly gateway: string; readonly mtu: number }[];
  /** Most that TCP may buffer for a connection, bytes; absent: as the kernel has it. */
  readonly bufferBytes?: number;
  /** Connections beside each other between two ranks. */
  readonly sockets: number;
}

export interface Setting {
  readonly setting: string;
  readonly value: string;
  readonly reason: string;
}

export interface Tuning {
  /** By the zone of the node. */
  readonly orders: ReadonlyMap<string, LinkOrder>;
  readonly environment: Readonly<Record<string, string>>;
  readonly settings: readonly Setting[];
}

/** Of a segment: IP and TCP without options. */
const headers = 40;
const mebibyte = 2 ** 20;
/** What Linux lets a sender buffer by itself; receivers have 6 MiB. */
const kernelsBuffer = 4 * mebibyte;
const largestBuffer = 64 * mebibyte;
const manySockets = 4;
/** How many times as long as a message takes it is waited for: others are under way beside it. */
const patience = 4;
/** Of the process group, seconds: that of the guide's scripts. */
const leastTimeout = 60;

/** What ranks average. */
export interface Messages {
  /** Of the largest at once. */
  readonly bytes: number;
  readonly what: string;
  /** Whether they are gradients, in buckets beside each other. */
  readonly areBuckets: boolean;
}

/** Ranks that train alone in between average a whole model at once. Of one whose size is not known, a bucket's. */
export function messagesOf({
  sync,
  syncOptions,
  expected,
}: Pick<TrainingSettings, "sync" | "syncOptions" | "expected">): Messages {
  const areBuckets = sync === "ddp" || sync === "fp16" || sync === "bf16";
  const payload = expected && payloadOf(sync, syncOptions, expected.parameters);
  if (payload === undefined || payload.averagings === 1) {
    return { bytes: usualBucket, what: "a bucket of 25 MiB of gradients", areBuckets };
  }
  const bytes = payload.bytes / payload.averagings;
  return { bytes, what: `a whole model, ${describeBytes(bytes)} by ${sync},`, areBuckets };
}

/**
 * @param ranks how many average
 * @param messages see `messagesOf`
 */
export function tune(
  paths: readonly Path[],
  zones: readonly TunedZone[],
  ranks: number,
  messages: Messages,
): Tuning {
  if (paths.length === 0) return { orders: new Map(), environment: {}, settings: [] };
  const product = Math.max(...paths.map(bytesUnderWay));
  const isFat = product > kernelsBuffer;
  const buffer = Math.min(largestBuffer, Math.ceil((2 * product) / mebibyte) * mebibyte);
  const isLarge = buffer > kernelsBuffer;
  const sockets = isFat ? manySockets : 1;
  const timeout = timeoutOf(paths, ranks, messages.bytes);
  const byNccl = { NCCL_SOCKET_NTHREADS: "2", NCCL_NSOCKS_PERTHREAD: String(manySockets / 2) };
  const bucket = messages.areBuckets ? bucketOf(paths, ranks) : undefined;
  const underWay = `${describeBytes(product)} are under way at most (bandwidth × RTT)`;
  return {
    orders: new Map(
      zones.map((zone) => [
        zone.name,
        { routes: routesOf(zone, paths, zones), sockets, ...(isLarge ? { bufferBytes: buffer } : {}) },
      ]),
    ),
    environment: {
      ...(isFat ? byNccl : {}),
      ...(bucket === undefined ? {} : { BUCKET_MIB: String(bucket / mebibyte) }),
      ...(timeout > leastTimeout ? { GROUP_TIMEOUT: String(timeout) } : {}),
    },
    settings: [
      ...paths.map(mtuSetting),
      {
        setting: "GLOO_SOCKET_IFNAME, NCCL_SOCKET_IFNAME",
        value: isFat ? `the interface to the master, ${sockets} times` : "the interface to the master",
        reason: isFat
          ? `${underWay}: with ${sockets} connections a lost packet slows down one of them`
          : "left alone, gloo and nccl may take another; one connection fills the link",
      },
      ...(isFat
        ? Object.entries(byNccl).map(([setting, value]) => ({
            setting,
            value,
            reason: `${manySockets} connections, as of gloo`,
          }))
        : []),
      {
        setting: "net.ipv4.tcp_rmem, net.ipv4.tcp_wmem",
        value: isLarge ? `at most ${describeBytes(buffer)}` : "the kernel's",
        reason: isLarge
          ? `${underWay}, and a buffer holds twice that`
          : `twice bandwidth × RTT fits in the ${describeBytes(kernelsBuffer)} that the kernel buffers by itself`,
      },
      ...(messages.areBuckets ? [bucketSetting(bucket)] : []),
      {
        setting: "GROUP_TIMEOUT",
        value: `${timeout} s`,
        reason:
          timeout > leastTimeout
            ? `${patience} times what ${messages.what} takes between ${ranks} ranks on the slowest path`
            : `${messages.what} takes less than 1/${patience} of it between ${ranks} ranks`,
      },
    ],
  };
}

function routesOf({ name, gateway }: TunedZone, paths: readonly Path[], zones: readonly TunedZone[]) {
  return paths.flatMap(({ zones: ends, mtu }) => {
    const peer = peerOf(ends, name);
    return zones.flatMap((zone) => (zone.name === peer ? [{ network: zone.network, gateway, mtu }] : []));
  });
}

function mtuSetting({ zones, mtu, kind, rttMs }: Path): Setting {
  return {
    setting: `route between ${zones.join(" and ")}`,
    value: `mtu ${mtu}, advmss ${mtu - headers}`,
    reason: `${rttMs === null ? `not checked: what passes through ${kind} on a path of 1,500 bytes` : "the largest packet that passes, as the path check has found"}; routers need not clamp TCP's segments`,
  };
}

/** Undefined where a path was not measured, or nothing bounds it. */
function bucketOf(paths: readonly Path[], ranks: number): number | undefined {
  if (paths.some(({ rttMs, bandwidthMbps }) => rttMs === null || bandwidthMbps === null)) return undefined;
  return bucketFor(ranks, Math.max(...paths.map(bytesUnderWay)));
}

function bucketSetting(bucket: number | undefined): Setting {
  return bucket === undefined
    ? {
        setting: "BUCKET_MIB",
        value: "PyTorch's 25",
        reason: "the link was not measured, or nothing bounds it",
      }
    : {
        setting: "BUCKET_MIB",
        value: `${bucket / mebibyte}`,
        reason:
          "over gloo gradients go out in several buckets, which fill both directions; each takes five times as long as its round trips",
      };
}

/** Bandwidth × RTT. The RTT is rounded up to a power of two of milliseconds: it is never measured the same twice. */
function bytesUnderWay({ rttMs, bandwidthMbps }: Path): number {
  if (rttMs === null || bandwidthMbps === null) return 0;
  const rounded = 2 ** Math.ceil(Math.log2(Math.max(rttMs, 1)));
  return (bandwidthMbps * 1e6 * rounded) / 1e3 / 8;
}

/** Seconds, a multiple of 10. */
function timeoutOf(paths: readonly Path[], ranks: number, messageBytes: number): number {
  const slowest = Math.min(
    ...paths.map(({ bandwidthMbps, goodputShare }) => (bandwidthMbps ?? Infinity) * goodputShare),
  );
  const sent = ringShare(ranks) * messageBytes;
  return Math.max(leastTimeout, Math.ceil((patience * sent * 8) / (slowest * 1e6) / 10) * 10);
}

function describeBytes(bytes: number): string {
  if (bytes >= mebibyte) return `${Math.round((10 * bytes) / mebibyte) / 10} MiB`;
  return `${Math.round(bytes / 1000)} kB`;
}
