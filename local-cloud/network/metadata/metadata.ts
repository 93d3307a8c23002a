/** The metadata server of the zones, in a namespace of its own that is plugged into the intranet of each. */

import { join } from "node:path";
import { interfaceName, intranetName, intranetServer, metadataAddress, prefixLength } from "../addressing.ts";
import { configure, createNamespaces, deleteLinks, deleteNamespaces } from "../machine/namespaces.ts";
import { PacketDaemon } from "../machine/packet-daemon.ts";
import type { Address, Network, Picture } from "../picture.ts";
import { allRouters } from "../routers/edges.ts";

const program = join(import.meta.dirname, "metadata-server.py");

export interface MetadataOptions {
  readonly namespace: string;
  readonly switch: string;
  readonly logFile: string;
  readonly log: (line: string) => void;
}

interface Place {
  /** The zone's intranet. */
  readonly network: Network;
  /** Networks behind gateways in it that keep the addresses of what they pass on. */
  readonly routes: readonly { readonly network: Network; readonly via: Address }[];
}

export class MetadataServer {
  readonly #options: MetadataOptions;
  readonly #daemon: PacketDaemon;
  #exists = false;
  /** By zone: where it is plugged in. */
  readonly #places = new Map<string, Place>();
  #orders = "";

  constructor(options: MetadataOptions) {
    this.#options = options;
    this.#daemon = new PacketDaemon({ name: "the metadata server", program, ...options });
  }

  /** Serves the nodes of zones that have an intranet; the switch has its bridges. */
  async apply(picture: Picture): Promise<void> {
    const places = placesOf(picture);
    if (places.size === 0) return await this.remove();
    if (!this.#exists) {
      await createNamespaces([this.#options.namespace]);
      this.#exists = true;
      const ip = ["link set lo up", `addr add ${metadataAddress}/32 dev lo`];
      await configure(this.#options.namespace, { ip });
    }
    await this.#plug(places);
    const instances = instancesByNetwork(picture, places);
    const orders = JSON.stringify(instances);
    if (orders === this.#orders && this.#daemon.obeys) return;
    await this.#daemon.order({ instances });
    this.#orders = orders;
  }

  async remove(): Promise<void> {
    await this.#daemon.stop();
    if (!this.#exists) return;
    await this.#unplug([...this.#places.keys()]);
    await deleteNamespaces([this.#options.namespace]);
    this.#exists = false;
    this.#orders = "";
  }

  async #plug(places: ReadonlyMap<string, Place>): Promise<void> {
    const stays = ([zone, place]: [string, Place]) =>
      JSON.stringify(places.get(zone)) === JSON.stringify(place);
    await this.#unplug([...this.#places].filter((entry) => !stays(entry)).map(([zone]) => zone));
    for (const [zone, place] of places) {
      if (this.#places.has(zone)) continue;
      const device = intranetName(zone);
      const far = `peer name ${device} netns ${this.#options.namespace}`;
      const port = portOf(zone);
      await configure(this.#options.switch, {
        ip: [`link add ${port} type veth ${far}`, `link set ${port} master ${device} up`],
      });
      this.#places.set(zone, place);
      const { network, routes } = place;
      await configure(this.#options.namespace, {
        ip: [
          `addr add ${intranetServer(network)}/${prefixLength(network)} dev ${device}`,
          `link set ${device} up`,
          ...routes.map((route) => `route add ${route.network} via ${route.via}`),
        ],
      });
    }
  }

  async #unplug(zones: readonly string[]): Promise<void> {
    await deleteLinks(this.#options.switch, zones.map(portOf));
    for (const zone of zones) this.#places.delete(zone);
  }
}

function portOf(zone: string): string {
  return interfaceName("metadata", zone);
}

/** The zones that have an intranet, each with the networks that requests come from. */
function placesOf(picture: Picture): Map<string, Place> {
  const places = new Map<string, Place>();
  for (const { zone, intranet, isZones, vxnets } of allRouters(picture)) {
    if (!intranet) continue;
    const routes = isZones ? vxnets.map(({ network }) => ({ network, via: intranet.address })) : [];
    const known = places.get(zone)?.routes ?? [];
    places.set(zone, { network: intranet.network, routes: [...known, ...routes] });
  }
  return places;
}

function instancesByNetwork({ nodes }: Picture, places: ReadonlyMap<string, Place>) {
  return Object.fromEntries(
    [...places].flatMap(([zone, { network, routes }]) => {
      const ofZone = nodes.filter((node) => node.zone === zone);
      const known = Object.fromEntries(ofZone.map(({ id, metadata }) => [id, metadata]));
      return [network, ...routes.map((route) => route.network)].map((source) => [source, known]);
    }),
  );
}
