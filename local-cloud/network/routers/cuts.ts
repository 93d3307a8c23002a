/** Tunnels that are cut at their router, as nftables statements. */

import { localAddressFor } from "../addressing.ts";
import type { GreTunnelPicture, IpsecTunnelPicture, RouterPicture } from "../picture.ts";

const anyAddress = "0.0.0.0";

/** What drops the packets of cut tunnels that come in, and those that go out. */
export function cutStatements(router: RouterPicture): { readonly in: string[]; readonly out: string[] } {
  const matches = [
    ...router.ipsecTunnels.filter(({ isCut }) => isCut).flatMap((tunnel) => ipsecMatches(router, tunnel)),
    ...router.greTunnels.filter(({ isCut }) => isCut).flatMap((tunnel) => greMatches(router, tunnel)),
  ];
  return {
    in: matches.map(({ local, remote, packets }) => `${side("d", local)}${side("s", remote)}${packets} drop`),
    out: matches.map(
      ({ local, remote, packets }) => `${side("s", local)}${side("d", remote)}${packets} drop`,
    ),
  };
}

interface Match {
  /** Absent for any. */
  readonly local?: string | undefined;
  readonly remote?: string;
  readonly packets: string;
}

function ipsecMatches(router: RouterPicture, { remoteAddress }: IpsecTunnelPicture): Match[] {
  const isAny = remoteAddress === anyAddress;
  const ends = isAny ? {} : { local: localAddressFor(router, remoteAddress), remote: remoteAddress };
  return ["udp dport { 500, 4500 }", "ip protocol 50"].map((packets) => ({ ...ends, packets }));
}

function greMatches(router: RouterPicture, { remoteAddress, key }: GreTunnelPicture): Match[] {
  // The flags stand at the header's start, the key after the protocol.
  const form = key === undefined ? "@th,0,16 & 0x2000 == 0" : `@th,0,16 & 0x2000 != 0 @th,32,32 ${key}`;
  const local = localAddressFor(router, remoteAddress);
  return [{ local, remote: remoteAddress, packets: `ip protocol 47 ${form}` }];
}

function side(letter: "s" | "d", address: string | undefined): string {
  return address === undefined ? "" : `ip ${letter}addr ${address} `;
}
