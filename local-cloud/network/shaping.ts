/** The bandwidth of an EIP: a token bucket at each end of the uplink. */

/** `tc -batch` line that gives an interface a rate, or another rate without disturbing anything else. */
export function bandwidthLine(device: string, bandwidthMbps: number): string {
  // 10 ms at the full rate, at least one large GSO packet's worth of the smallest rates.
  const burst = Math.max(16_000, Math.round((bandwidthMbps * 1_000_000) / 8 / 100));
  return `qdisc replace dev ${device} root tbf rate ${bandwidthMbps}mbit burst ${burst} latency 100ms`;
}
