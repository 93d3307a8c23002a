/** L3 GRE tunnels of a router: pure functions of the picture. */

import { interfaceName, localAddressFor } from "../addressing.ts";
import type { Address, GreTunnelPicture, RouterPicture } from "../picture.ts";

/** What a packet grows by: an IPv4 header, and GRE's with or without a key. */
const overhead = { plain: 24, keyed: 28 } as const;

/** One tunnel, as the daemon is told of it and as its TUN device is set up. */
export interface GrePlan {
  readonly id: string;
  readonly device: string;
  readonly local: Address;
  readonly remote: Address;
  readonly key: number | null;
  /** The addresses inside the tunnel. */
  readonly localAddress: Address;
  readonly peerAddress: Address;
  readonly mtu: number;
}

/** The tunnels of a router that can be: the others have no address to come from. */
export function grePlans(router: RouterPicture): GrePlan[] {
  return router.greTunnels.flatMap(({ id, remoteAddress, key, localAddress, peerAddress }) => {
    const local = localAddressFor(router, remoteAddress);
    if (local === undefined) return [];
    const mtu = 1500 - (key === undefined ? overhead.plain : overhead.keyed);
    const device = interfaceName(id);
    return [{ id, device, local, remote: remoteAddress, key: key ?? null, localAddress, peerAddress, mtu }];
  });
}

/** `ip -batch` lines that make a tunnel's device; its routes survive the daemon's end because the device does. */
export function greDeviceLines({ device, mtu }: GrePlan): string[] {
  return [`tuntap add dev ${device} mode tun`, `link set ${device} mtu ${mtu} txqueuelen 1000`];
}

/** Lines for when the daemon serves the device: one that is up before drops its first packets. */
export function greServedLines({ device, localAddress, peerAddress }: GrePlan): string[] {
  return [`link set ${device} up`, `addr add ${localAddress} peer ${peerAddress} dev ${device}`];
}

/**
 * Routes into the tunnels, as `ip route` writes them. Of two tunnels to one network the first carries it; a network
 * of the router's own beats both.
 */
export function greRoutes(tunnels: readonly GreTunnelPicture[], plans: readonly GrePlan[]): string[] {
  return plans.flatMap(({ id, device }, index) => {
    const networks = tunnels.find((tunnel) => tunnel.id === id)?.remoteNetworks ?? [];
    return [...new Set(networks)].map((network) => `${network} dev ${device} metric ${100 + index}`);
  });
}
