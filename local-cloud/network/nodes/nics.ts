/** The network interfaces of a node: eth0, eth1, … in its namespace, each plugged into a vxnet's bridge on the switch. */

import { interfaceName } from "../addressing.ts";
import { configure, deleteLinks } from "../machine/namespaces.ts";
import type { NicPicture } from "../picture.ts";

/** What a vxnet's router does for the interfaces in it. */
export interface VxnetConnection {
  /** Names the network that DHCP gives addresses of; another one: leases have to be asked for anew. */
  readonly lease: string;
  /** Of its default route beside those of the node's other interfaces. */
  readonly metric: number;
}

export type ConnectionOf = (vxnet: string) => VxnetConnection | undefined;

/** Arguments of the node's program `dhcp`. */
export type ClientOrder =
  | readonly ["start", device: string, metric: string]
  | readonly ["stop", device: string];

export interface NodePort {
  readonly mac: string;
  /** The interface's far end, in the switch's namespace. */
  readonly device: string;
}

interface Plug {
  readonly device: string;
  readonly vxnet: string;
  /** What its DHCP client was started for; `""` while none runs. */
  lease: string;
}

export class Nics {
  readonly #node: string;
  readonly #namespace: string;
  readonly #switch: string;
  /** By MAC address. */
  readonly #plugs = new Map<string, Plug>();
  /** Devices that were unplugged, each with a client still. */
  #orphans: string[] = [];

  constructor(node: string, namespace: string, switchNamespace: string) {
    this.#node = node;
    this.#namespace = namespace;
    this.#switch = switchNamespace;
  }

  get ports(): readonly NodePort[] {
    return [...this.#plugs.keys()].map((mac) => ({ mac, device: this.#port(mac) }));
  }

  /** Unplugs what is not wanted any more and plugs in what is new. */
  async apply(nics: readonly NicPicture[]): Promise<void> {
    const stays = ([mac, plug]: [string, Plug]) =>
      nics.some((nic) => nic.mac === mac && nic.vxnet === plug.vxnet);
    await this.#unplug([...this.#plugs].filter((entry) => !stays(entry)).map(([mac]) => mac));
    await this.#plugIn(nics.filter(({ mac }) => !this.#plugs.has(mac)));
  }

  /** What has to be done inside the node, so that DHCP gives its interfaces their addresses; each is told once. */
  dueOrders(nics: readonly NicPicture[], connectionOf: ConnectionOf): ClientOrder[] {
    const orders = this.#orphans.map((device): ClientOrder => ["stop", device]);
    this.#orphans = [];
    for (const { mac, vxnet, address } of nics) {
      const plug = this.#plugs.get(mac);
      const connection = address === "" ? undefined : connectionOf(vxnet);
      const { lease = "", metric = 0 } = connection ?? {};
      // While the router only is away, the lease goes on as long as it lasts.
      if (!plug || lease === plug.lease || (lease === "" && address !== "")) continue;
      plug.lease = lease;
      const number = metric + Number(plug.device.slice("eth".length));
      orders.push(lease === "" ? ["stop", plug.device] : ["start", plug.device, String(number)]);
    }
    return orders;
  }

  /** Takes the links from the switch, before the node's namespace goes. */
  async remove(): Promise<void> {
    await this.#unplug([...this.#plugs.keys()]);
    this.#orphans = [];
  }

  async #unplug(macs: readonly string[]): Promise<void> {
    await deleteLinks(
      this.#switch,
      macs.map((mac) => this.#port(mac)),
    );
    for (const mac of macs) {
      const plug = this.#plugs.get(mac);
      if (plug && plug.lease !== "") this.#orphans.push(plug.device);
      this.#plugs.delete(mac);
    }
  }

  async #plugIn(nics: readonly NicPicture[]): Promise<void> {
    const lines: string[] = [];
    for (const { mac, vxnet } of nics) {
      const device = this.#freeDevice();
      const port = this.#port(mac);
      lines.push(
        `link add ${port} type veth peer name ${device} address ${mac} netns ${this.#namespace}`,
        `link set ${port} master ${interfaceName(vxnet)} up`,
      );
      this.#plugs.set(mac, { device, vxnet, lease: "" });
    }
    await configure(this.#switch, { ip: lines });
    const devices = nics.map(({ mac }) => this.#plugs.get(mac)?.device);
    await configure(this.#namespace, { ip: devices.map((device) => `link set ${device} up`) });
  }

  #freeDevice(): string {
    const taken = new Set([...this.#plugs.values()].map(({ device }) => device));
    for (let index = 0; ; index += 1) if (!taken.has(`eth${index}`)) return `eth${index}`;
  }

  #port(mac: string): string {
    return interfaceName(this.#node, mac);
  }
}
