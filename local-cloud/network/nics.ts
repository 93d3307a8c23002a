/** The network interfaces of a node: eth0, eth1, … in its namespace, each plugged into a vxnet's bridge on the switch. */

import { interfaceName } from "./addressing.ts";
import { configure, deleteLinks } from "./namespaces.ts";
import type { NicPicture } from "./picture.ts";

/** How a vxnet is connected; without a router there is no gateway. */
export interface VxnetConnection {
  readonly prefixLength: number;
  readonly gateway?: string;
}

export interface NodePort {
  readonly mac: string;
  /** The interface's far end, in the switch's namespace. */
  readonly device: string;
}

interface Plug {
  readonly device: string;
  readonly vxnet: string;
  /** The addresses that the interface has, as text. */
  addresses: string;
}

export class Nics {
  readonly #node: string;
  readonly #namespace: string;
  readonly #switch: string;
  /** By MAC address. */
  readonly #plugs = new Map<string, Plug>();

  constructor(node: string, namespace: string, switchNamespace: string) {
    this.#node = node;
    this.#namespace = namespace;
    this.#switch = switchNamespace;
  }

  get ports(): readonly NodePort[] {
    return [...this.#plugs.keys()].map((mac) => ({ mac, device: this.#port(mac) }));
  }

  /** Unplugs what is not wanted any more, plugs in what is new, and sets the addresses. */
  async apply(
    nics: readonly NicPicture[],
    connectionOf: (vxnet: string) => VxnetConnection | undefined,
  ): Promise<void> {
    const stays = ([mac, plug]: [string, Plug]) =>
      nics.some((nic) => nic.mac === mac && nic.vxnet === plug.vxnet);
    await this.#unplug([...this.#plugs].filter((entry) => !stays(entry)).map(([mac]) => mac));
    await this.#plugIn(nics.filter(({ mac }) => !this.#plugs.has(mac)));
    const gateway = nics
      .map(({ vxnet }) => connectionOf(vxnet)?.gateway)
      .find((found) => found !== undefined);
    const lines = nics.flatMap((nic) => this.#addressLines(nic, connectionOf(nic.vxnet), gateway));
    await configure(this.#namespace, { ip: lines });
  }

  /** Takes the links from the switch, before the node's namespace goes. */
  async remove(): Promise<void> {
    await this.#unplug([...this.#plugs.keys()]);
  }

  async #unplug(macs: readonly string[]): Promise<void> {
    await deleteLinks(
      this.#switch,
      macs.map((mac) => this.#port(mac)),
    );
    for (const mac of macs) this.#plugs.delete(mac);
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
      this.#plugs.set(mac, { device, vxnet, addresses: "" });
    }
    await configure(this.#switch, { ip: lines });
  }

  #freeDevice(): string {
    const taken = new Set([...this.#plugs.values()].map(({ device }) => device));
    for (let index = 0; ; index += 1) if (!taken.has(`eth${index}`)) return `eth${index}`;
  }

  #addressLines(
    { mac, address }: NicPicture,
    connection: VxnetConnection | undefined,
    defaultGateway: string | undefined,
  ): string[] {
    const plug = this.#plugs.get(mac);
    if (!plug) return [];
    const { device } = plug;
    const { prefixLength = 24, gateway } = connection ?? {};
    const isDefault = gateway !== undefined && gateway === defaultGateway;
    const addresses = `${address}/${prefixLength} ${isDefault ? gateway : ""}`;
    if (addresses === plug.addresses) return [];
    plug.addresses = addresses;
    return [
      `link set ${device} up`,
      `addr flush dev ${device}`,
      ...(address === "" ? [] : [`addr add ${address}/${prefixLength} dev ${device}`]),
      ...(address !== "" && isDefault ? [`route replace default via ${gateway} dev ${device}`] : []),
    ];
  }

  #port(mac: string): string {
    return interfaceName(this.#node, mac);
  }
}
