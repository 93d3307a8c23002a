/** What is seen of routers and nodes: bytes at the EIPs, tunnels that are up, processes. */

import type { Observation } from "./data-plane.ts";
import { run } from "./machine/shell.ts";
import type { Node } from "./nodes/node.ts";
import type { Router } from "./routers/router.ts";

export interface LinkStatistics {
  readonly ifindex: number;
  readonly ifname: string;
  readonly stats64: { readonly rx: { readonly bytes: number }; readonly tx: { readonly bytes: number } };
}

export async function observe(
  internet: string,
  routers: readonly Router[],
  nodes: readonly Node[],
): Promise<Observation> {
  const links = routers.length > 0 ? await linkStatistics(internet) : [];
  return {
    routers: await Promise.all(
      routers
        .filter(({ isZones }) => !isZones)
        .map(async (router) => {
          // The uplink's far end: what it transmits is what the EIP receives.
          const link = links.find(({ ifname }) => ifname === router.internetDevice);
          const established = await router.charon.established();
          return {
            id: router.id,
            namespace: router.namespace,
            received: link?.stats64.tx.bytes ?? 0,
            sent: link?.stats64.rx.bytes ?? 0,
            tunnels: [
              ...router.ipsecIds.map((id) => ({
                id,
                kind: "ipsec" as const,
                established: established.has(id),
              })),
              ...router.gre.tunnels.map((tunnel) => ({ ...tunnel, kind: "gre" as const })),
            ],
          };
        }),
    ),
    nodes: nodes.map(({ id, namespace, pid }) => ({ id, namespace, pid })),
  };
}

/** Every interface of a namespace with its counters. */
export async function linkStatistics(namespace: string): Promise<LinkStatistics[]> {
  return JSON.parse(await run("ip", ["-n", namespace, "-json", "-stats", "link"])) as LinkStatistics[];
}
