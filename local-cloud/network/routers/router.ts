/** A VPC router: a namespace with an uplink that carries the EIP and a port in each of its vxnets. */

import { join } from "node:path";
import {
  interfaceName,
  internetBridge,
  internetGateway,
  intranetName,
  macOf,
  metadataAddress,
  prefixLength,
} from "../addressing.ts";
import {
  configure,
  createNamespaces,
  deleteLinks,
  deleteNamespaces,
  forwardingSysctl,
} from "../machine/namespaces.ts";
import type { Picture, RouterPicture } from "../picture.ts";
import { Charon } from "../tunnels/charon.ts";
import { GreTunnels } from "../tunnels/gre-tunnels.ts";
import { anchorAddresses, tunnelPlans } from "../tunnels/ipsec.ts";
import { Dnsmasq } from "./dnsmasq.ts";
import { type Detour, detourLines, type RoutedPicture, uplinkGroup } from "./edges.ts";
import { firewall, uplinkDevice } from "./firewall.ts";
import { inboundLine, outboundLine } from "./shaping.ts";

export interface RouterSurroundings {
  readonly namespace: string;
  readonly internet: string;
  readonly switch: string;
  readonly clampMss: boolean;
  readonly strongswanConfiguration: string;
  readonly logs: string;
  readonly dnsmasqFolder: string;
  readonly log: (line: string) => void;
  /** Called with the EIP when the router's IKE daemon came up. */
  readonly onIkeStart: (address: string) => Promise<void>;
}

interface Port {
  /** What it is plugged into: a vxnet, or the zone's intranet. */
  readonly vxnet: string;
  readonly isIntranet?: boolean;
  readonly address: string;
  readonly prefixLength: number;
}

export class Router {
  readonly id: string;
  readonly namespace: string;
  readonly charon: Charon;
  readonly gre: GreTunnels;
  readonly #around: RouterSurroundings;
  /** Whether it is the zone's own: its EIP is a node's. */
  isZones = false;
  /** The IPSec tunnels that the picture has, up or not. */
  ipsecIds: readonly string[] = [];
  readonly #dnsmasq: Dnsmasq;
  #exists = false;
  #uplink: { readonly id: string; readonly address: string; readonly bandwidthMbps: number } | undefined;
  readonly #ports = new Map<string, Port>();
  #anchors = new Set<string>();
  #detours: readonly Detour[] = [];
  #firewall = "";

