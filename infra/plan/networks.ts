/** IPv4 arithmetic. Addresses are numbers of 32 bits. */

export interface Network {
  readonly address: number;
  /** Prefix length, 0 to 32. */
  readonly prefix: number;
}

/** Undefined where the text is not a network, or has host bits. */
export function parseNetwork(text: string): Network | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, prefix = 0] = match.slice(1).map(Number);
  if ([a, b, c, d].some((octet) => octet > 255) || prefix > 32) return undefined;
  const address = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  return address % 2 ** (32 - prefix) === 0 ? { address, prefix } : undefined;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(address / 2 ** bits) % 256).join(".");
}

/** The n-th address of a network; 0 is the network itself. */
export function addressIn(network: string, n: number): string {
  const parsed = parseNetwork(network);
  if (parsed === undefined) throw new Error(`"${network}" is not an IPv4 network in CIDR form.`);
  if (n < 0 || n >= 2 ** (32 - parsed.prefix)) throw new Error(`${network} has no address number ${n}.`);
  return formatAddress(parsed.address + n);
}

/** Whether two networks share an address. */
export function overlaps(one: string, other: string): boolean {
  const [a, b] = [parseNetwork(one), parseNetwork(other)];
  if (a === undefined || b === undefined) return false;
  const shorter = 2 ** (32 - Math.min(a.prefix, b.prefix));
  return Math.floor(a.address / shorter) === Math.floor(b.address / shorter);
}
