/** What the router of a tunnel's peer sends, which a security group must let in. Source: QingCloud's GRE and IPSec tunnel guides. */

export interface TunnelPacket {
  readonly protocol: "udp" | "esp" | "gre";
  /** Of UDP. */
  readonly port?: number;
}

/** GRE; or IKE, ESP in UDP through the routers' NAT, and plain ESP. */
export const tunnelPackets: Readonly<Record<"ipsec" | "gre", readonly TunnelPacket[]>> = {
  ipsec: [{ protocol: "udp", port: 500 }, { protocol: "udp", port: 4500 }, { protocol: "esp" }],
  gre: [{ protocol: "gre" }],
};
