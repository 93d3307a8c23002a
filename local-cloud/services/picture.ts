/** The picture of the data plane as a pure function of the durable state: what is applied, nothing else. */
import type {
  EipPicture,
  GreTunnelPicture,
  IpsecTunnelPicture,
  NicPicture,
  NodePicture,
  Picture,
  PortForwardPicture,
  RouterPicture,
  SecurityGroupPicture,
} from "../network/picture.ts";
import type { Instance, Nic, Router, RouterStatic, Volume } from "../store/resources.ts";
import type { Store } from "../store/store.ts";
import { isCrashed, isCut } from "./faults/states.ts";
import { needImage } from "./images/images.ts";
import { metadataOf, userdataPicture } from "./instances/userdata.ts";
import { linkPictures } from "./links/links.ts";
import { readGre, readIpsec, readPortForward } from "./routers/statics/values.ts";
import { toRulePicture } from "./security-groups/rules.ts";
import { dhcpOptionsOf, hostsOf } from "./vxnets/dhcp-and-dns.ts";
import { intranetOf } from "./zones/intranet.ts";
import { zones } from "./zones/zones.ts";

export function pictureOf(store: Store): Picture {
  const routers = store
    .list("router")
    .filter(({ status }) => status === "active")
    .map((router) => routerPicture(store, router));
  const links = linkPictures(store);
  const volumes = Map.groupBy(store.list("volume"), ({ attachment }) => attachment?.instanceId);
  return {
    routers,
    nodes: store
      .list("instance")
      .filter((instance) => instance.status === "running" && !isCrashed(store, instance))
      .map((instance) => nodePicture(store, instance, volumes.get(instance.id) ?? [])),
    ...baseNetworksOf(store),
    bastionKeys: [
      ...new Set(store.list("keypair").map(({ encryptMethod, body }) => `${encryptMethod} ${body}`)),
    ].sort(),
    ...(links.length === 0 ? {} : { links }),
  };
}

function routerPicture(store: Store, router: Router): RouterPicture {
  const { id, zone, applied } = router;
  const intranet = intranetOf(router);
  const statics = applied.statics.filter(({ disabled }) => !disabled);
  return {
    id,
    zone,
    ...(isCrashed(store, router) ? { isDown: true } : {}),
    ...eipPicture(store, zone, applied.eipId),
    ...(intranet === undefined ? {} : { intranet }),
    vxnets: store.list("vxnet", zone).flatMap((vxnet) => {
      const { join } = vxnet;
      if (join?.routerId !== id) return [];
      const { managerIp: managerAddress, network, features } = join;
      return [{ id: vxnet.id, managerAddress, network, dhcp: (features & 1) > 0, dns: (features & 2) > 0 }];
    }),
    hosts: hostsOf(statics),
    portForwards: statics.filter(({ staticType }) => staticType === 1).map(portForwardPicture),
    ipsecTunnels: statics
      .filter(({ staticType }) => staticType === 7)
      .flatMap((item) => ipsecTunnelPicture(store, item) ?? []),
    greTunnels: statics
      .filter(({ staticType }) => staticType === 6)
      .flatMap((item) => greTunnelPicture(store, item) ?? []),
    ...rules(store, zone, router.appliedSecurityGroupId),
  };
}

function rules(store: Store, zone: string, groupId: string): SecurityGroupPicture {
  const applied = store.get("security_group", zone, groupId)?.applied.rules ?? [];
  const towards = (direction: 0 | 1) =>
    applied.filter((rule) => rule.direction === direction).map(toRulePicture);
  return { inbound: towards(0), outbound: towards(1) };
}

function portForwardPicture(item: RouterStatic): PortForwardPicture {
  return { id: item.id, ...readPortForward(item.values, "") };
}

function ipsecTunnelPicture(store: Store, item: RouterStatic): IpsecTunnelPicture | undefined {
  const tunnel = readIpsec(item.values, "");
  const common = { id: item.id, ...tunnel, ...(isCut(store, item.id) ? { isCut: true as const } : {}) };
  if (!isRouterId(tunnel.remoteAddress)) return common;
  const peer = store.get("router", item.zone, tunnel.remoteAddress);
  if (peer?.privateIp === undefined) return undefined;
  const eip = peer.applied.eipId === undefined ? undefined : store.get("eip", item.zone, peer.applied.eipId);
  // On the intranet a router goes by its address there, whichever of its names it was given by.
  const names = [peer.id, peer.privateIp, eip?.address];
  const remoteId = names.includes(tunnel.remoteId) ? peer.privateIp : tunnel.remoteId;
  return { ...common, remoteAddress: peer.privateIp, remoteId };
}

