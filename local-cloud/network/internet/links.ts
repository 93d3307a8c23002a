/** Links between zones that are long, narrow, lossy or cut: pure functions of the picture. */

import { interfaceName, internetBridge, prefixLength, toNumber } from "../addressing.ts";
import type { LinkPicture, Network } from "../picture.ts";

const wholeMtu = 1500;
/** Routing tables and priorities of rules from here on belong to links. */
const firstTable = 1000;

/** The TUN device that a link's packets go through; a link that only is cut needs none. */
export function linkDevice({ id }: Pick<LinkPicture, "id">): string {
  return interfaceName("link", id);
}

/** Whether packets have to be led through the daemon. */
export function isLed({ rttMs, mtu, lossPercent, cut }: LinkPicture): boolean {
  return !cut && (rttMs > 0 || lossPercent > 0 || mtu < wholeMtu);
}

/** What the daemon is told of a link. */
export function daemonSettings(link: LinkPicture) {
  return {
    device: linkDevice(link),
    delay: link.rttMs / 2000,
    loss: link.lossPercent / 100,
    seed: link.seed ?? null,
  };
}

/** `ip -batch` lines that make a link's device. */
export function deviceLines(link: LinkPicture): string[] {
  const device = linkDevice(link);
  return [`tuntap add dev ${device} mode tun`, `link set ${device} mtu ${link.mtu} txqueuelen 5000`];
}

/** Lines for when the daemon serves the device - one that is up before drops its first packets - with the way there. */
export function servedLines(link: LinkPicture, slot: number): string[] {
  const device = linkDevice(link);
  return [`link set ${device} up`, `route add default dev ${device} table ${firstTable + slot}`];
}

/**
 * Routing rules, as `ip rule` writes them, for what routers send over a link: into its device, or nowhere. What comes
 * back out of the device is not for them, and goes its usual way.
 */
export function ruleLines(link: LinkPicture, slot: number): string[] {
  if (!link.cut && !isLed(link)) return [];
  const action = link.cut ? "blackhole" : `lookup ${firstTable + slot}`;
  return directions(link).map(
    ([from, to]) => `pref ${firstTable + slot} from ${from} to ${to} iif ${internetBridge} ${action}`,
  );
}

/**
 * The nftables rules of links that swallow what is too large for them: the sender does not hear that, or what would
 * pass. Loading the document replaces the earlier one.
 */
export function silence(links: readonly LinkPicture[]): string {
  const rules = links
    .filter((link) => link.mtuBlackhole && isLed(link))
    .flatMap(directions)
    .map(([from, to]) => {
      const tooLarge = "icmp type destination-unreachable icmp code frag-needed";
      // The packet that an ICMP error quotes: its source is at bit 160, its destination at bit 192.
      return `    ${tooLarge} ${quoted(160, from)} ${quoted(192, to)} drop\n`;
    });
  const chain = `  chain silence {\n    type filter hook output priority filter; policy accept;\n${rules.join("")}  }\n`;
  return `table ip links\ndelete table ip links\ntable ip links {\n${chain}}\n`;
}

function quoted(bit: number, network: Network): string {
  const length = prefixLength(network);
  const value = Math.floor(toNumber(network.split("/")[0] ?? "") / 2 ** (32 - length));
  return `@th,${bit},${length} 0x${value.toString(16)}`;
}

function directions({ networks: [one, other] }: LinkPicture): [Network, Network][] {
  return one === other
    ? [[one, other]]
    : [
        [one, other],
        [other, one],
      ];
}
