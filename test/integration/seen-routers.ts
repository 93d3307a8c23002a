/** Who lets whom in, and by which address the routers of a stack meet, as the cloud has it. */
import type { Stack } from "../harness/stack.ts";

interface Seen {
  readonly eip: string;
  readonly privateIp: string;
  readonly id: string;
  /** Peers and their IKE identities, by the networks behind them. */
  readonly tunnels: Record<string, readonly (string | undefined)[]>;
  /** Sources that are let in, by protocol and port. */
  readonly letIn: Record<string, string[]>;
}

/** The cloud's view of each zone's router, by the zone's name. */
export async function routersOf(stack: Stack): Promise<Record<string, Seen>> {
  const { client } = stack.cloud;
  const { zones } = stack.outputs<{
    zones: { name: string; zoneId: string; vpcId: string; publicIp: string }[];
  }>();
  const seen = await Promise.all(
    zones.map(async ({ name, zoneId: zone, vpcId: id, publicIp: eip }) => {
      const found = await client.one("DescribeRouters", "router_set", { zone, "routers.1": id });
      const statics = await client.ok("DescribeRouterStatics", { zone, router: id, static_type: "7" });
      const group = { zone, security_group: String(found.security_group_id), limit: "100" };
      const rules = await client.ok("DescribeSecurityGroupRules", group);
      const tunnels = (statics.router_static_set as Record<string, string>[]).map(({ val1, val3 }) => {
        const [peer, , , peerId] = val1?.split("|") ?? [];
        return [val3, [peer, peerId]] as const;
      });
      const letIn: Record<string, string[]> = {};
      for (const { protocol, val1, val3 } of rules.security_group_rule_set as Record<string, string>[]) {
        const to = `${protocol}${val1 ? `-${val1}` : ""}`;
        letIn[to] = [...(letIn[to] ?? []), val3 ?? "anyone"].sort();
      }
      const privateIp = String(found.private_ip);
      return [name, { id, eip, privateIp, tunnels: Object.fromEntries(tunnels), letIn }] as const;
    }),
  );
  return Object.fromEntries(seen);
}

export const operators = ["198.51.100.1/32", "203.0.113.1/32"];
/** The traffic that a group lets in whose router has peers at these addresses. */
export const letIn = (...addresses: (string | undefined)[]) => {
  const from = addresses.map((address) => `${address}/32`).sort();
  return { "tcp-2201": operators, "udp-500": from, "udp-4500": from, esp: from };
};
