/**
 * The picture of the data plane: what should exist on this machine, as plain data.
 *
 * The services derive it from the durable state (applied configuration only: an EIP, a static or a rule
 * that was never applied is not in it); a DataPlane makes it so. Both sides depend on this file and data-plane.ts alone.
 */

/** One IPv4 address without prefix length, e.g. `192.168.1.2`. */
export type Address = string;
/** One IPv4 network in CIDR form, e.g. `192.168.1.0/24`. */
export type Network = string;

export interface Picture {
  readonly routers: readonly RouterPicture[];
  readonly nodes: readonly NodePicture[];
  /** The base network of each zone where nodes are in it: DHCP serves it, nothing leads out of it but nodes' EIPs. */
  readonly baseNetworks?: readonly BaseNetworkPicture[];
  /** OpenSSH public keys that may log in to the bastion (the key pairs registered in any zone). */
  readonly bastionKeys: readonly string[];
  /** The links of the internet that are not perfect. */
  readonly links?: readonly LinkPicture[];
}

export interface BaseNetworkPicture extends VxnetPicture {
  readonly zone: string;
  /** Where its gateway is in the zone's intranet. */
  readonly intranet?: RouterPicture["intranet"];
}

/** What the internet does to packets between the EIPs of two zones, or of one, in both directions. */
export interface LinkPicture {
  readonly id: string;
  /** The networks of EIPs at its ends; twice the same for a link inside a zone. */
  readonly networks: readonly [Network, Network];
  /** Added to every round trip, half of it each way. */
  readonly rttMs: number;
  /** Of the path: larger packets are divided, or refused where they must not be. */
  readonly mtu: number;
  /** Whether the refusal is never heard of. */
  readonly mtuBlackhole: boolean;
  /** Chance of every packet to be lost. */
  readonly lossPercent: number;
  /** Decides which packets are lost; absent for chance. */
  readonly seed?: number;
  /** Nothing passes, without a word. */
  readonly cut: boolean;
}

export interface EipPicture {
  readonly id: string;
  readonly address: Address;
  readonly bandwidthMbps: number;
}

/** A VPC router: its uplink to the "internet" carries the EIP's address. */
export interface RouterPicture {
  /** Resource id, e.g. `rtr-0a1b2c3d`. */
  readonly id: string;
  readonly zone: string;
  /** It has crashed: its vxnets stay, nothing of its own runs. */
  readonly isDown?: true;
  /** Absent while no EIP is applied: the router then has no way out. */
  readonly eip?: EipPicture;
  /** Its address in the network that joins the routers of its zone; absent where it is not joined. */
  readonly intranet?: { readonly address: Address; readonly network: Network };
  readonly vxnets: readonly VxnetPicture[];
  readonly hosts: readonly HostPicture[];
  readonly portForwards: readonly PortForwardPicture[];
  readonly ipsecTunnels: readonly IpsecTunnelPicture[];
  readonly greTunnels: readonly GreTunnelPicture[];
  readonly inbound: readonly RulePicture[];
  readonly outbound: readonly RulePicture[];
}

export interface VxnetPicture {
  readonly id: string;
  /** The router's own address in the vxnet, e.g. `192.168.1.1`. */
  readonly managerAddress: Address;
  readonly network: Network;
  /** Whether the router's DHCP gives the interfaces in it their addresses. */
  readonly dhcp: boolean;
  /** Whether the router's DNS answers in it, and DHCP says so. */
  readonly dns: boolean;
}

/** A name that the router's DNS knows (static type 8). */
export interface HostPicture {
  readonly name: string;
  readonly addresses: readonly Address[];
}

export interface PortForwardPicture {
  readonly id: string;
  readonly protocol: "tcp" | "udp";
  /** Port on the EIP. */
  readonly port: number;
  readonly targetAddress: Address;
  readonly targetPort: number;
}

/** One side of an IPSec tunnel (static type 7). Secrets live in the picture only in memory. */
export interface IpsecTunnelPicture {
  readonly id: string;
  /** Peer's public address, or that in the zone's intranet; `0.0.0.0` accepts any peer. */
  readonly remoteAddress: Address;
  /** Peer's IKE identity; `%any` accepts any. */
  readonly remoteId: string;
  readonly presharedKey: string;
  readonly localNetworks: readonly Network[];
  readonly remoteNetworks: readonly Network[];
  readonly mode: "main" | "aggressive";
  /** Nothing of it passes the router: IKE, ESP. */
  readonly isCut?: true;
}

