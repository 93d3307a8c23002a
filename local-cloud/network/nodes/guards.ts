/**
 * Security groups of nodes: nftables rules on the switch, before the interfaces that they guard, out of the nodes'
 * reach. Bridges hand their packets to them only while somebody in the vxnet is guarded.
 */

import { existsSync } from "node:fs";
import { interfaceName } from "../addressing.ts";
import { configure } from "../machine/namespaces.ts";
import type { NicPicture, NodePicture, SecurityGroupPicture } from "../picture.ts";
import { ruleStatements } from "../routers/firewall.ts";

interface Guarded {
  readonly nic: NicPicture;
  readonly group: SecurityGroupPicture;
}

export class Guards {
  readonly #switch: string;
  #document = "";
  #bridges: readonly string[] = [];

  constructor(switchNamespace: string) {
    this.#switch = switchNamespace;
  }

  /** Makes the rules as in the picture; the bridges of its vxnets are there. */
  async apply(nodes: readonly NodePicture[], vxnets: ReadonlySet<string>): Promise<void> {
    const guarded = guardedOf(nodes);
    const wanted = [...new Set(guarded.map(({ nic }) => interfaceName(nic.vxnet)))];
    if (wanted.length > 0 && !existsSync("/proc/sys/net/bridge")) {
      throw new Error("the kernel module br_netfilter is missing: load it (`modprobe br_netfilter`)");
    }
    const present = new Set([...vxnets].map((vxnet) => interfaceName(vxnet)));
    const off = this.#bridges.filter((bridge) => !wanted.includes(bridge) && present.has(bridge));
    const document = guards(guarded);
    if (document === this.#document && wanted.join() === this.#bridges.join()) return;
    await configure(this.#switch, {
      ip: [
        ...off.map((bridge) => `link set ${bridge} type bridge nf_call_iptables 0`),
        ...wanted.map((bridge) => `link set ${bridge} type bridge nf_call_iptables 1`),
      ],
      nft: document,
    });
    this.#document = document;
    this.#bridges = wanted;
  }

  /** The namespace of the switch is gone. */
  forget(): void {
    this.#document = "";
    this.#bridges = [];
  }
}

function guardedOf(nodes: readonly NodePicture[]): Guarded[] {
  return nodes.flatMap(({ nics }) =>
    nics.flatMap((nic) =>
      nic.securityGroup && nic.address !== "" ? [{ nic, group: nic.securityGroup }] : [],
    ),
  );
}

/** The document for `nft -f`; loading it replaces the earlier one. */
export function guards(guarded: readonly Guarded[]): string {
  const start = "table ip guards\ndelete table ip guards\n";
  if (guarded.length === 0) return start;
  const bridges = [...new Set(guarded.map(({ nic }) => interfaceName(nic.vxnet)))];
  const chains = [
    // Vxnets of two routers may have the same addresses, and a tunnel's packets pass two vxnets as they are.
    ...chain("zones", [
      "type filter hook prerouting priority raw; policy accept;",
      ...bridges.map((bridge, index) => `iifname "${bridge}" ct zone set ${index + 1}`),
    ]),
    ...chain("ways", [
      "type filter hook forward priority filter; policy accept;",
      ...guarded.flatMap(({ nic }, index) => [
        `iifname "${interfaceName(nic.vxnet)}" ip saddr ${nic.address} jump out${index}`,
        `oifname "${interfaceName(nic.vxnet)}" ip daddr ${nic.address} jump in${index}`,
      ]),
    ]),
    ...guarded.flatMap(({ group }, index) => [
      ...chain(`in${index}`, [
        "ct state established,related return",
        "udp sport 67 udp dport 68 return", // the lease, which the node must get whatever its group says
        ...ruleStatements(group.inbound, "saddr", "return"),
        "drop",
      ]),
      ...chain(`out${index}`, [
        "ct state established,related return",
        ...ruleStatements(group.outbound, "daddr", "return"),
      ]),
    ]),
  ];
  return `${start}table ip guards {\n${chains.map((line) => `  ${line}\n`).join("")}}\n`;
}

function chain(name: string, lines: readonly string[]): string[] {
  return [`chain ${name} {`, ...lines.map((line) => `  ${line}`), "}"];
}
