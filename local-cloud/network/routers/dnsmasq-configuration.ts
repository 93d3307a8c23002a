/**
 * What a router's dnsmasq is told, as pure functions of the picture. DHCP and DNS are a process each: a change of the
 * leases starts the one anew (version 2.90 crashes when it is told to read them again), and DNS goes on meanwhile.
 */

import { interfaceName, prefixLength } from "../addressing.ts";
import type { HostPicture, NicPicture, VxnetPicture } from "../picture.ts";

const leaseSeconds = 600;
const common = [
  "user=root",
  "pid-file",
  "log-facility=-",
  "bind-dynamic",
  "no-resolv",
  "no-hosts",
  "no-poll",
];

/** DHCP: each interface gets the address of the picture, and nobody else gets one. `""` where nothing is served. */
export function dhcpConfiguration(vxnets: readonly VxnetPicture[], nics: readonly NicPicture[]): string {
  const served = vxnets.filter(({ dhcp }) => dhcp);
  if (served.length === 0) return "";
  return text([
    "port=0",
    ...common,
    // A client that has a lease of an earlier process may keep it.
    "dhcp-authoritative",
    "leasefile-ro",
    "no-ping",
    "dhcp-ignore-names",
    ...served.flatMap((vxnet) => [
      `interface=${interfaceName(vxnet.id)}`,
      `dhcp-range=${networkAddress(vxnet)},static,${netmask(vxnet)},${leaseSeconds}`,
      ...nics
        .filter((nic) => nic.vxnet === vxnet.id && nic.address !== "")
        .flatMap((nic) => leaseLines(nic, vxnet)),
    ]),
  ]);
}

/** DNS: the names of a folder of hosts files, and no others. `""` where nothing is served. */
export function dnsConfiguration(vxnets: readonly VxnetPicture[], folder: string): string {
  const served = vxnets.filter(({ dns }) => dns);
  if (served.length === 0) return "";
  return text([
    ...common,
    ...served.map(({ id }) => `interface=${interfaceName(id)}`),
    `hostsdir=${folder}`,
    // The internet of this cloud has no name server: what is not known here does not exist.
    "local=/#/",
  ]);
}

/** A hosts file with the private names of a router. */
export function namesFile(hosts: readonly HostPicture[]): string {
  return text(hosts.flatMap(({ name, addresses }) => addresses.map((address) => `${address} ${name}`)));
}

function leaseLines({ mac, address, dhcpOptions = {} }: NicPicture, vxnet: VxnetPicture): string[] {
  const tag = mac.replaceAll(":", "");
  const { domainNameServers = vxnet.dns ? [vxnet.managerAddress] : [], domainName } = dhcpOptions;
  const option = (name: string, ...values: readonly string[]) =>
    [`dhcp-option=tag:${tag}`, `option:${name}`, ...values].join(",");
  return [
    `dhcp-host=${mac},set:${tag},${address}`,
    // Without a value it is left out of the answer.
    option("dns-server", ...domainNameServers),
    ...(domainName === undefined ? [] : [option("domain-name", domainName)]),
  ];
}

function networkAddress({ network }: VxnetPicture): string {
  return network.split("/")[0] ?? "";
}

function netmask({ network }: VxnetPicture): string {
  const bits = (0xffffffff << (32 - prefixLength(network))) >>> 0;
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
