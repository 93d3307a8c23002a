import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { messagesOf, type Path, tune } from "../../../infra/plan/tuning.ts";
import { trainingSchema } from "../../../infra/training/schema.ts";

const zones = [1, 2, 3].map((third) => ({
  name: `z${third}`,
  network: `192.168.${third}.0/24`,
  gateway: `192.168.${third}.1`,
}));

const path = (more: Partial<Path> = {}): Path => ({
  zones: ["z1", "z2"],
  kind: "ipsec",
  mtu: 1400,
  rttMs: 1.3,
  bandwidthMbps: 20,
  goodputShare: 0.9,
  ...more,
});

const settings = (sync: "ddp" | "fp16" | "powersgd" | "diloco", parameters?: number) =>
  trainingSchema.parse({
    sync,
    ...(sync === "diloco" ? { syncOptions: { precision: "int8" } } : {}),
    ...(parameters === undefined ? {} : { expected: { parameters, computeSecondsPerStep: 1 } }),
  });
const gradients = messagesOf(settings("ddp"));
const two = zones.slice(0, 2);

test("a short path of 20 Mbit/s needs nothing but its MTU on the nodes' routes", () => {
  const { orders, environment, settings: shown } = tune([path()], two, 2, gradients);
  expect(Object.fromEntries(orders)).toEqual({
    z1: { routes: [{ network: "192.168.2.0/24", gateway: "192.168.1.1", mtu: 1400 }], sockets: 1 },
    z2: { routes: [{ network: "192.168.1.0/24", gateway: "192.168.2.1", mtu: 1400 }], sockets: 1 },
  });
  expect(environment).toEqual({ BUCKET_MIB: "0.25" });
  expect(shown).toEqual([
    {
      setting: "route between z1 and z2",
      value: "mtu 1400, advmss 1360",
      reason:
        "the largest packet that passes, as the path check has found; routers need not clamp TCP's segments",
    },
    {
      setting: "GLOO_SOCKET_IFNAME, NCCL_SOCKET_IFNAME",
      value: "the interface to the master",
      reason: "left alone, gloo and nccl may take another; one connection fills the link",
    },
    {
      setting: "net.ipv4.tcp_rmem, net.ipv4.tcp_wmem",
      value: "the kernel's",
      reason: "twice bandwidth × RTT fits in the 4 MiB that the kernel buffers by itself",
    },
    {
      setting: "BUCKET_MIB",
      value: "0.25",
      reason:
        "over gloo gradients go out in several buckets, which fill both directions; each takes five times as long as its round trips",
    },
    {
      setting: "GROUP_TIMEOUT",
      value: "60 s",
      reason: "a bucket of 25 MiB of gradients takes less than 1/4 of it between 2 ranks",
    },
  ]);
});

test("each zone has a route to each other zone, with the MTU of the path between them", () => {
  const paths = [path(), path({ zones: ["z1", "z3"], mtu: 1300 }), path({ zones: ["z2", "z3"], mtu: 1350 })];
  const { orders } = tune(paths, zones, 3, gradients);
  expect(orders.get("z3")?.routes).toEqual([
    { network: "192.168.1.0/24", gateway: "192.168.3.1", mtu: 1300 },
    { network: "192.168.2.0/24", gateway: "192.168.3.1", mtu: 1350 },
  ]);
});

test("on a long fat path buffers hold twice what is under way, and ranks have several connections", () => {
  // 1000 Mbit/s × 64 ms = 8,000,000 bytes.
  const { orders, environment } = tune([path({ rttMs: 50, bandwidthMbps: 1000 })], two, 2, gradients);
  expect(orders.get("z1")).toMatchObject({ bufferBytes: 16 * 2 ** 20, sockets: 4 });
  expect(environment).toEqual({
    NCCL_SOCKET_NTHREADS: "2",
    NCCL_NSOCKS_PERTHREAD: "2",
    BUCKET_MIB: "25",
  });
});

test("larger buffers come before several connections", () => {
  // 300 Mbit/s × 64 ms = 2,400,000 bytes: more than half of the kernel's buffer, less than all of it.
  const { orders, environment } = tune([path({ rttMs: 50, bandwidthMbps: 300 })], two, 2, gradients);
  expect(orders.get("z1")).toMatchObject({ bufferBytes: 5 * 2 ** 20, sockets: 1 });
  expect(environment).toEqual({ BUCKET_MIB: "11.5" });
});

