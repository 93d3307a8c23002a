/** IPSec tunnels of a router as strongSwan connections: pure functions of the picture. */

import { contains, localAddressFor, toNumber } from "../addressing.ts";
import type { Address, IpsecTunnelPicture, Picture, RouterPicture } from "../picture.ts";
import type { ViciMessage } from "./vici.ts";

/** One side of a tunnel, ready to be loaded into the router's daemon. */
export interface TunnelPlan {
  /** Name of the connection. */
  readonly id: string;
  readonly tunnel: IpsecTunnelPicture;
  readonly localAddress: Address;
  /** Whether this side calls the other one; exactly one side does, or a second IKE SA appears. */
  readonly initiates: boolean;
}

/** strongSwan's own settings: the few plugins that a router needs, ESP in user space. */
export const strongswanConfiguration = `charon {
  # Fewer threads make the control socket hang.
  threads = 16
  # A PSK in aggressive mode can be attacked offline; QingCloud offers the mode, so its routers must answer it.
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  retransmit_timeout = 1.0
  retransmit_base = 1.4
  retransmit_tries = 6
  install_virtual_ip = no
  load = random nonce aes sha1 sha2 hmac kdf gmp openssl kernel-libipsec kernel-netlink socket-default vici
  filelog {
    stderr {
      time_format = %Y-%m-%dT%H:%M:%S
      default = 1
      enc = 0
      net = 0
    }
  }
}
`;

const anyAddress = "0.0.0.0";

/** The tunnels of one router, as they follow from the whole picture; a tunnel for any peer has a plan for each way in. */
export function tunnelPlans(router: RouterPicture, picture: Picture): TunnelPlan[] {
  const { eip, intranet } = router;
  return router.ipsecTunnels.flatMap((tunnel): TunnelPlan[] => {
    if (tunnel.remoteAddress !== anyAddress) {
      const localAddress = localAddressFor(router, tunnel.remoteAddress);
      if (localAddress === undefined) return [];
      return [{ id: tunnel.id, tunnel, localAddress, initiates: initiates(localAddress, tunnel, picture) }];
    }
    const ways = [
      { id: tunnel.id, localAddress: eip?.address },
      { id: `${tunnel.id}-intranet`, localAddress: intranet?.address },
    ];
    return ways.flatMap(({ id, localAddress }) =>
      localAddress === undefined ? [] : [{ id, tunnel, localAddress, initiates: false }],
    );
  });
}

function initiates(localAddress: Address, tunnel: IpsecTunnelPicture, picture: Picture): boolean {
  const peer = picture.routers.find(
    (router) => localAddressFor(router, localAddress) === tunnel.remoteAddress,
  );
  const peerTunnels = peer?.ipsecTunnels ?? [];
  // The peer's side of the tunnel must be there: calling an address where nobody answers is idle work.
  if (peerTunnels.some(({ remoteAddress }) => remoteAddress === localAddress)) {
    return toNumber(localAddress) < toNumber(tunnel.remoteAddress);
  }
  return peerTunnels.some(({ remoteAddress }) => remoteAddress === anyAddress);
}

/**
 * Addresses that the router must have besides its own: kernel-libipsec takes a tunnel's local network only when it
 * finds an address in it, and the hub of a star has networks of other sites there. The network's first address is
 * no host's.
 */
export function anchorAddresses({ eip, intranet, vxnets, ipsecTunnels }: RouterPicture): Address[] {
  const own = [
    ...vxnets.map(({ managerAddress }) => managerAddress),
    ...(eip ? [eip.address] : []),
    ...(intranet ? [intranet.address] : []),
  ];
  const foreign = ipsecTunnels
    .flatMap(({ localNetworks }) => localNetworks)
    .filter((network) => !own.some((address) => contains(network, address)));
  return [...new Set(foreign.map((network) => network.split("/")[0] ?? network))];
}

/** Names of the child SAs of a tunnel: one for each pair of networks, as IKEv1 wants. */
export function childNames({ id, tunnel }: TunnelPlan): string[] {
  return tunnel.localNetworks.flatMap((_, i) => tunnel.remoteNetworks.map((_, j) => `${id}-${i}-${j}`));
}

/** The `load-conn` message of one side of a tunnel. */
export function connection(plan: TunnelPlan): ViciMessage {
  const { id, tunnel, localAddress } = plan;
  const children: Record<string, ViciMessage> = {};
  tunnel.localNetworks.forEach((local, i) => {
    tunnel.remoteNetworks.forEach((remote, j) => {
      children[`${id}-${i}-${j}`] = {
        local_ts: [local],
        remote_ts: [remote],
        esp_proposals: ["aes128-sha1-modp2048", "aes128-sha256-modp2048"],
        mode: "tunnel",
        rekey_time: "28800s",
        dpd_action: "clear",
        start_action: "none",
      };
    });
  });
  return {
    [id]: {
      version: "1",
      aggressive: tunnel.mode === "aggressive" ? "yes" : "no",
      local_addrs: [localAddress],
      remote_addrs: [tunnel.remoteAddress === anyAddress ? "%any" : tunnel.remoteAddress],
      proposals: ["aes128-sha1-modp2048", "aes128-sha256-modp2048"],
      // A QingCloud router stands behind NAT: its ESP always travels in UDP 4500.
      encap: "yes",
      rekey_time: "3600s",
      dpd_delay: "5s",
      dpd_timeout: "15s",
      keyingtries: "1",
      unique: "replace",
      local: { auth: "psk", id: localAddress },
      // Who takes any peer by default takes any identity.
      remote: { auth: "psk", id: tunnel.remoteId === anyAddress ? "%any" : tunnel.remoteId },
      children,
    },
  };
}

/** The `load-shared` message of one side of a tunnel. */
export function sharedKey({ id, tunnel, localAddress }: TunnelPlan): ViciMessage {
  const peers = [tunnel.remoteAddress, tunnel.remoteId].filter(
    (peer) => peer !== anyAddress && peer !== "%any",
  );
  return { id, type: "IKE", data: tunnel.presharedKey, owners: [...new Set([localAddress, ...peers])] };
}
