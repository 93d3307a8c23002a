import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bytesPerStep,
  hidingOf,
  kneeOf,
  type Link,
  secondsPerStep,
  type Work,
} from "../../../infra/plan/bandwidth.ts";

const link = (one: string, other: string, changes: Partial<Link> = {}): Link => ({
  zones: [one, other],
  kind: "ipsec",
  over: "internet",
  mtu: 1400,
  rttMs: 0,
  ...changes,
});
const work = (changes: Partial<Work> = {}): Work => ({
  zones: ["a", "b"],
  links: [link("a", "b")],
  computeSeconds: 0.01,
  payloadBytes: 134_800,
  averagings: 1,
  hideable: 0,
  cover: 0,
  ...changes,
});
/** 1,486 bytes of wire for each 1,348 of data, and half of the 142 of an acknowledgement. */
const ipsecBytes = (segments: number) => segments * (1486 + 142 / 2);
const wireOf = (changes: Partial<Work>) =>
  Object.fromEntries([...bytesPerStep(work(changes))].map(([zone, bytes]) => [zone, Math.round(bytes)]));

test("two ranks send all of it each way, as segments of the tunnel with their acknowledgements", () => {
  expect(wireOf({})).toEqual({ a: ipsecBytes(100), b: ipsecBytes(100) });
});

test("GRE's segments are larger and its headers smaller", () => {
  const links = [link("a", "b", { kind: "gre", mtu: 1472 })];
  expect(wireOf({ links, payloadBytes: 142_000 })).toEqual({ a: 156_100, b: 156_100 });
});

test("of three ranks each sends 4/3 of it to the next one, of four 3/2", () => {
  const links = [link("a", "b"), link("b", "c"), link("a", "c")];
  expect(wireOf({ zones: ["a", "b", "c"], links })).toEqual({
    a: Math.round((4 / 3) * ipsecBytes(100)),
    b: Math.round((4 / 3) * ipsecBytes(100)),
    c: Math.round((4 / 3) * ipsecBytes(100)),
  });
  expect(wireOf({ zones: ["a", "a", "b", "b"] })).toEqual({
    a: Math.round((3 / 2) * ipsecBytes(100)),
    b: Math.round((3 / 2) * ipsecBytes(100)),
  });
});

test("the hub of a star carries what its spokes send each other too", () => {
  const links = [link("a", "b"), link("a", "c")];
  const once = Math.round((4 / 3) * ipsecBytes(100));
  expect(wireOf({ zones: ["a", "b", "c"], links })).toEqual({ a: 2 * once, b: once, c: once });
});

test("ranks of one zone, and zones joined over an intranet, load no EIP: a step is its computation and its latency", () => {
  expect(wireOf({ zones: ["a", "a"] })).toEqual({});
  const links = [link("a", "b", { over: "intranet", rttMs: 2 })];
  expect(wireOf({ links })).toEqual({});
  expect(secondsPerStep(work({ links }), () => 1)).toBeCloseTo(0.012, 12);
});

test("a step is computation, transfer on the slowest EIP, and a round trip for each further rank", () => {
  const seconds = secondsPerStep(work({ links: [link("a", "b", { rttMs: 30 })] }), (zone) =>
    zone === "a" ? 10 : 20,
  );
  expect(seconds).toBeCloseTo(0.01 + (ipsecBytes(100) * 8) / 10e6 + 0.03, 12);
});

test("buckets before the last go out while the backward pass goes on", () => {
  const hiding = (gradientBytes: number, averagings = 1, bucketBytes?: number) =>
    hidingOf({ averagings, gradientBytes, bucketBytes });
  expect(hiding(153_128)).toEqual({ hideable: 0, cover: 0 });
  expect(hiding(4 * 2 ** 20)).toEqual({ hideable: 1 / 4, cover: 2 / 3 });
  expect(hiding(51 * 2 ** 20)).toEqual({ hideable: 26 / 51, cover: 2 / 3 });
  expect(hiding(4 * 2 ** 20, 1, 2 ** 20)).toEqual({ hideable: 3 / 4, cover: 2 / 3 });
  expect(hiding(4 * 2 ** 20, 1 / 2, 2 ** 20).cover).toBe(0);
  const hidden = secondsPerStep(work(hiding(4 * 2 ** 20)), () => 10);
  expect(secondsPerStep(work(), () => 10) - hidden).toBeCloseTo((0.01 * (2 / 3)) / 4, 12);
});

test("an average that is under way beside training costs what its steps do not hide", () => {
  // One in 20 steps takes as long as some 12.5 of them at 10 Mbit/s.
  const rarely = { payloadBytes: 134_800 / 20, averagings: 1 / 20, computeSeconds: 0.01 };
  const seconds = (overlap: number) =>
    secondsPerStep(
      work({ ...rarely, ...hidingOf({ averagings: 1 / 20, gradientBytes: 134_800, overlapSteps: overlap }) }),
      () => 10,
    );
  const transfer = (ipsecBytes(100) * 8) / 10e6 / 20;
  expect(seconds(0)).toBeCloseTo(0.01 + transfer, 12);
  expect(seconds(8)).toBeCloseTo(0.01 + transfer - (8 / 20) * 0.01, 12);
  expect(seconds(13)).toBeCloseTo(0.01, 12);
});

test("at the knee twice the bandwidth makes a step less than a fifth shorter; half a knee is worth doubling", () => {
  // 155,700 bytes in 2/3 of 10 ms.
  const knee = kneeOf(work());
  expect(knee).toEqual({ mbps: 187, isReached: true });
  const gain = (mbps: number) =>
    1 - secondsPerStep(work(), () => 2 * mbps) / secondsPerStep(work(), () => mbps);
  expect(gain(187)).toBeLessThan(0.2);
  expect(gain(186)).toBeGreaterThanOrEqual(0.2);
  expect(kneeOf(work(), 50)).toEqual({ mbps: 50, isReached: false });
});

test("more bandwidth never makes a step longer, and more to send never makes it shorter", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 1e8 }),
      fc.array(fc.constantFrom("a", "b", "c"), { minLength: 2, maxLength: 9 }),
      (mbps, more, payloadBytes, zones) => {
        const links = [link("a", "b"), link("a", "c")];
        const given = work({
          zones,
          links,
          payloadBytes,
          ...hidingOf({ averagings: 1, gradientBytes: payloadBytes }),
        });
        const seconds = secondsPerStep(given, () => mbps);
        expect(secondsPerStep(given, () => mbps + more)).toBeLessThanOrEqual(seconds);
        expect(
          secondsPerStep({ ...given, payloadBytes: payloadBytes + 1 }, () => mbps),
        ).toBeGreaterThanOrEqual(seconds);
      },
    ),
  );
});
