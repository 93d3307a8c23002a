/** The nftables rules of a router, as a pure function of its picture. */

import { intranetName, metadataAddress, privateNetworks } from "../addressing.ts";
import type { PortForwardPicture, RouterPicture, RulePicture } from "../picture.ts";
import { cutStatements } from "./cuts.ts";
import { answersMark, type RoutedPicture } from "./edges.ts";

/** Name of the interface that carries the EIP in a router's namespace. */
export const uplinkDevice = "eip";

const privateSet = `{ ${privateNetworks.join(", ")} }`;

/**
 * The rules of one router as a document for `nft -f`; loading it replaces the earlier ones in one transaction.
 *
 * The security group stands at the uplink and at the zone's intranet: inbound rules are matched before port forwarding, so they name ports of
 * the EIP; what comes out of a tunnel does not pass them again.
 */
export function firewall(router: RoutedPicture, { clampMss }: { clampMss: boolean }): string {
  const outside = outsideOf(router);
  const cut = cutStatements(router);
  const chains = [
    ...(cut.in.length > 0
      ? [
          chain("cut_in", "type filter hook prerouting priority raw; policy accept;", cut.in),
          chain("cut_out", "type filter hook output priority raw; policy accept;", cut.out),
        ]
      : []),
    chain("inbound", "type filter hook prerouting priority mangle; policy accept;", inbound(router, outside)),
    chain("port_forwards", "type nat hook prerouting priority dstnat; policy accept;", portForwards(router)),
    ...(router.detours?.length
      ? [
          chain("answers", "type filter hook prerouting priority mangle; policy accept;", [
            `ct status dnat ct direction reply meta mark set ${answersMark}`,
          ]),
        ]
      : []),
    ...(clampMss
      ? [chain("clamp", "type filter hook forward priority mangle; policy accept;", [mssClamp])]
      : []),
    chain(
      "outbound",
      "type filter hook postrouting priority filter; policy accept;",
      outbound(router, outside),
    ),
    chain("source_nat", "type nat hook postrouting priority srcnat; policy accept;", sourceNat(router)),
  ];
  return `table ip cloud\ndelete table ip cloud\ntable ip cloud {\n${chains.join("")}}\n`;
}

const mssClamp = "tcp flags syn tcp option maxseg size set rt mtu";

function chain(name: string, hook: string, rules: readonly string[]): string {
  return `  chain ${name} {\n    ${hook}\n${rules.map((rule) => `    ${rule}\n`).join("")}  }\n`;
}

/** The interfaces where the security group stands, as nft writes them. */
function outsideOf({ zone, intranet }: RouterPicture): string {
  return intranet ? `{ "${uplinkDevice}", "${intranetName(zone)}" }` : `"${uplinkDevice}"`;
}

function inbound({ inbound: rules, greTunnels, translates }: RoutedPicture, outside: string): string[] {
  // The node's own security group stands before the node.
  if (translates) return [`iifname ${outside} ip saddr ${privateSet} drop`];
  return [
    `iifname != ${outside} accept`,
    `ip saddr ${privateSet} drop`,
    ...answers(greTunnels),
    "ct state invalid drop",
    ...ruleStatements(rules, "saddr"),
    "drop",
  ];
}

/**
 * What answers what went out may come in, but for a tunnel's own GRE: both sides send of themselves, so each would open
 * the other's way, and the rules decide about it.
 */
function answers(greTunnels: RouterPicture["greTunnels"]): string[] {
  if (greTunnels.length === 0) return ["ct state established,related accept"];
  const peers = [...new Set(greTunnels.map(({ remoteAddress }) => remoteAddress))].join(", ");
  return [
    `ct state established,related ip protocol != ${protocolNumber.gre} accept`,
    `ct state established,related ip saddr != { ${peers} } accept`,
  ];
}

function outbound({ outbound: rules, zone, intranet }: RouterPicture, outside: string): string[] {
  return [
    `oifname != ${outside} accept`,
    ...(intranet ? [`oifname "${intranetName(zone)}" ip daddr ${metadataAddress} tcp dport 80 accept`] : []),
    // When a tunnel is down its networks have no route but the default one: nothing of them may leave in clear.
    `ip daddr ${privateSet} drop`,
    // The intranet is for routers alone.
    ...(intranet ? [`oifname "${intranetName(zone)}" ip saddr ${privateSet} drop`] : []),
    "ct state established,related accept",
    ...ruleStatements(rules, "daddr"),
  ];
}

function portForwards({ eip, portForwards: forwards, translates }: RoutedPicture): string[] {
  if (!eip) return [];
  if (translates) return [`iifname "${uplinkDevice}" ip daddr ${eip.address} dnat to ${translates.node}`];
  const statement = ({ protocol, port, targetAddress, targetPort }: PortForwardPicture) =>
    `iifname "${uplinkDevice}" ip daddr ${eip.address} ${protocol} dport ${port} dnat to ${targetAddress}:${targetPort}`;
  return forwards.map(statement);
}

function sourceNat({ zone, eip, intranet, isZones }: RoutedPicture): string[] {
  const toMetadata = intranet && !isZones && `oifname "${intranetName(zone)}" ip daddr ${metadataAddress}`;
  return [
    // The metadata server sees the router, or the node in the base network.
    ...(toMetadata ? [`${toMetadata} ip saddr ${privateSet} snat to ${intranet.address}`] : []),
    // Traffic of a tunnel keeps its addresses: its destination is private.
    ...(eip
      ? [`oifname "${uplinkDevice}" ip saddr ${privateSet} ip daddr != ${privateSet} snat to ${eip.address}`]
      : []),
  ];
}

/** The rules of a security group, first come first served. @param accept the statement for what a rule accepts */
export function ruleStatements(
  rules: readonly RulePicture[],
  side: "saddr" | "daddr",
  accept: "accept" | "return" = "accept",
): string[] {
  const sorted = rules.toSorted((a, b) => a.priority - b.priority);
  return sorted.map((rule) => {
    const network = rule.network ? [`ip ${side} ${rule.network}`] : [];
    return [...network, ...protocolMatch(rule), rule.action === "accept" ? accept : "drop"].join(" ");
  });
}

function protocolMatch({ protocol, from, to }: RulePicture): string[] {
  switch (protocol) {
    case "tcp":
    case "udp":
      if (from === undefined && to === undefined) return [`ip protocol ${protocol}`];
      return [
        `${protocol} dport ${from ?? to}${to !== undefined && from !== undefined && to !== from ? `-${to}` : ""}`,
      ];
    case "icmp":
      return [
        "ip protocol icmp",
        ...(from === undefined ? [] : [`icmp type ${from}`]),
        ...(to === undefined ? [] : [`icmp code ${to}`]),
      ];
    default:
      return [`ip protocol ${protocolNumber[protocol]}`];
  }
}

const protocolNumber = { gre: 47, esp: 50, ah: 51, ipip: 4 } as const;
