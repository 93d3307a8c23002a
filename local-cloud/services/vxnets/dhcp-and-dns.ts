/** What router statics of type 3 (DHCP options) and 8 (private DNS) mean. Source: API reference, AddRouterStatics. */
import type { DhcpOptionsPicture, HostPicture } from "../../network/picture.ts";
import type { Router, RouterStatic, StaticValues } from "../../store/resources.ts";
import { isInside, parseAddress, parseNetwork } from "../addresses.ts";
import type { ZoneState } from "../context.ts";
import { alreadyExists, badValue, secret } from "../errors.ts";
import { takenAddresses } from "./addresses.ts";
import { namePattern, parseDhcp } from "./dhcp-options.ts";

const optionsFormat =
  "key=value pairs joined by ; such as domain-name-servers=8.8.8.8,8.8.4.4;fixed-address=192.168.1.2";
/** Type 8: val1 a name, val2 addresses joined by `;`. */
function parseHost({ val1 = "", val2 = "" }: StaticValues): HostPicture | undefined {
  const addresses = val2.split(";");
  const isHost = namePattern.test(val1) && addresses.every((address) => parseAddress(address) !== undefined);
  return isHost ? { name: val1, addresses } : undefined;
}

/** The names that the statics in effect give to the router's DNS. */
export function hostsOf(statics: readonly RouterStatic[]): HostPicture[] {
  return statics
    .filter(({ staticType, disabled }) => staticType === 8 && !disabled)
    .flatMap(({ values }) => parseHost(values) ?? []);
}

/** What the statics in effect give to an instance, by the last of them that names it. */
export function dhcpOptionsOf(
  statics: readonly RouterStatic[],
  instanceId: string,
): { readonly static: RouterStatic; readonly options: DhcpOptionsPicture } | undefined {
  const found = dhcpStaticsOf(statics).findLast(({ item }) => item.values.val1 === instanceId);
  return found && { static: found.item, options: found.dhcp.options };
}

function dhcpStaticsOf(statics: readonly RouterStatic[]) {
  return statics
    .filter(({ staticType, disabled }) => staticType === 3 && !disabled)
    .flatMap((item) => {
      const dhcp = parseDhcp(item.values.val2 ?? "");
      return dhcp === undefined ? [] : [{ item, dhcp }];
    });
}

/** Refuses a name or addresses that are none; a value may be the secret of another type of static. */
export function checkHost(values: StaticValues, prefix: string): void {
  if (!namePattern.test(values.val1 ?? "")) {
    throw badValue(`${prefix}val1`, secret, "a host or domain name such as node1 or db.example.com");
  }
}

/** Refuses options that are none, and an address that the router can not give to the instance. */
export function checkDhcp(
  state: ZoneState,
  { routerId, values }: Pick<RouterStatic, "routerId" | "values">,
  prefix: string,
): void {
  const dhcp = parseDhcp(values.val2 ?? "");
  if (dhcp === undefined) throw badValue(`${prefix}val2`, secret, optionsFormat);
  const { fixedAddress: address } = dhcp;
  if (address === undefined) return;
  const vxnet = joinedVxnets(state, routerId).find(
    ({ range }) => range !== undefined && isHostOf(range, address),
  );
  if (vxnet === undefined) {
    const networks = joinedVxnets(state, routerId).map(({ join }) => join.network);
    throw badValue(
      `${prefix}val2`,
      `fixed-address=${address}`,
      `an address in a vxnet of router [${routerId}], which has [${networks.join(", ")}]`,
    );
  }
  const holder = address === vxnet.join.managerIp ? routerId : takenAddresses(state, vxnet.id).get(address);
  if (holder !== undefined && holder !== values.val1) {
    throw alreadyExists(`address [${address}] of vxnet [${vxnet.id}] is taken by [${holder}]`);
  }
}

/** Gives instances the addresses that statics now in effect fix, where they are free still. */
export function giveFixedAddresses(state: ZoneState, { id, applied }: Router): void {
  const vxnets = joinedVxnets(state, id);
  for (const { item, dhcp } of dhcpStaticsOf(applied.statics)) {
    const { fixedAddress: address } = dhcp;
    const instance = state.store.get("instance", state.zone, item.values.val1 ?? "");
    if (instance === undefined || address === undefined) continue;
    const nics = instance.nics.map((nic) => {
      const vxnet = vxnets.find((each) => each.id === nic.vxnetId);
      if (vxnet?.range === undefined || !isHostOf(vxnet.range, address)) return nic;
      const holder = takenAddresses(state, vxnet.id).get(address) ?? instance.id;
      return holder === instance.id && address !== vxnet.join.managerIp ? { ...nic, address } : nic;
    });
    state.store.put({ ...instance, nics });
  }
}

function joinedVxnets(state: ZoneState, routerId: string) {
  return state.store
    .list("vxnet", state.zone)
    .flatMap(({ id, join }) =>
      join?.routerId === routerId ? [{ id, join, range: parseNetwork(join.network) }] : [],
    );
}

function isHostOf(range: { readonly first: number; readonly last: number }, address: string): boolean {
  const hosts = { first: range.first + 1, last: range.last - 1, prefix: 0 };
  return isInside(hosts, parseAddress(address) ?? -1);
}
