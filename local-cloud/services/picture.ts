/** The picture of the data plane as a pure function of the durable state: what is applied, nothing else. */
import type {
  GreTunnelPicture,
  IpsecTunnelPicture,
  NicPicture,
  NodePicture,
  Picture,
  PortForwardPicture,
  RouterPicture,
  RulePicture,
} from "../network/picture.ts";
import type { Instance, Nic, Router, RouterStatic, Volume } from "../store/resources.ts";
import type { Store } from "../store/store.ts";
import { dhcpOptionsOf, hostsOf } from "./address-statics.ts";
import { isCrashed, isCut } from "./faults/states.ts";
import { needImage } from "./images.ts";
import { intranetOf } from "./intranet.ts";
import { linkPictures } from "./links.ts";
import { toRulePicture } from "./security-group-values.ts";
import { readGre, readIpsec, readPortForward } from "./static-values.ts";
import { metadataOf, userdataPicture } from "./userdata.ts";

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
    bastionKeys: [
      ...new Set(store.list("keypair").map(({ encryptMethod, body }) => `${encryptMethod} ${body}`)),
    ].sort(),
    ...(links.length === 0 ? {} : { links }),
  };
}

function routerPicture(store: Store, router: Router): RouterPicture {
  const { id, zone, applied } = router;
  const intranet = intranetOf(router);
  const eip = applied.eipId === undefined ? undefined : store.get("eip", zone, applied.eipId);
  const statics = applied.statics.filter(({ disabled }) => !disabled);
  return {
    id,
    zone,
    ...(isCrashed(store, router) ? { isDown: true } : {}),
    ...(eip === undefined ? {} : { eip: { id: eip.id, address: eip.address, bandwidthMbps: eip.bandwidth } }),
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
    inbound: rules(store, router, 0),
    outbound: rules(store, router, 1),
  };
}

function rules(store: Store, router: Router, direction: 0 | 1): RulePicture[] {
  const group = store.get("security_group", router.zone, router.appliedSecurityGroupId);
  return (group?.applied.rules ?? []).filter((rule) => rule.direction === direction).map(toRulePicture);
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
    ...(disk === undefined ? {} : { disk }),
    nics: instance.nics.map((nic) => nicPicture(store, instance, nic)),
    volumes: volumes.flatMap(({ id: volume, size, attachment }) =>
      attachment === undefined ? [] : [{ id: volume, device: attachment.device, size }],
    ),
    authorizedKeys: keys,
    ...(instance.passwordHash === undefined ? {} : { passwordHash: instance.passwordHash }),
    ...(userdata === undefined ? {} : { userdata }),
    metadata: metadataOf(store, instance),
  };
}

function nicPicture(store: Store, { id, zone }: Instance, { vxnetId, address, mac }: Nic): NicPicture {
  const routerId = store.get("vxnet", zone, vxnetId)?.join?.routerId;
  const statics = routerId === undefined ? [] : (store.get("router", zone, routerId)?.applied.statics ?? []);
  const dhcpOptions = dhcpOptionsOf(statics, id)?.options;
  return {
    vxnet: networkId(zone, vxnetId),
    address,
    mac,
    ...(dhcpOptions === undefined ? {} : { dhcpOptions }),
  };
}

/** Every zone has a vxnet-0 of its own. */
function networkId(zone: string, vxnetId: string): string {
  return vxnetId === "vxnet-0" ? `${vxnetId}-${zone}` : vxnetId;
}
