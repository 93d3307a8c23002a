/** What a path check says where it fails: what was found, and what to do. Pure. */
import type { Cause } from "./diagnosis.ts";
import type { Probed } from "./path-probe.ts";
import type { TunnelWanted } from "./tunnel-facts.ts";

/** Each cause on a line. */
export function withCauses(what: string, causes: readonly Cause[]): string {
  return [what, ...causes.map(({ what: cause, cure }) => `  - ${cause}. What to do: ${cure}.`)].join("\n");
}

/** Of a path on which packets do not pass. */
export function failure(
  { from, to, error, mtu }: Pick<Probed, "from" | "to" | "error" | "mtu">,
  tunnels: readonly Pick<TunnelWanted, "kind">[],
  causes: readonly Cause[],
): string {
  const what = `The path from ${from} to ${to} does not carry training: ${error?.message ?? "no answer"}.`;
  if (error?.code === "mtu" && mtu !== null) {
    return `${what} Larger ones vanish on the way and nobody is told (an MTU black hole), on which training would hang. Set crosszone:tunnel.mtu to ${mtu}; or let routers on the way send ICMP "fragmentation needed".`;
  }
  if (causes.length > 0) return withCauses(what, causes);
  if (error?.code !== "unreachable" || tunnels.length === 0) return what;
  const blocked = tunnels.some(({ kind }) => kind === "gre") ? "GRE (protocol 47)" : "UDP 500 and 4500";
  return `${what} At both ends the API shows nothing wrong (routers, EIPs, tunnels with their keys and networks, security groups; nodes' routes), so packets are lost between the EIPs: does a carrier block ${blocked}? Try the other crosszone:tunnel.kind.`;
}

interface Slow {
  readonly goodputMbps: number | null;
  readonly lossPercent: number;
}

interface Between {
  readonly from: { readonly address: string };
  readonly to: { readonly address: string };
  readonly expectedMbps?: number | undefined;
}

/** Of a path that carries far less than was bought. */
export function slowness(
  { from, to, expectedMbps }: Between,
  { goodputMbps, lossPercent }: Slow,
  causes: readonly Cause[],
): string {
  const what = `The path between ${from.address} and ${to.address} carries ${goodputMbps?.toFixed(1)} Mbit/s of TCP, far below the ${expectedMbps?.toFixed(1)} that the headers leave of the bandwidth that was bought.`;
  if (causes.length > 0) return withCauses(what, causes);
  const loss = lossPercent > 0 ? ` ${lossPercent} % of small packets were lost on the way.` : "";
  return `${what} The EIPs have the bandwidth that was bought.${loss} Is something else using them, or are the routers' types too small?`;
}
