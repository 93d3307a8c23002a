/** What val1 to val6 of a router static mean, by type. Source: API reference, AddRouterStatics; the Python SDK. */
import type { GreTunnelPicture, IpsecTunnelPicture, PortForwardPicture } from "../../../network/picture.ts";
import type { RouterStatic, StaticValues } from "../../../store/resources.ts";
import { type NetworkRange, parseAddress, parseNetwork } from "../../addresses.ts";
import { badValue, missing, secret } from "../../errors.ts";

export interface NamedRange {
  readonly text: string;
  readonly range: NetworkRange;
}

/** A value that must be there. @param parameter full name, e.g. `statics.1.val1` */
export function required(values: StaticValues, name: keyof StaticValues, prefix: string): string {
  const value = values[name];
  if (value === undefined || value === "") throw missing(`${prefix}${name}`);
  return value;
}

/** A value as a message repeats it: with a wrong static_type a key or a password may stand where it is. */
export function repeatable(text: string): string {
  return /^-?\d{1,7}$|^\d{1,3}(\.\d{1,3}){1,3}(\/\d{1,3})?$/.test(text) ? text : secret;
}

export function readPort(text: string, parameter: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > 65535) {
    throw badValue(parameter, repeatable(text), "a port from 1 to 65535");
  }
  return Number(text);
}

/** Type 1: val1 port, val2 target address, val3 target port, val4 protocol. */
export function readPortForward(values: StaticValues, prefix: string): Omit<PortForwardPicture, "id"> {
  const port = readPort(required(values, "val1", prefix), `${prefix}val1`);
  const targetAddress = required(values, "val2", prefix);
  if (parseAddress(targetAddress) === undefined) {
    throw badValue(`${prefix}val2`, repeatable(targetAddress), "an IPv4 address");
  }
  const targetPort = readPort(required(values, "val3", prefix), `${prefix}val3`);
  const protocol = values.val4 ?? "tcp";
  if (protocol !== "tcp" && protocol !== "udp") throw badValue(`${prefix}val4`, protocol, "tcp, udp");
  return { protocol, port, targetAddress, targetPort };
}

/** Networks joined by `|`. */
export function readNetworks(text: string, parameter: string): NamedRange[] {
  return text.split("|").map((part) => {
    const range = parseNetwork(part);
    if (range === undefined) {
      throw badValue(parameter, repeatable(part), "IPv4 networks such as 192.168.2.0/24, joined by |");
    }
    return { text: part, range };
  });
}

/**
 * Type 7: val1 `remote|algorithm|key|device id` (the algorithm's place may be left out), val2 local networks,
 * val3 target networks, val4 `main` or `aggrmode`. Messages never repeat val1, which holds the key.
 */
export function readIpsec(values: StaticValues, prefix: string): Omit<IpsecTunnelPicture, "id"> {
  const parts = required(values, "val1", prefix).split("|");
  const format = "remote_ip|alg|psk|remote_device_id";
  if (parts.length !== 3 && parts.length !== 4) throw badValue(`${prefix}val1`, secret, format);
  const [remoteAddress = "", presharedKey = "", remoteId = ""] =
    parts.length === 4 ? [parts[0], parts[2], parts[3]] : parts;
  const isRemote = parseAddress(remoteAddress) !== undefined || /^rtr-[a-z0-9]{8}$/.test(remoteAddress);
  if (!isRemote) {
    throw badValue(
      `${prefix}val1`,
      secret,
      `${format} with an IPv4 address or the id of a router of the zone`,
    );
  }
  if (presharedKey === "") throw badValue(`${prefix}val1`, secret, `${format} with a key`);
  const local = readNetworks(required(values, "val2", prefix), `${prefix}val2`);
  const remote = readNetworks(required(values, "val3", prefix), `${prefix}val3`);
  const mode = values.val4 ?? "main";
  if (mode !== "main" && mode !== "aggrmode") throw badValue(`${prefix}val4`, mode, "main, aggrmode");
  return {
    remoteAddress,
    remoteId: remoteId === "" ? remoteAddress : remoteId,
    presharedKey,
    localNetworks: local.map(({ text }) => text),
    remoteNetworks: remote.map(({ text }) => text),
    mode: mode === "main" ? "main" : "aggressive",
  };
}

/** Type 6: val1 `remote|key|local p2p address|peer p2p address`, val2 target networks. Messages never repeat val1. */
export function readGre(values: StaticValues, prefix: string): Omit<GreTunnelPicture, "id"> {
  const val1 = required(values, "val1", prefix);
  const [remoteAddress = "", key = "", localAddress = "", peerAddress = "", ...rest] = val1.split("|");
  const isRemote = parseAddress(remoteAddress) !== undefined || /^rtr-[a-z0-9]{8}$/.test(remoteAddress);
  const isKey = key === "" || (/^[1-9]\d{0,9}$/.test(key) && Number(key) < 2 ** 32);
  const [local, peer] = [parseAddress(localAddress), parseAddress(peerAddress)];
  const isPair = local !== undefined && peer !== undefined && local !== peer && local >>> 8 === peer >>> 8;
  if (rest.length > 0 || !isRemote || !isKey || !isPair) {
    throw badValue(
      `${prefix}val1`,
      secret,
      "remote_ip|key|local_p2p_ip|peer_p2p_ip with a key from 1 to 4294967295 or none and two addresses of one subnet",
    );
  }
  const remote = readNetworks(required(values, "val2", prefix), `${prefix}val2`);
  return {
    remoteAddress,
    key: key === "" ? undefined : Number(key),
    localAddress,
    peerAddress,
    remoteNetworks: remote.map(({ text }) => text),
  };
}

/** The networks that a tunnel reaches; none for statics of other types. */
export function targetNetworks({
  staticType,
  values,
}: Pick<RouterStatic, "staticType" | "values">): NamedRange[] {
  if (staticType === 6) return readNetworks(values.val2 ?? "", "val2");
  if (staticType === 7) return readNetworks(values.val3 ?? "", "val3");
  return [];
}