describe("the timeout of the process group", () => {
  const timeoutAt = (bandwidthMbps: number | null, ranks = 2) =>
    tune([path({ bandwidthMbps }), path({ bandwidthMbps: 1000 })], two, ranks, gradients).environment
      .GROUP_TIMEOUT;
  test("is four buckets' time on the slowest path, 60 s at least", () => {
    // 25 MiB × 8 / (2 Mbit/s × 0.9) = 116.5 s.
    expect(timeoutAt(2)).toBe("470");
    expect(timeoutAt(5)).toBe("190");
    expect(timeoutAt(20)).toBeUndefined();
    expect(timeoutAt(null)).toBeUndefined();
  });
  test("grows with the ranks that a bucket goes round", () => {
    expect(timeoutAt(5, 4)).toBe("280");
  });
  test("is that of a whole model where ranks average one at once, if its size is known", () => {
    const bucket = { bytes: 25 * 2 ** 20, what: "a bucket of 25 MiB of gradients" };
    expect(messagesOf(settings("ddp", 1e8))).toMatchObject(bucket);
    expect(messagesOf(settings("diloco"))).toMatchObject(bucket);
    const model = messagesOf(settings("diloco", 1e8));
    expect(model).toMatchObject({ bytes: 1e8, what: "a whole model, 95.4 MiB by diloco," });
    // 100 MB × 8 / (5 Mbit/s × 0.9) = 177.8 s.
    const { environment, settings: shown } = tune([path({ bandwidthMbps: 5 })], two, 2, model);
    expect(environment.GROUP_TIMEOUT).toBe("720");
    expect(shown.at(-1)?.reason).toBe(
      "4 times what a whole model, 95.4 MiB by diloco, takes between 2 ranks on the slowest path",
    );
  });
});

describe("buckets of gradients", () => {
  const bucketOf = (
    paths: readonly Path[],
    ranks: number,
    sync: "ddp" | "fp16" | "powersgd" | "diloco" = "ddp",
  ) => tune(paths, zones, ranks, messagesOf(settings(sync))).environment.BUCKET_MIB;
  test("take five times as long as their round trips, from 1/4 MiB to PyTorch's 25", () => {
    // Two ranks: 100 Mbit/s × 32 ms = 400,000 bytes under way; five times that is 1.9 MiB.
    expect(bucketOf([path({ bandwidthMbps: 100, rttMs: 30 })], 2)).toBe("2");
    expect(bucketOf([path({ bandwidthMbps: 100 }), path({ bandwidthMbps: 100, rttMs: 30 })], 2)).toBe("2");
    // Of four ranks each takes three round trips and sends 3/2 of it.
    expect(bucketOf([path({ bandwidthMbps: 100, rttMs: 30 })], 4)).toBe("4");
    expect(bucketOf([path({ bandwidthMbps: 100 })], 2, "fp16")).toBe("0.25");
    expect(bucketOf([path({ bandwidthMbps: 1000, rttMs: 100 })], 2)).toBe("25");
  });
  test("are PyTorch's where the path is not known, and none where gradients are not averaged beside each other", () => {
    expect(bucketOf([path(), path({ rttMs: null })], 2)).toBeUndefined();
    expect(bucketOf([path({ bandwidthMbps: null })], 2)).toBeUndefined();
    expect(bucketOf([path()], 2, "powersgd")).toBeUndefined();
    expect(bucketOf([path()], 2, "diloco")).toBeUndefined();
    const shownOf = (sync: "ddp" | "diloco") =>
      tune([path({ rttMs: null })], two, 2, messagesOf(settings(sync))).settings.filter(
        ({ setting }) => setting === "BUCKET_MIB",
      );
    expect(shownOf("diloco")).toEqual([]);
    expect(shownOf("ddp")).toEqual([
      {
        setting: "BUCKET_MIB",
        value: "PyTorch's 25",
        reason: "the link was not measured, or nothing bounds it",
      },
    ]);
  });
});

test("what was not measured is planned, and what nothing bounds needs no buffers", () => {
  const { orders, settings } = tune([path({ rttMs: null, bandwidthMbps: null })], two, 2, gradients);
  expect(orders.get("z1")?.bufferBytes).toBeUndefined();
  expect(settings[0]?.reason).toBe(
    "not checked: what passes through ipsec on a path of 1,500 bytes; routers need not clamp TCP's segments",
  );
});

test("a round trip that is measured a little different changes nothing", () => {
  const rtt = fc.double({ min: 33, max: 63, noNaN: true });
  const bandwidth = fc.integer({ min: 1, max: 1000 });
  fc.assert(
    fc.property(rtt, rtt, bandwidth, (one, other, bandwidthMbps) => {
      const [a, b] = [one, other].map((rttMs) => tune([path({ rttMs, bandwidthMbps })], two, 2, gradients));
      expect(a).toEqual(b);
    }),
  );
});

test("of a link that the kernel's buffers fill, neither the round trip nor another bandwidth changes anything", () => {
  const at = (bandwidthMbps: number, rttMs: number) =>
    tune([path({ bandwidthMbps, rttMs })], two, 2, gradients);
  expect(at(50, 0.4)).toEqual(at(20, 1.7));
});

test("without a path there is nothing to set", () => {
  expect(tune([], zones, 2, gradients)).toEqual({ orders: new Map(), environment: {}, settings: [] });
});
