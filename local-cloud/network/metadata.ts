/** The metadata server of the zones, in a namespace of its own that is plugged into the intranet of each. */

import { join } from "node:path";
import { interfaceName, intranetName, intranetServer, metadataAddress, prefixLength } from "./addressing.ts";
import { configure, createNamespaces, deleteLinks, deleteNamespaces } from "./namespaces.ts";
import { PacketDaemon } from "./packet-daemon.ts";
import type { MetadataPicture, Network, Picture } from "./picture.ts";

const program = join(import.meta.dirname, "metadata-server.py");

export interface MetadataOptions {
  readonly namespace: string;
  readonly switch: string;
  readonly logFile: string;
  readonly log: (line: string) => void;
}

export class MetadataServer {
  readonly #options: MetadataOptions;
  readonly #daemon: PacketDaemon;
  #exists = false;
  /** Zones whose intranet it is plugged into, with the intranet's network. */
  #zones = new Map<string, Network>();
  #orders = "";

  constructor(options: MetadataOptions) {
    this.#options = options;
    this.#daemon = new PacketDaemon({ name: "the metadata server", program, ...options });
  }

  /** Serves the nodes of zones that have an intranet; the switch has its bridges. */
  async apply(picture: Picture): Promise<void> {
    const zones = intranetsOf(picture);
    if (zones.size === 0) return await this.remove();
    if (!this.#exists) {
      await createNamespaces([this.#options.namespace]);
      this.#exists = true;
      const ip = ["link set lo up", `addr add ${metadataAddress}/32 dev lo`];
      await configure(this.#options.namespace, { ip });
    }
    await this.#plug(zones);
    const instances = instancesByNetwork(picture, zones);
    const orders = JSON.stringify(instances);
    if (orders === this.#orders && this.#daemon.obeys) return;
    await this.#daemon.order({ instances });
    this.#orders = orders;
  }

  async remove(): Promise<void> {
    await this.#daemon.stop();
    if (!this.#exists) return;
    await this.#unplug([...this.#zones.keys()]);
    await deleteNamespaces([this.#options.namespace]);
    this.#exists = false;
    this.#orders = "";
  }

  async #plug(zones: ReadonlyMap<string, Network>): Promise<void> {
    await this.#unplug([...this.#zones.keys()].filter((zone) => !zones.has(zone)));
    for (const [zone, network] of zones) {
      if (this.#zones.has(zone)) continue;
      const device = intranetName(zone);
      const far = `peer name ${device} netns ${this.#options.namespace}`;
      const port = portOf(zone);
      await configure(this.#options.switch, {
        ip: [`link add ${port} type veth ${far}`, `link set ${port} master ${device} up`],
      });
      this.#zones.set(zone, network);
      await configure(this.#options.namespace, {
        ip: [
          `addr add ${intranetServer(network)}/${prefixLength(network)} dev ${device}`,
          `link set ${device} up`,
        ],
      });
    }
  }

  async #unplug(zones: readonly string[]): Promise<void> {
    await deleteLinks(this.#options.switch, zones.map(portOf));
    for (const zone of zones) this.#zones.delete(zone);
  }
}

function portOf(zone: string): string {
  return interfaceName("metadata", zone);
}

function intranetsOf({ routers }: Picture): Map<string, Network> {
  return new Map(
    routers.flatMap(({ zone, intranet }) => (intranet ? [[zone, intranet.network] as const] : [])),
  );
}

function instancesByNetwork({ nodes }: Picture, zones: ReadonlyMap<string, Network>) {
  const ofZone = (zone: string) => nodes.filter((node) => node.zone === zone);
  const known = (zone: string): [string, MetadataPicture][] =>
    ofZone(zone).map(({ id, metadata }) => [id, metadata]);
  return Object.fromEntries([...zones].map(([zone, network]) => [network, Object.fromEntries(known(zone))]));
}