/** One side of an L3 GRE tunnel (static type 6). */
export interface GreTunnelPicture {
  readonly id: string;
  /** Peer's public address, or that in the zone's intranet. */
  readonly remoteAddress: Address;
  /** Equal on both sides; packets with another key are not for this tunnel. */
  readonly key: number | undefined;
  /** The addresses of this side and of the peer inside the tunnel. */
  readonly localAddress: Address;
  readonly peerAddress: Address;
  readonly remoteNetworks: readonly Network[];
  /** Nothing of it passes the router. */
  readonly isCut?: true;
}

/** A security group rule; the lowest priority number wins, no match drops inbound and accepts outbound. */
export interface RulePicture {
  readonly protocol: "tcp" | "udp" | "icmp" | "gre" | "esp" | "ah" | "ipip";
  readonly priority: number;
  readonly action: "accept" | "drop";
  /** First and last port (tcp, udp) or ICMP type and code; absent = any. */
  readonly from?: number;
  readonly to?: number;
  /** Source (inbound) or destination (outbound); absent = any. */
  readonly network?: Network;
}

export interface SecurityGroupPicture {
  readonly inbound: readonly RulePicture[];
  readonly outbound: readonly RulePicture[];
}

/** A network interface; its vxnet need not be in a router. */
export interface NicPicture {
  /** Id of the vxnet, one of its own for each zone's base network. */
  readonly vxnet: string;
  /** `""` where nothing gives it one. */
  readonly address: Address;
  readonly mac: string;
  /** Guards it; absent: nothing does. */
  readonly securityGroup?: SecurityGroupPicture;
  readonly dhcpOptions?: DhcpOptionsPicture;
}

/** What DHCP gives an interface in place of what its vxnet has (static type 3). */
export interface DhcpOptionsPicture {
  readonly domainNameServers?: readonly Address[];
  readonly domainName?: string;
}

/** What is on a node's disk: Debian with Python, with PyTorch and the guide's scripts or without both. */
export type Image = "bare" | "deep-learning";

/** A disk beside the node's own. */
export interface VolumePicture {
  /** Resource id, e.g. `vol-0a1b2c3d`. */
  readonly id: string;
  /** Path on the node, e.g. `/dev/sdc`. */
  readonly device: string;
  /** GB. */
  readonly size: number;
  /** Id of the volume that it is a copy of when it is first on a node. */
  readonly copyOf?: string;
}

/** What an instance's owner brings onto its disk; written at the disk's first boot. */
export interface UserdataPicture {
  /** Folder of metadata.json and metadata.env, which are written at every boot. */
  readonly folder: string;
  /** For `userdata.string` in the folder. */
  readonly text?: Uint8Array;
  /** Run as root after sshd is up, at every boot. */
  readonly script?: { readonly file: string; readonly content: Uint8Array };
  /** A zip, tar, tgz or tbz file, unpacked from `/`; what has one id never changes. */
  readonly archive?: { readonly id: string; readonly base64: string };
}

export interface MetadataPicture {
  readonly instance_id: string;
  readonly vxnets: readonly { readonly vxnet_id: string; readonly nic_id: string }[];
  readonly [field: string]: string | number | MetadataPicture["vxnets"];
}

/** A running instance. A stopped one is not in the picture, but its disk is kept until `forget`. */
export interface NodePicture {
  /** Resource id, e.g. `i-0a1b2c3d`. */
  readonly id: string;
  readonly zone: string;
  readonly hostname: string;
  readonly image: Image;
  /** Grows with every start or restart: a running node with another boot number is booted anew. */
  readonly boot: number;
  /** Grows each time the OS disk is made anew from the image, which takes a boot; absent while it is the first. */
  readonly disk?: number;
  /** Id of the node whose disk the first one is a copy of, instead of the image's. */
  readonly copyOf?: string;
  /** In the order of eth0, eth1, … at its boot; one that comes later takes the lowest free number. */
  readonly nics: readonly NicPicture[];
  /** Translated to the node's address in the base network, or where it is not in that, in the vxnet of a router. */
  readonly eip?: EipPicture;
  /** The attached volumes. */
  readonly volumes: readonly VolumePicture[];
  /** OpenSSH public keys for root and ubuntu. */
  readonly authorizedKeys: readonly string[];
  /** Of root and ubuntu, as crypt(3) has it, from the first boot of the disk on; absent: no password opens the node. */
  readonly passwordHash?: string;
  readonly userdata?: UserdataPicture;
  /** What the metadata server tells of the instance, and the files beside its user data. */
  readonly metadata: MetadataPicture;
}
