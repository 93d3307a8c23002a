import { describe, expect, test } from "vitest";
import type { RulePicture } from "../../local-cloud/network/picture.ts";
import { firewall } from "../../local-cloud/network/routers/firewall.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { output, router } from "./support.ts";

const text = (changes: Parameters<typeof router>[1] = {}) => firewall(router(1, changes), { clampMss: true });

/** Statements of one chain, without its hook. */
function statements(document: string, chain: string): string[] {
  const body = document.split(`chain ${chain} {\n`)[1]?.split("  }\n")[0] ?? "";
  return body
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim());
}

describe("firewall of a router", () => {
  test("security group rules stand in order of priority, before a final drop", () => {
    const inbound: RulePicture[] = [
      { protocol: "tcp", priority: 9, action: "accept", from: 22, to: 22 },
      { protocol: "tcp", priority: 1, action: "drop", from: 20, to: 30, network: "198.51.100.0/24" },
      { protocol: "udp", priority: 5, action: "accept" },
      { protocol: "icmp", priority: 6, action: "accept", from: 8, to: 0 },
      { protocol: "gre", priority: 7, action: "accept", network: "198.51.100.20" },
    ];
    expect(statements(text({ inbound }), "inbound").slice(4)).toEqual([
      "ip saddr 198.51.100.0/24 tcp dport 20-30 drop",
      "ip protocol udp accept",
      "ip protocol icmp icmp type 8 icmp code 0 accept",
      "ip saddr 198.51.100.20 ip protocol 47 accept",
      "tcp dport 22 accept",
      "drop",
    ]);
  });

  test("outbound rules name destinations, and what matches none is accepted", () => {
    const outbound: RulePicture[] = [
      { protocol: "tcp", priority: 1, action: "drop", from: 25, to: 25, network: "203.0.113.9" },
    ];
    expect(statements(text({ outbound }), "outbound").at(-1)).toBe("ip daddr 203.0.113.9 tcp dport 25 drop");
    expect(text({ outbound: [] })).toContain("hook postrouting priority filter; policy accept;");
  });

  test("private destinations never leave the uplink, and are not translated", () => {
    expect(statements(text(), "outbound")[1]).toBe(
      "ip daddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } drop",
    );
    expect(statements(text(), "source_nat")).toEqual([
      'oifname "eip" ip saddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } ' +
        "ip daddr != { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } snat to 203.0.113.10",
    ]);
  });

  test("the security group stands at the intranet too, which nodes can not use", () => {
    const joined = text({ intranet: { address: "100.64.0.10", network: "100.64.0.0/16" } });
    expect(statements(joined, "inbound")[0]).toBe('iifname != { "eip", "intranet-gpu1a" } accept');
    expect(statements(joined, "outbound")[0]).toBe('oifname != { "eip", "intranet-gpu1a" } accept');
    expect(statements(joined, "outbound")[3]).toBe(
      'oifname "intranet-gpu1a" ip saddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } drop',
    );
  });

  test("nodes reach the metadata server over the intranet, as their router and without an EIP", () => {
    const { eip: _, ...without } = router(1);
    const intranet = { address: "100.64.0.10", network: "100.64.0.0/16" };
    const document = firewall({ ...without, intranet }, { clampMss: true });
    expect(statements(document, "outbound")[1]).toBe(
      'oifname "intranet-gpu1a" ip daddr 100.127.255.254 tcp dport 80 accept',
    );
    expect(statements(document, "source_nat")).toEqual([
      'oifname "intranet-gpu1a" ip daddr 100.127.255.254 ' +
        "ip saddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } snat to 100.64.0.10",
    ]);
  });

  test("a port of the EIP leads to the port of a node", () => {
    expect(statements(text(), "port_forwards")).toEqual([
      'iifname "eip" ip daddr 203.0.113.10 tcp dport 2201 dnat to 192.168.1.2:22',
      'iifname "eip" ip daddr 203.0.113.10 tcp dport 2202 dnat to 192.168.1.2:8000',
    ]);
  });

  test("clamping of the MSS can be left out", () => {
    expect(text()).toContain("maxseg size set rt mtu");
    expect(firewall(router(1), { clampMss: false })).not.toContain("maxseg");
  });

  test("nft takes the document", async () => {
    requireDataPlane();
    const rules = (["tcp", "udp", "icmp", "gre", "esp", "ah", "ipip"] as const).map((protocol, priority) => ({
      protocol,
      priority,
      action: "accept" as const,
    }));
    const document = text({ inbound: rules, outbound: rules });
    expect(await output("sh", "-c", `nft --check -f - <<'END' && echo taken\n${document}END\n`)).toBe(
      "taken\n",
    );
  });
});
