import { expect, test } from "vitest";
import { guards } from "../../local-cloud/network/nodes/guards.ts";
import { allRouters } from "../../local-cloud/network/routers/edges.ts";
import { node, router } from "./support.ts";

const [nic] = node(1, []).nics;
if (!nic) throw new Error("the node has an interface");
const inbound = [{ protocol: "tcp", priority: 1, action: "accept", from: 22, to: 22 }] as const;
const outbound = [{ protocol: "udp", priority: 1, action: "drop", network: "198.51.100.0/24" }] as const;

test("a group is a chain for each direction, between its interface and all others of the vxnet", () => {
  expect(guards([{ nic, group: { inbound, outbound } }])).toBe(`table ip guards
delete table ip guards
table ip guards {
  chain zones {
    type filter hook prerouting priority raw; policy accept;
    iifname "vxnet-00000001" ct zone set 1
  }
  chain ways {
    type filter hook forward priority filter; policy accept;
    iifname "vxnet-00000001" ip saddr 192.168.1.2 jump out0
    oifname "vxnet-00000001" ip daddr 192.168.1.2 jump in0
  }
  chain in0 {
    ct state established,related return
    udp sport 67 udp dport 68 return
    tcp dport 22 return
    drop
  }
  chain out0 {
    ct state established,related return
    ip daddr 198.51.100.0/24 ip protocol udp drop
  }
}
`);
});

test("without a group there are no rules", () => {
  expect(guards([])).toBe("table ip guards\ndelete table ip guards\n");
});

test("an EIP of a node is a router of its own, beside the one of the node's vxnet", () => {
  const eip = { id: "eip-00000033", address: "203.0.113.33", bandwidthMbps: 5 };
  const picture = { routers: [router(1)], nodes: [node(1, [], { eip })], bastionKeys: [] };
  const [gateway, translator, ...rest] = allRouters(picture);
  expect(rest).toEqual([]);
  expect(translator).toMatchObject({
    id: eip.id,
    isZones: true,
    eip,
    translates: { node: "192.168.1.2", via: gateway?.vxnets[1]?.managerAddress },
  });
  expect(gateway?.detours).toMatchObject([
    { node: "192.168.1.2", via: translator?.vxnets[0]?.managerAddress },
  ]);
  expect(gateway?.vxnets[1]?.network).toBe(translator?.vxnets[0]?.network);
});
