/**
 * What a zone has of its own beside the tenants' routers, as routers of the same make: the gateway of its base network,
 * and one router for each EIP of a node, which stands between the internet and the gateway of the node's vxnet. A pure
 * function of the picture.
 */

import { contains, eipAddresses, formatOffset } from "../addressing.ts";
import type { Address, NodePicture, Picture, RouterPicture, VxnetPicture } from "../picture.ts";

/** A router with what only routers of a zone's own are told. */
export interface RoutedPicture extends RouterPicture {
  /** Not a tenant's. */
  readonly isZones?: boolean;
  /** Everything that comes to its EIP is for this node, reached by way of this address. */
  readonly translates?: { readonly node: Address; readonly via: Address };
  /** What comes from these nodes and leads out goes by way of their own EIPs. */
  readonly detours?: readonly Detour[];
}

export interface Detour {
  readonly node: Address;
  readonly via: Address;
  /** Routing table; its rules have priorities of their own too. */
  readonly table: number;
}

const firstTable = 3000;
const transitNetwork = "169.254.0.0";

/** The tenants' routers and the zones' own. */
export function allRouters(picture: Picture): RoutedPicture[] {
  const routers: RoutedPicture[] = [...baseGateways(picture), ...picture.routers];
  const translators: RoutedPicture[] = [];
  for (const node of picture.nodes) {
    const gateway = node.eip && gatewayOf(node, routers);
    if (!node.eip || !gateway) continue;
    const { eip } = node;
    const slot = eipAddresses().indexOf(eip.address);
    const transit = (place: 1 | 2): VxnetPicture => ({
      id: eip.id,
      managerAddress: formatOffset(transitNetwork, slot * 4 + place),
      network: `${formatOffset(transitNetwork, slot * 4)}/30`,
      dhcp: false,
      dns: false,
    });
    const [outer, inner] = [transit(1), transit(2)];
    const { index, address } = gateway;
    const router = routers[index] as RoutedPicture;
    const detour = { node: address, via: outer.managerAddress, table: firstTable + slot };
    routers[index] = {
      ...router,
      vxnets: [...router.vxnets, inner],
      detours: [...(router.detours ?? []), detour],
    };
    translators.push({
      ...plainRouter(eip.id, node.zone, [outer]),
      eip,
      translates: { node: address, via: inner.managerAddress },
    });
  }
  return [...routers, ...translators];
}

/** Base networks are served while a node is in them. */
function baseGateways({ baseNetworks = [], nodes }: Picture): RoutedPicture[] {
  return baseNetworks
    .filter(({ id }) => nodes.some(({ nics }) => nics.some(({ vxnet }) => vxnet === id)))
    .map(({ zone, intranet, ...vxnet }) => ({
      ...plainRouter(`base-${zone}`, zone, [vxnet]),
      ...(intranet ? { intranet } : {}),
    }));
}

/** The first router that the node has an address of, and that address. */
function gatewayOf(
  { nics }: NodePicture,
  routers: readonly RoutedPicture[],
): { readonly index: number; readonly address: Address } | undefined {
  for (const [index, router] of routers.entries()) {
    const nic = nics.find(({ vxnet, address }) =>
      router.vxnets.some(({ id, network }) => id === vxnet && address !== "" && contains(network, address)),
    );
    if (nic) return { index, address: nic.address };
  }
  return undefined;
}

function plainRouter(id: string, zone: string, vxnets: readonly VxnetPicture[]): RoutedPicture {
  return {
    id,
    zone,
    isZones: true,
    vxnets,
    hosts: [],
    portForwards: [],
    ipsecTunnels: [],
    greTunnels: [],
    inbound: [],
    outbound: [],
  };
}

/** `ip -batch` lines for what is in the first list and not in the second, and of the second what is not in the first. */
export function detourLines(wanted: readonly Detour[], present: readonly Detour[]): string[] {
  const key = (detour: Detour) => JSON.stringify(detour);
  const [wantedKeys, presentKeys] = [new Set(wanted.map(key)), new Set(present.map(key))];
  const added = wanted.filter((detour) => !presentKeys.has(key(detour)));
  const gone = present.filter((detour) => !wantedKeys.has(key(detour)));
  return [
    ...(present.length === 0 && added.length > 0 ? [`rule add ${answersRule}`] : []),
    ...(wanted.length === 0 && gone.length > 0 ? [`rule del ${answersRule}`] : []),
    ...gone.flatMap((detour) => detourRules(detour).map((rule) => `rule del ${rule}`)),
    ...added.flatMap((detour) => [
      `route replace default via ${detour.via} table ${detour.table}`,
      ...detourRules(detour).map((rule) => `rule add ${rule}`),
    ]),
  ];
}

/** The interface group of a router's uplink: also the route to the internet's gateway is none for what takes a detour. */
export const uplinkGroup = 1;
/** What answers a forwarded port goes back the way it came. */
export const answersMark = 1;
const answersRule = `pref ${firstTable - 1} fwmark ${answersMark} lookup main`;

function detourRules({ node, table }: Detour): string[] {
  const preference = firstTable + (table - firstTable) * 2;
  return [
    `pref ${preference} from ${node} lookup main suppress_prefixlength 0 suppress_ifgroup ${uplinkGroup}`,
    `pref ${preference + 1} from ${node} lookup ${table}`,
  ];
}
