/** What the picture of tunnels and links becomes, line by line. */

import { describe, expect, test } from "vitest";
import {
  daemonSettings,
  isLed,
  linkDevice,
  ruleLines,
  silence,
} from "../../local-cloud/network/internet/links.ts";
import { cutStatements } from "../../local-cloud/network/routers/cuts.ts";
import { firewall } from "../../local-cloud/network/routers/firewall.ts";
import {
  greDeviceLines,
  grePlans,
  greRoutes,
  greServedLines,
} from "../../local-cloud/network/tunnels/gre.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { greTunnel, link, output, router, tunnel } from "./support.ts";

const intranet = { address: "100.64.0.10", network: "100.64.0.0/16" };

describe("plan of GRE tunnels", () => {
  test("each comes from the router's address on the way to its peer, with the room that its header leaves", () => {
    const near = greTunnel(1, { id: "rtrs-near", remoteAddress: "100.64.0.11", key: undefined });
    const plans = grePlans(router(1, { intranet, greTunnels: [greTunnel(1), near] }));
    expect(plans.map(({ id, local, remote, key, mtu }) => [id, local, remote, key, mtu])).toEqual([
      ["rtrs-000000g1", "203.0.113.10", "198.51.100.20", 1010, 1472],
      ["rtrs-near", "100.64.0.10", "100.64.0.11", null, 1476],
    ]);
    expect(plans.slice(0, 1).flatMap((plan) => [...greDeviceLines(plan), ...greServedLines(plan)])).toEqual([
      "tuntap add dev rtrs-000000g1 mode tun",
      "link set rtrs-000000g1 mtu 1472 txqueuelen 1000",
      "link set rtrs-000000g1 up",
      "addr add 10.254.1.2 peer 10.254.1.3 dev rtrs-000000g1",
    ]);
  });

  test("without an EIP only the intranet's tunnels are there", () => {
    const near = greTunnel(1, { id: "rtrs-near", remoteAddress: "100.64.0.11" });
    const { eip: _, ...withoutEip } = router(1, { intranet, greTunnels: [greTunnel(1), near] });
    expect(grePlans(withoutEip).map(({ id }) => id)).toEqual(["rtrs-near"]);
  });

  test("of two tunnels to one network the first has the better metric", () => {
    const tunnels = ["rtrs-a", "rtrs-b"].map((id) => greTunnel(1, { id }));
    expect(greRoutes(tunnels, grePlans(router(1, { greTunnels: tunnels })))).toEqual([
      "192.168.2.0/24 dev rtrs-a metric 100",
      "192.168.2.0/24 dev rtrs-b metric 101",
    ]);
  });
});

describe("statements of cut tunnels", () => {
  test("they match both directions of the one tunnel, and nft takes them", async () => {
    requireDataPlane();
    const cut = router(1, {
      ipsecTunnels: [tunnel(1, { isCut: true }), tunnel(1, { id: "rtrs-2", remoteAddress: "198.51.100.30" })],
      greTunnels: [
        greTunnel(1, { isCut: true }),
        greTunnel(1, { id: "rtrs-3", key: undefined, isCut: true }),
      ],
    });
    expect(cutStatements(cut)).toEqual({
      in: [
        "ip daddr 203.0.113.10 ip saddr 198.51.100.20 udp dport { 500, 4500 } drop",
        "ip daddr 203.0.113.10 ip saddr 198.51.100.20 ip protocol 50 drop",
        "ip daddr 203.0.113.10 ip saddr 198.51.100.20 ip protocol 47 @th,0,16 & 0x2000 != 0 @th,32,32 1010 drop",
        "ip daddr 203.0.113.10 ip saddr 198.51.100.20 ip protocol 47 @th,0,16 & 0x2000 == 0 drop",
      ],
      out: [
        "ip saddr 203.0.113.10 ip daddr 198.51.100.20 udp dport { 500, 4500 } drop",
        "ip saddr 203.0.113.10 ip daddr 198.51.100.20 ip protocol 50 drop",
        "ip saddr 203.0.113.10 ip daddr 198.51.100.20 ip protocol 47 @th,0,16 & 0x2000 != 0 @th,32,32 1010 drop",
        "ip saddr 203.0.113.10 ip daddr 198.51.100.20 ip protocol 47 @th,0,16 & 0x2000 == 0 drop",
      ],
    });
    const document = firewall(cut, { clampMss: true });
    expect(await output("sh", "-c", `nft --check -f - <<'END' && echo taken\n${document}END\n`)).toBe(
      "taken\n",
    );
  });

  test("a tunnel for any peer is cut for all, and without cuts there are no chains for them", () => {
    const any = router(1, { ipsecTunnels: [tunnel(1, { remoteAddress: "0.0.0.0", isCut: true })] });
    expect(cutStatements(any).in).toEqual(["udp dport { 500, 4500 } drop", "ip protocol 50 drop"]);
    expect(firewall(router(1), { clampMss: true })).not.toContain("cut_");
  });
});

describe("plan of links", () => {
  test("only what is long, narrow or lossy is led through the daemon, with half the delay each way", () => {
    expect(
      [{}, { cut: true, rttMs: 9 }, { mtuBlackhole: true, seed: 3 }].map((changes) => isLed(link(changes))),
    ).toEqual([false, false, false]);
    expect(
      [{ rttMs: 1 }, { mtu: 1499 }, { lossPercent: 0.1 }].map((changes) => isLed(link(changes))),
    ).toEqual([true, true, true]);
    const device = linkDevice({ id: "gpu1a-gpu2a" });
    expect(device.length).toBeLessThanOrEqual(15);
    expect(daemonSettings(link({ rttMs: 30, lossPercent: 0.5 }))).toEqual({
      device,
      delay: 0.015,
      loss: 0.005,
      seed: null,
    });
  });

  test("both directions have a rule, a link inside a zone has one, and a cut leads nowhere", () => {
    expect(ruleLines(link({ rttMs: 1 }), 2)).toEqual([
      "pref 1002 from 203.0.113.0/24 to 198.51.100.0/24 iif internet lookup 1002",
      "pref 1002 from 198.51.100.0/24 to 203.0.113.0/24 iif internet lookup 1002",
    ]);
    const inside = link({ networks: ["203.0.113.0/24", "203.0.113.0/24"], cut: true });
    expect(ruleLines(inside, 0)).toEqual([
      "pref 1000 from 203.0.113.0/24 to 203.0.113.0/24 iif internet blackhole",
    ]);
    expect(ruleLines(link({}), 0)).toEqual([]);
  });

  test("a black hole silences the refusals of its own packets alone, and nft takes the document", async () => {
    requireDataPlane();
    const document = silence([link({ mtu: 1400, mtuBlackhole: true }), link({ mtu: 1300 })]);
    expect(document.match(/^ {4}icmp.*$/gm)).toEqual([
      "    icmp type destination-unreachable icmp code frag-needed @th,160,24 0xcb0071 @th,192,24 0xc63364 drop",
      "    icmp type destination-unreachable icmp code frag-needed @th,160,24 0xc63364 @th,192,24 0xcb0071 drop",
    ]);
    expect(await output("sh", "-c", `nft --check -f - <<'END' && echo taken\n${document}END\n`)).toBe(
      "taken\n",
    );
  });
});
