/** IPv4 addresses and networks as numbers. */

/** A network in canonical form: host bits are zero. */
export interface NetworkRange {
  readonly first: number;
  readonly last: number;
  readonly prefix: number;
}

/** Reads a dotted IPv4 address; undefined if it is none. */
export function parseAddress(text: string): number | undefined {
  if (!/^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/.test(text)) return undefined;
  const parts = text.split(".").map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** Reads `a.b.c.d/n` with zero host bits; undefined if it is none. */
export function parseNetwork(text: string): NetworkRange | undefined {
  const [address, length, ...rest] = text.split("/");
  const first = parseAddress(address ?? "");
  if (first === undefined || rest.length > 0 || !/^(?:\d|[12]\d|3[0-2])$/.test(length ?? ""))
    return undefined;
  const prefix = Number(length);
  const size = 2 ** (32 - prefix);
  return first % size === 0 ? { first, last: first + size - 1, prefix } : undefined;
}

export function overlap(a: NetworkRange, b: NetworkRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function isInside(range: NetworkRange, address: number): boolean {
  return range.first <= address && address <= range.last;
}
