import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressIn, formatAddress, overlaps, parseNetwork } from "../../../qingcloud/networks.ts";

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
/** Networks without host bits, as text. */
const network = fc
  .tuple(address, fc.integer({ min: 0, max: 32 }))
  .map(([any, prefix]) => `${formatAddress(any - (any % 2 ** (32 - prefix)))}/${prefix}`);
const sizeOf = (text: string) => 2 ** (32 - (parseNetwork(text)?.prefix ?? 0));
const startOf = (text: string) => parseNetwork(text)?.address ?? Number.NaN;

test("a network is read as it is written", () => {
  fc.assert(
    fc.property(network, (text) => {
      const parsed = parseNetwork(text);
      expect(`${formatAddress(parsed?.address ?? -1)}/${parsed?.prefix}`).toBe(text);
    }),
  );
});

test.each([
  "192.168.1.1/24",
  "192.168.1.0",
  "192.168.1.0/33",
  "256.0.0.0/8",
  "1.2.3/24",
  "a.b.c.d/8",
  "192.168.1.0/24 ",
  "0.0.0.1/0",
  "010.0.0.0/8",
  "10.0.0.0/08",
  "10.0.0.0/8/8",
])("%s is no network", (text) => {
  expect(parseNetwork(text)).toBeUndefined();
  expect(() => addressIn(text, 1)).toThrow(`"${text}" is not an IPv4 network in CIDR form.`);
});

describe("overlaps", () => {
  test("is symmetric, and every network overlaps itself and the whole internet", () => {
    fc.assert(
      fc.property(network, network, (a, b) => {
        expect(overlaps(a, b)).toBe(overlaps(b, a));
        expect(overlaps(a, a)).toBe(true);
        expect(overlaps(a, "0.0.0.0/0")).toBe(true);
      }),
    );
  });

  test("is true exactly where the two ranges of addresses meet", () => {
    fc.assert(
      fc.property(network, network, (a, b) => {
        const meet = startOf(a) < startOf(b) + sizeOf(b) && startOf(b) < startOf(a) + sizeOf(a);
        expect(overlaps(a, b)).toBe(meet);
      }),
    );
  });

  test("is true of a network and any of its halves, and false of the two halves", () => {
    const divisible = network.filter((text) => sizeOf(text) > 1);
    fc.assert(
      fc.property(divisible, (text) => {
        const half = sizeOf(text) / 2;
        const prefix = 33 - Math.log2(sizeOf(text));
        const [low, high] = [startOf(text), startOf(text) + half].map(
          (at) => `${formatAddress(at)}/${prefix}`,
        );
        expect(overlaps(text, low ?? "")).toBe(true);
        expect(overlaps(text, high ?? "")).toBe(true);
        expect(overlaps(low ?? "", high ?? "")).toBe(false);
      }),
    );
  });
});

test("host bits do not keep networks from overlapping", () => {
  expect(overlaps("192.168.1.9/24", "192.168.1.128/25")).toBe(true);
  expect(overlaps("192.168.1.9/24", "192.168.2.9/24")).toBe(false);
});

describe("addressIn", () => {
  test("gives addresses inside the network, each number another", () => {
    fc.assert(
      fc.property(network, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (text, part) => {
        const n = Math.floor(part * sizeOf(text));
        const given = addressIn(text, n);
        expect(overlaps(`${given}/32`, text)).toBe(true);
        expect(startOf(`${given}/32`)).toBe(startOf(text) + n);
      }),
    );
  });

  test("has no address before the first or after the last", () => {
    fc.assert(
      fc.property(network, (text) => {
        for (const n of [-1, sizeOf(text)]) {
          expect(() => addressIn(text, n)).toThrow(`${text} has no address number ${n}.`);
        }
      }),
    );
  });

  test("192.168.1.0/24: 1 is the gateway, 2 the first host, 255 the last address", () => {
    expect([1, 2, 255].map((n) => addressIn("192.168.1.0/24", n))).toEqual([
      "192.168.1.1",
      "192.168.1.2",
      "192.168.1.255",
    ]);
  });
});
