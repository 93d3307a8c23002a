/** The bandwidth of an EIP: a token bucket at each end of the uplink. */

/** Into the cloud an EIP has at least this much, however little was bought. */
const leastInboundMbps = 10;

/** `tc -batch` line for the EIP's own end of the uplink: what leaves the cloud. */
export function outboundLine(device: string, boughtMbps: number): string {
  return bandwidthLine(device, boughtMbps);
}

/** `tc -batch` line for the uplink's far end: what comes into the cloud. */
export function inboundLine(device: string, boughtMbps: number): string {
  return bandwidthLine(device, Math.max(leastInboundMbps, boughtMbps));
}

/** `tc -batch` line that gives an interface a rate, or another rate without disturbing anything else. */
function bandwidthLine(device: string, bandwidthMbps: number): string {
  // 10 ms at the full rate, at least one large GSO packet's worth of the smallest rates.
  const burst = Math.max(16_000, Math.round((bandwidthMbps * 1_000_000) / 8 / 100));
  return `qdisc replace dev ${device} root tbf rate ${bandwidthMbps}mbit burst ${burst} latency 100ms`;
}
