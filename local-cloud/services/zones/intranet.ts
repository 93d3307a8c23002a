/** The intranet of a zone: its routers reach each other there, by their private addresses, without an EIP. */
import type { Router } from "../../store/resources.ts";
import type { Store } from "../../store/store.ts";
import { isGone } from "../context.ts";
import { zoneOf } from "./zones.ts";

/** The first addresses are kept for the zone itself. */
const firstHost = 10;
const hosts = 2 ** 16 - firstHost - 1;

/** An address that no router of the zone has. */
export function freePrivateIp(store: Store, zone: string): string {
  const { intranetPrefix } = zoneOf(zone);
  const routers = store.list("router", zone).filter((router) => !isGone(router));
  const taken = new Set(routers.map(({ privateIp }) => privateIp));
  for (let host = firstHost; host < firstHost + hosts; host += 1) {
    const address = `${intranetPrefix}.${host >> 8}.${host & 255}`;
    if (!taken.has(address)) return address;
  }
  throw new Error(`zone ${zone} has no address left for a router`);
}

/** Where a router is in the intranet of its zone. */
export function intranetOf({ zone, privateIp }: Router): { address: string; network: string } | undefined {
  if (privateIp === undefined) return undefined;
  return { address: privateIp, network: `${zoneOf(zone).intranetPrefix}.0.0/16` };
}

/** Gives an address to the routers of a state from before there was an intranet. */
export function seedIntranet(store: Store): void {
  for (const router of store.list("router")) {
    if (router.privateIp !== undefined || isGone(router)) continue;
    store.put({ ...router, privateIp: freePrivateIp(store, router.zone) });
  }
}
