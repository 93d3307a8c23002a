/** Which addresses of a vxnet are free. */
import { randomBytes } from "node:crypto";
import type { Nic, Vxnet } from "../../store/resources.ts";
import { formatAddress, isInside, parseAddress, parseNetwork } from "../addresses.ts";
import { need, unfinishedWork, type ZoneState } from "../context.ts";
import { alreadyExists, badValue, denied, insufficientResources } from "../errors.ts";
import { zoneOf } from "../zones/zones.ts";
import { parseDhcp } from "./dhcp-options.ts";

/** Addresses that NICs have, or will have when a job ends, each with its instance. */
export function takenAddresses(state: ZoneState, vxnetId: string): Map<string, string> {
  const joining = unfinishedWork(state).flatMap((work) => (work.action === "JoinVxnet" ? work.nics : []));
  const present = state.store
    .list("instance", state.zone)
    .flatMap((instance) => instance.nics.map((nic) => ({ instance: instance.id, nic })));
  return new Map(
    [...joining, ...present]
      .filter(({ nic }) => nic.vxnetId === vxnetId && nic.address !== "")
      .map(({ nic, instance }) => [nic.address, instance]),
  );
}

/**
 * A network interface in a vxnet.
 * @param reference `vxnet-id` or `vxnet-id|address`
 * @param parameter the name of the parameter that holds the reference
 * @param reserved addresses given out by the same request
 */
export function newNic(state: ZoneState, reference: string, parameter: string, reserved: Set<string>): Nic {
  const [vxnetId = "", address, ...rest] = reference.split("|");
  if (rest.length > 0) throw badValue(parameter, reference, "vxnet-id or vxnet-id|address");
  const vxnet = need(state, "vxnet", vxnetId);
  const mac = `52:54:${[...randomBytes(4)].map((byte) => byte.toString(16).padStart(2, "0")).join(":")}`;
  const isFixed = address !== undefined && address !== "";
  const given = isFixed
    ? checkFixed(state, vxnet, address, parameter, reserved)
    : freeAddress(state, vxnet, reserved);
  reserved.add(`${vxnetId}|${given}`);
  return { vxnetId, address: given, mac };
}

function checkFixed(
  state: ZoneState,
  vxnet: Vxnet,
  address: string,
  parameter: string,
  reserved: ReadonlySet<string>,
): string {
  if (vxnet.join === undefined) {
    throw denied(`vxnet [${vxnet.id}] is not in a router, address [${address}] can not be given in it`);
  }
  const network = parseNetwork(vxnet.join.network);
  const value = parseAddress(address);
  if (
    network === undefined ||
    value === undefined ||
    !isInside({ ...network, first: network.first + 1, last: network.last - 1 }, value)
  ) {
    throw badValue(parameter, `${vxnet.id}|${address}`, `an address inside [${vxnet.join.network}]`);
  }
  const holder =
    address === vxnet.join.managerIp
      ? `router ${vxnet.join.routerId}`
      : takenAddresses(state, vxnet.id).get(address);
  if (holder !== undefined || reserved.has(`${vxnet.id}|${address}`)) {
    throw alreadyExists(
      `address [${address}] of vxnet [${vxnet.id}] is taken${holder === undefined ? "" : ` by [${holder}]`}`,
    );
  }
  return address;
}

/** The lowest free address, as the router's DHCP gives it; `""` in a vxnet without a router. */
export function freeAddress(state: ZoneState, vxnet: Vxnet, reserved: ReadonlySet<string>): string {
  const range = dhcpRange(state, vxnet);
  if (range === undefined) return "";
  for (const address of freeAddresses(state, vxnet, range, reserved)) return address;
  const [from, to] = range.map(formatAddress);
  throw insufficientResources(`vxnet [${vxnet.id}] has no free address from ${from} to ${to}`);
}

/** How many addresses DHCP can still give. */
export function availableCount(state: ZoneState, vxnet: Vxnet): number {
  const range = dhcpRange(state, vxnet);
  return range === undefined ? 0 : [...freeAddresses(state, vxnet, range, new Set())].length;
}

/** First and last address that DHCP gives by itself, of the zone's own in the base network. */
function dhcpRange(state: ZoneState, { vxnetType, join }: Vxnet): readonly [number, number] | undefined {
  const base = zoneOf(state.zone).basePrefix;
  const ends = vxnetType === 2 ? [`${base}.2`, `${base}.254`] : [join?.dynIpStart, join?.dynIpEnd];
  const [first, last] = ends.map((address) => parseAddress(address ?? ""));
  return first === undefined || last === undefined ? undefined : [first, last];
}

function* freeAddresses(
  state: ZoneState,
  vxnet: Vxnet,
  [first, last]: readonly [number, number],
  reserved: ReadonlySet<string>,
): Generator<string> {
  const used = takenAddresses(state, vxnet.id);
  const fixed = fixedAddresses(state, vxnet);
  for (let value = first; value <= last; value += 1) {
    const address = formatAddress(value);
    const isTaken = used.has(address) || fixed.has(address) || reserved.has(`${vxnet.id}|${address}`);
    if (!isTaken && address !== vxnet.join?.managerIp) yield address;
  }
}

/** Addresses that statics of the vxnet's router fix, applied or not: DHCP does not give them by itself. */
function fixedAddresses(state: ZoneState, { join }: Vxnet): Set<string> {
  const statics = state.store
    .list("router_static", state.zone)
    .filter(({ staticType, routerId }) => staticType === 3 && routerId === join?.routerId);
  return new Set(statics.flatMap(({ values }) => parseDhcp(values.val2 ?? "")?.fixedAddress ?? []));
}
