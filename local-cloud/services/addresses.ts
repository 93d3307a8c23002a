/** IPv4 networks as ranges of addresses. */
import * as networks from "../../qingcloud/networks.ts";

export { formatAddress, parseAddress } from "../../qingcloud/networks.ts";

/** A network in canonical form: host bits are zero. */
export interface NetworkRange {
  readonly first: number;
  readonly last: number;
  readonly prefix: number;
}

/** Reads `a.b.c.d/n` with zero host bits; undefined if it is none. */
export function parseNetwork(text: string): NetworkRange | undefined {
  const network = networks.parseNetwork(text);
  if (network === undefined) return undefined;
  const { address: first, prefix } = network;
  return { first, last: first + 2 ** (32 - prefix) - 1, prefix };
}

export function overlap(a: NetworkRange, b: NetworkRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function isInside(range: NetworkRange, address: number): boolean {
  return range.first <= address && address <= range.last;
}