function greTunnelPicture(store: Store, item: RouterStatic): GreTunnelPicture | undefined {
  const tunnel = readGre(item.values, "");
  const common = { id: item.id, ...tunnel, ...(isCut(store, item.id) ? { isCut: true as const } : {}) };
  if (!isRouterId(tunnel.remoteAddress)) return common;
  const remoteAddress = store.get("router", item.zone, tunnel.remoteAddress)?.privateIp;
  return remoteAddress === undefined ? undefined : { ...common, remoteAddress };
}

/** A router of the zone as a tunnel's peer: it is reached over the intranet. */
function isRouterId(remote: string): boolean {
  return remote.startsWith("rtr-");
}

function nodePicture(store: Store, instance: Instance, volumes: readonly Volume[]): NodePicture {
  const { id, zone, hostname, boot, disk } = instance;
  const userdata = userdataPicture(store, instance);
  const keys = instance.keypairIds.flatMap((keypairId) => {
    const keypair = store.get("keypair", zone, keypairId);
    return keypair === undefined ? [] : [`${keypair.encryptMethod} ${keypair.body}`];
  });
  return {
    id,
    zone,
    hostname,
    image: needImage(instance.imageId).contents,
    boot,
    ...(disk === undefined ? copyOf(instance) : { disk }),
    ...eipPicture(store, zone, instance.eipId),
    nics: instance.nics.map((nic) => nicPicture(store, instance, nic)),
    volumes: volumes.flatMap((volume) => {
      const { size, attachment } = volume;
      return attachment === undefined
        ? []
        : [{ id: volume.id, device: attachment.device, size, ...copyOf(volume) }];
    }),
    authorizedKeys: keys,
    ...(instance.passwordHash === undefined ? {} : { passwordHash: instance.passwordHash }),
    ...(userdata === undefined ? {} : { userdata }),
    metadata: metadataOf(instance, volumes),
  };
}

function copyOf({ clonedFrom }: Instance | Volume): { readonly copyOf?: string } {
  return clonedFrom === undefined ? {} : { copyOf: clonedFrom };
}

function nicPicture(store: Store, instance: Instance, { vxnetId, address, mac }: Nic): NicPicture {
  const { id, zone, securityGroupId } = instance;
  const isGuarded = securityGroupId !== "" && guardedVxnetOf(store, instance) === vxnetId;
  const routerId = store.get("vxnet", zone, vxnetId)?.join?.routerId;
  const statics = routerId === undefined ? [] : (store.get("router", zone, routerId)?.applied.statics ?? []);
  const dhcpOptions = dhcpOptionsOf(statics, id)?.options;
  return {
    vxnet: networkId(zone, vxnetId),
    address,
    mac,
    ...(isGuarded ? { securityGroup: rules(store, zone, securityGroupId) } : {}),
    ...(dhcpOptions === undefined ? {} : { dhcpOptions }),
  };
}

/** A group stands before the interface in the base network, or where there is none before the one in a managed vxnet. */
function guardedVxnetOf(store: Store, { zone, nics }: Instance): string | undefined {
  const typeOf = ({ vxnetId }: Nic) => store.get("vxnet", zone, vxnetId)?.vxnetType;
  const nic = nics.find((each) => typeOf(each) === 2) ?? nics.find((each) => typeOf(each) === 1);
  return nic?.vxnetId;
}

function eipPicture(store: Store, zone: string, id: string | undefined): { readonly eip?: EipPicture } {
  const eip = id === undefined ? undefined : store.get("eip", zone, id);
  return eip === undefined ? {} : { eip: { id: eip.id, address: eip.address, bandwidthMbps: eip.bandwidth } };
}

function baseNetworksOf(store: Store): Pick<Picture, "baseNetworks"> {
  const used = zones.filter(({ id }) =>
    store
      .list("instance", id)
      .some(({ status, nics }) => status === "running" && nics.some(({ vxnetId }) => vxnetId === "vxnet-0")),
  );
  const baseNetworks = used.map(({ id: zone, basePrefix, intranetPrefix }) => ({
    zone,
    intranet: { address: `${intranetPrefix}.0.3`, network: `${intranetPrefix}.0.0/16` },
    id: networkId(zone, "vxnet-0"),
    managerAddress: `${basePrefix}.1`,
    network: `${basePrefix}.0/24`,
    dhcp: true,
    dns: false,
  }));
  return baseNetworks.length === 0 ? {} : { baseNetworks };
}

/** Every zone has a vxnet-0 of its own. */
function networkId(zone: string, vxnetId: string): string {
  return vxnetId === "vxnet-0" ? `${vxnetId}-${zone}` : vxnetId;
}
