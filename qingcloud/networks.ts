/** IPv4 arithmetic. Addresses are numbers of 32 bits. */

export interface Network {
  readonly address: number;
  /** Prefix length, 0 to 32. */
  readonly prefix: number;
}

/** Undefined where the text is not a dotted IPv4 address. */
export function parseAddress(text: string): number | undefined {
  // No leading zeros: some read them as octal.
  if (!/^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/.test(text)) return undefined;
  const octets = text.split(".").map(Number);
  if (octets.some((octet) => octet > 255)) return undefined;
  return octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(address / 2 ** bits) % 256).join(".");
}

/** Undefined where the text is not a network, or has host bits. */
export function parseNetwork(text: string): Network | undefined {
  const parsed = parseCidr(text);
  return parsed !== undefined && parsed.address % 2 ** (32 - parsed.prefix) === 0 ? parsed : undefined;
}

/** The n-th address of a network; 0 is the network itself. */
export function addressIn(network: string, n: number): string {
  const parsed = parseNetwork(network);
  if (parsed === undefined) throw new Error(`"${network}" is not an IPv4 network in CIDR form.`);
  if (n < 0 || n >= 2 ** (32 - parsed.prefix)) throw new Error(`${network} has no address number ${n}.`);
  return formatAddress(parsed.address + n);
}

/** Whether two networks share an address; host bits do not matter. */
export function overlaps(one: string, other: string): boolean {
  const [a, b] = [parseCidr(one), parseCidr(other)];
  if (a === undefined || b === undefined) return false;
  const shorter = 2 ** (32 - Math.min(a.prefix, b.prefix));
  return Math.floor(a.address / shorter) === Math.floor(b.address / shorter);
}

function parseCidr(text: string): Network | undefined {
  const [dotted = "", length = "", ...rest] = text.split("/");
  const address = parseAddress(dotted);
  if (address === undefined || rest.length > 0 || !/^(?:\d|[12]\d|3[0-2])$/.test(length)) return undefined;
  return { address, prefix: Number(length) };
}