  constructor(id: string, around: RouterSurroundings) {
    this.id = id;
    this.namespace = around.namespace;
    this.#around = around;
    this.charon = new Charon({
      namespace: around.namespace,
      configuration: around.strongswanConfiguration,
      logFile: join(around.logs, `charon-${id}.log`),
      log: around.log,
      onStart: async () => {
        const ports = [...this.#ports.values()].filter(({ isIntranet }) => isIntranet);
        for (const { address } of [...(this.#uplink ? [this.#uplink] : []), ...ports]) {
          await around.onIkeStart(address);
        }
      },
    });
    this.#dnsmasq = new Dnsmasq({
      id,
      namespace: around.namespace,
      folder: around.dnsmasqFolder,
      logFile: join(around.logs, `dnsmasq-${id}.log`),
      log: around.log,
    });
    this.gre = new GreTunnels({
      name: `GRE of ${id}`,
      namespace: around.namespace,
      logFile: join(around.logs, `gre-${id}.log`),
      log: around.log,
    });
  }

  /** Interface of the uplink's far end, inside the internet. */
  get internetDevice(): string {
    return interfaceName(this.id);
  }

  /** The EIP that its uplink carries. */
  get eipId(): string | undefined {
    return this.#uplink?.id;
  }

  /** Its vxnets, each with the port in the switch's namespace that it is plugged into. */
  get vxnetPorts(): readonly { readonly vxnet: string; readonly device: string }[] {
    const ports = [...this.#ports.values()].filter(({ isIntranet }) => !isIntranet);
    return ports.map(({ vxnet }) => ({ vxnet, device: this.#switchDevice(vxnet) }));
  }

  /** Its port in the zone's intranet, in the switch's namespace. */
  get intranetDevice(): string | undefined {
    const port = [...this.#ports.values()].find(({ isIntranet }) => isIntranet);
    return port && this.#switchDevice(port.vxnet);
  }

  /** Unplugs what is not in the picture, so that another router may have the address in the same step. */
  async release(picture: RoutedPicture): Promise<void> {
    if (this.#uplink && this.#uplink.address !== picture.eip?.address) {
      await deleteLinks(this.#around.internet, [this.internetDevice]);
      this.#uplink = undefined;
    }
    const wanted = new Set(portsOf(picture).map(portKey));
    const gone = [...this.#ports].filter(([key]) => !wanted.has(key));
    await deleteLinks(
      this.#around.switch,
      gone.map(([, { vxnet }]) => this.#switchDevice(vxnet)),
    );
    for (const [key] of gone) this.#ports.delete(key);
  }

  /** Makes everything but tunnels as in the picture. */
  async apply(router: RoutedPicture, picture: Picture): Promise<void> {
    const isNew = !this.#exists;
    if (isNew) {
      await createNamespaces([this.namespace]);
      this.#exists = true;
    }
    const ports = portsOf(router).filter((port) => !this.#ports.has(portKey(port)));
    const connectsUplink = router.eip !== undefined && this.#uplink === undefined;
    await Promise.all([this.#plugPorts(ports), this.#plugUplink(router)]);
    const anchors = new Set(anchorAddresses(router));
    const rules = firewall(router, this.#around);
    await configure(this.namespace, {
      sysctl: isNew ? forwardingSysctl : {},
      ip: [
        ...(isNew ? ["link set lo up"] : []),
        ...ports.flatMap(portLines),
        ...(connectsUplink && router.eip ? uplinkLines(router.eip.address) : []),
        ...[...this.#anchors]
          .filter((address) => !anchors.has(address))
          .map((address) => `addr del ${address}/32 dev lo`),
        ...[...anchors]
          .filter((address) => !this.#anchors.has(address))
          .map((address) => `addr add ${address}/32 dev lo`),
        ...detourLines(router.detours ?? [], this.#detours),
        ...(router.translates
          ? [`route replace ${router.translates.node} via ${router.translates.via}`]
          : []),
      ],
      tc: this.#shape(router),
      nft: rules === this.#firewall ? "" : rules,
    });
    this.#firewall = rules;
    this.#anchors = anchors;
    this.#detours = router.detours ?? [];
    this.isZones = router.isZones ?? false;
    if (router.eip) this.#uplink = { ...router.eip };
    this.ipsecIds = router.ipsecTunnels.map(({ id }) => id);
    const nics = picture.nodes.flatMap((node) => node.nics);
    await this.#dnsmasq.apply(router.vxnets, nics, router.hosts);
  }

  /** Sets tunnels up, in a router that is applied. */
  async applyTunnels(router: RouterPicture, picture: Picture): Promise<void> {
    await this.gre.apply(router);
    await this.charon.apply(tunnelPlans(router, picture));
  }

  async remove(): Promise<void> {
    await Promise.all([this.charon.stop(), this.gre.stop(), this.#dnsmasq.stop()]);
    if (!this.#exists) return;
    const ports = [...this.#ports.values()].map(({ vxnet }) => this.#switchDevice(vxnet));
    await Promise.all([
      deleteLinks(this.#around.internet, [this.internetDevice]),
      deleteLinks(this.#around.switch, ports),
    ]);
    await deleteNamespaces([this.namespace]);
    this.#exists = false;
    this.#uplink = undefined;
    this.#ports.clear();
    this.#anchors.clear();
    this.#detours = [];
    this.#firewall = "";
  }

  #shape({ eip }: RouterPicture): string[] {
    if (!eip || eip.bandwidthMbps === this.#uplink?.bandwidthMbps) return [];
    return [outboundLine(uplinkDevice, eip.bandwidthMbps)];
  }

  async #plugUplink(router: RouterPicture): Promise<void> {
    const { eip } = router;
    if (!eip) return;
    const device = this.internetDevice;
    const far = `peer name ${uplinkDevice} address ${macOf(eip.address)} netns ${this.namespace}`;
    const plug = [`link add ${device} type veth ${far}`, `link set ${device} master ${internetBridge} up`];
    const shape =
      eip.bandwidthMbps === this.#uplink?.bandwidthMbps ? [] : [inboundLine(device, eip.bandwidthMbps)];
    await configure(this.#around.internet, { ip: this.#uplink ? [] : plug, tc: shape });
  }

  async #plugPorts(ports: readonly Port[]): Promise<void> {
    const lines = ports.flatMap(({ vxnet, address }) => {
      const device = this.#switchDevice(vxnet);
      const near = `peer name ${interfaceName(vxnet)} address ${macOf(address)} netns ${this.namespace}`;
      return [`link add ${device} type veth ${near}`, `link set ${device} master ${interfaceName(vxnet)} up`];
    });
    await configure(this.#around.switch, { ip: lines });
    for (const port of ports) this.#ports.set(portKey(port), port);
  }

  #switchDevice(vxnet: string): string {
    return interfaceName(this.id, vxnet);
  }
}

function uplinkLines(address: string): string[] {
  const gateway = internetGateway(address);
  // No neighbours: also what goes to another EIP of the zone is routed by the internet, which may do things to it.
  return [
    `addr add ${address}/32 dev ${uplinkDevice}`,
    `link set ${uplinkDevice} group ${uplinkGroup} up`,
    `route add ${gateway} dev ${uplinkDevice} scope link`,
    `route add default via ${gateway} dev ${uplinkDevice}`,
  ];
}

function portsOf({ zone, intranet, vxnets }: RouterPicture): Port[] {
  const ports = vxnets.map(({ id, managerAddress, network }) => ({
    vxnet: id,
    address: managerAddress,
    prefixLength: prefixLength(network),
  }));
  if (!intranet) return ports;
  const { address, network } = intranet;
  const port = { vxnet: intranetName(zone), isIntranet: true, address, prefixLength: prefixLength(network) };
  return [...ports, port];
}

function portLines({ vxnet, isIntranet, address, prefixLength: length }: Port): string[] {
  const device = interfaceName(vxnet);
  return [
    `addr add ${address}/${length} dev ${device}`,
    `link set ${device} up`,
    ...(isIntranet ? [`route add ${metadataAddress} dev ${device}`] : []),
  ];
}

function portKey({ vxnet, address, prefixLength: length }: Port): string {
  return `${vxnet} ${address}/${length}`;
}
