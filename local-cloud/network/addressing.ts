/** Addresses and interface names of the data plane: pure functions, so that both ends of a link agree. */

import { createHash } from "node:crypto";
import type { Address, Network, RouterPicture } from "./picture.ts";

/** The public networks that EIPs come from, each with the internet's own address in it. */
export const eipNetworks: readonly { readonly network: Network; readonly gateway: Address }[] = [
  { network: "203.0.113.0/24", gateway: "203.0.113.1" },
  { network: "198.51.100.0/24", gateway: "198.51.100.1" },
];

/** The bridge that EIPs plug into. */
export const internetBridge = "internet";

/** Name of a zone's intranet, as a network that routers plug into and as their interface there. */
export function intranetName(zone: string): string {
  return interfaceName(`intranet-${zone}`);
}

/** The metadata server, at the same address in every zone: in the intranets' address space, in none of them. */
export const metadataAddress: Address = "100.127.255.254";
export const metadataName = "metadata.ks.qingcloud.com";

/** Where the metadata server is plugged into an intranet, among the first addresses, which no router has. */
export function intranetServer(network: Network): Address {
  return network.replace(/\d+\/\d+$/, "2");
}

/** The address of a router's own that it reaches another one from; undefined where it has none. */
export function localAddressFor(
  { eip, intranet }: Pick<RouterPicture, "eip" | "intranet">,
  remote: Address,
): Address | undefined {
  return intranet !== undefined && contains(intranet.network, remote) ? intranet.address : eip?.address;
}

/** The web server of the internet. */
export const webServerAddress: Address = "198.18.0.1";

/** RFC 1918: never seen on an uplink, except inside a tunnel. */
export const privateNetworks: readonly Network[] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/** The internet's address that a router with this EIP uses as gateway. */
export function internetGateway(eip: Address): Address {
  const found = eipNetworks.find(({ network }) => contains(network, eip));
  if (!found) {
    const allowed = eipNetworks.map(({ network }) => network).join(" or ");
    throw new Error(`EIP ${eip} is outside the internet's networks: take one in ${allowed}`);
  }
  return found.gateway;
}

/** Whether a network holds an address. */
export function contains(network: Network, address: Address): boolean {
  const [base = "", length = "32"] = network.split("/");
  const size = 2 ** (32 - Number(length));
  return Math.floor(toNumber(base) / size) === Math.floor(toNumber(address) / size);
}

/** An IPv4 address as a number, e.g. to compare two. */
export function toNumber(address: Address): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The address so many places after a network's. */
export function formatOffset(base: Address, offset: number): Address {
  const value = toNumber(base) + offset;
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** Prefix length of a network in CIDR form. */
export function prefixLength(network: Network): number {
  return Number(network.split("/")[1] ?? 32);
}

/** A MAC address that stays with the IPv4 address, so that no neighbour's ARP entry is stale when it moves. */
export function macOf(address: Address): string {
  return ["02", "00", ...address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"))].join(
    ":",
  );
}

/** A name that Linux takes for an interface (15 characters): the resource id itself where it fits. */
export function interfaceName(...ids: readonly string[]): string {
  const [first = ""] = ids;
  if (ids.length === 1 && first.length <= 15) return first;
  return `x${createHash("sha256").update(ids.join("/")).digest("hex").slice(0, 14)}`;
}

/** Every address that an EIP can have. */
export function eipAddresses(): Address[] {
  return eipNetworks.flatMap(({ network, gateway }) => {
    const base = network.slice(0, network.lastIndexOf(".") + 1);
    return Array.from({ length: 254 }, (_, index) => `${base}${index + 1}`).filter(
      (address) => address !== gateway,
    );
  });
}
