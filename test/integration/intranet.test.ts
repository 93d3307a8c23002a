/** Two VPCs of one zone and one of another: who lets whom in, by which address, and what a change of that does. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Stack, up } from "../harness/stack.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
beforeAll(async () => {
  stack = await Stack.here();
  const third = { name: "tianjin", zoneId: "gpu1a", network: "192.168.3.0/24", imageId: "img-deeplearning" };
  stack.configure({ "zones[2]": third });
});
afterAll(async () => await stack?.remove());

interface Seen {
  readonly eip: string;
  readonly privateIp: string;
  readonly id: string;
  /** Peers and their IKE identities, by the networks behind them. */
  readonly tunnels: Record<string, readonly (string | undefined)[]>;
  /** Sources that are let in, by protocol and port. */
  readonly letIn: Record<string, string[]>;
}

/** Of each zone's router what the cloud has, by the zone's name. */
async function routers(): Promise<Record<string, Seen>> {
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

const operators = ["198.51.100.1/32", "203.0.113.1/32"];
const letIn = (...addresses: (string | undefined)[]) => {
  const from = addresses.map((address) => `${address}/32`).sort();
  return { "tcp-2201": operators, "udp-500": from, "udp-4500": from, esp: from };
};

test("routers of one zone have each other's id as peer and let in its intranet address, others the EIP", async () => {
  await stack.ok(...up);
  const { beijing, shanghai, tianjin } = await routers();
  expect(beijing?.tunnels).toEqual({
    "192.168.2.0/24": [shanghai?.eip, shanghai?.eip],
    "192.168.3.0/24": [tianjin?.id, "%any"],
  });
  expect(tianjin?.tunnels).toEqual({
    "192.168.1.0/24": [beijing?.id, "%any"],
    "192.168.2.0/24": [shanghai?.eip, shanghai?.eip],
  });
  expect(beijing?.letIn).toEqual(letIn(shanghai?.eip, tianjin?.privateIp));
  expect(tianjin?.letIn).toEqual(letIn(shanghai?.eip, beijing?.privateIp));
  expect(shanghai?.letIn).toEqual(letIn(beijing?.eip, tianjin?.eip));
});

test("another up and its refresh find nothing to change", async () => await stack.noChanges());

test("with the intranet off all meet at their EIPs, on the same routers; nothing is left of the other rules", async () => {
  const before = await routers();
  stack.configure({ "tunnel.intranet": "off" });
  const changes = await stack.cloud.changesBy(() => stack.ok(...up));
  const { beijing, shanghai, tianjin } = await routers();
  expect([beijing?.id, tianjin?.id]).toEqual([before.beijing?.id, before.tianjin?.id]);
  expect(beijing?.tunnels["192.168.3.0/24"]).toEqual([tianjin?.eip, tianjin?.eip]);
  expect(beijing?.letIn).toEqual(letIn(shanghai?.eip, tianjin?.eip));
  expect(tianjin?.letIn).toEqual(letIn(shanghai?.eip, beijing?.eip));
  expect(changes.filter(([action]) => action === "DeleteSecurityGroups")).toHaveLength(2);
  await stack.ok("preview", "--expect-no-changes", "--color", "never");
});

test("and on again, a router's SSH stays open in the exchange of its group", async () => {
  stack.configure({ "tunnel.intranet": "auto" });
  const changes = (await stack.cloud.changesBy(() => stack.ok(...up))) as [string, Record<string, string>][];
  const { beijing, shanghai, tianjin } = await routers();
  expect(beijing?.letIn).toEqual(letIn(shanghai?.eip, tianjin?.privateIp));
  for (const { id } of [beijing, tianjin].flatMap((each) => each ?? [])) {
    const exchanged = changes.findIndex(
      ([action, { router, security_group: group }]) =>
        action === "ModifyRouterAttributes" && router === id && group !== undefined,
    );
    const group = changes[exchanged]?.[1].security_group;
    const openedBefore = changes
      .slice(0, exchanged)
      .filter(([action, of]) => action === "AddSecurityGroupRules" && of.security_group === group)
      .flatMap(([, of]) => Object.entries(of))
      .filter(([name, value]) => name.endsWith(".protocol") && value === "tcp");
    expect(openedBefore).toHaveLength(operators.length);
    const isApplied = changes.findIndex(
      ([action, of]) => action === "ApplySecurityGroup" && of.security_group === group,
    );
    expect(isApplied).toBeGreaterThanOrEqual(0);
    expect(isApplied).toBeLessThan(exchanged);
  }
});

test("destroy leaves nothing", async () => {
  await stack.ok("destroy", "--yes", "--skip-preview", "--color", "never");
  expect(await stack.cloud.resources()).toEqual({ gpu1a: {}, gpu2a: {} });
});
