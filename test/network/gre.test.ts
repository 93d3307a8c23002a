/** L3 GRE between two zones, on the wire. */

import { beforeAll, describe, expect, test } from "vitest";
import { until } from "../../local-cloud/network/machine/shell.ts";
import type { GreTunnelPicture, Picture } from "../../local-cloud/network/picture.ts";
import {
  greRule,
  greTunnel,
  node,
  openRules,
  output,
  ownPrefix,
  programIn,
  router,
  temporaryFolder,
  tunnel,
  watchWire,
} from "./support.ts";
import { useDataPlane } from "./use-data-plane.ts";

const home = temporaryFolder();
const prefix = ownPrefix("g");
const inNode = (zone: 1 | 2, ...command: string[]) =>
  output("ip", "netns", "exec", `${prefix}-i-0000000${zone}`, ...command);
const inRouter = (zone: 1 | 2, ...command: string[]) =>
  output("ip", "netns", "exec", `${prefix}-rtr-0000000${zone}`, ...command);
const ping = (from: 1 | 2, address: string, ...options: string[]) =>
  inNode(from, "ping", "-c2", "-i0.2", "-W1", ...options, address);

function scene(
  change: (zone: 1 | 2) => Partial<GreTunnelPicture>,
  changes: (zone: 1 | 2) => Parameters<typeof router>[1] = () => ({}),
): Picture {
  const one = (zone: 1 | 2) =>
    router(zone, {
      ipsecTunnels: [],
      greTunnels: [greTunnel(zone, change(zone))],
      inbound: [...openRules, greRule],
      ...changes(zone),
    });
  return { routers: [one(1), one(2)], nodes: [node(1, []), node(2, [])], bastionKeys: [] };
}
const usual = scene(() => ({}));

describe("L3 GRE", { timeout: 30_000 }, () => {
  const plane = useDataPlane({ home, prefix });

  beforeAll(async () => {
    await plane.converge(usual);
  });

  test("carries packets between the LANs and between the routers' addresses inside it", async () => {
    expect(await ping(1, "192.168.2.2")).toContain("2 received");
    expect(await ping(2, "192.168.1.2")).toContain("2 received");
    expect(await inRouter(1, "ping", "-c1", "-W1", "10.254.1.3")).toContain("1 received");
    const { routers } = await plane.observe();
    expect(routers.map(({ tunnels }) => tunnels)).toEqual([
      [{ id: "rtrs-000000g1", kind: "gre", established: true }],
      [{ id: "rtrs-000000g2", kind: "gre", established: true }],
    ]);
  });

  test("the wire shows GRE with its key between the EIPs", async () => {
    const seen = await watchWire(
      `${prefix}-internet`,
      /GREv0.*192\.168\.2\.2 > 192\.168\.1\.2: ICMP echo reply/,
      () => ping(1, "192.168.2.2"),
    );
    expect(seen).toMatch(
      /IP 203\.0\.113\.10 > 198\.51\.100\.20: GREv0, key=0x3f2, .*IP 192\.168\.1\.2 > 192\.168\.2\.2: ICMP echo request/,
    );
  });

  test("packets of 1472 bytes cross whole with a key, of 1476 without; larger ones are refused", async () => {
    expect(await ping(1, "192.168.2.2", "-Mdo", "-s1444")).toContain("2 received");
    expect(await ping(1, "192.168.2.2", "-Mdo", "-s1445")).toContain("mtu = 1472");
    await plane.converge(scene(() => ({ key: undefined })));
    expect(await ping(2, "192.168.1.2", "-Mdo", "-s1448")).toContain("2 received");
    expect(await ping(2, "192.168.1.2", "-Mdo", "-s1449")).toContain("mtu = 1476");
    await plane.converge(usual);
  });

  test("packets with another key are dropped without a word, and the right key heals it", async () => {
    await plane.converge(scene((zone) => ({ key: zone })));
    const seen = await watchWire(`${prefix}-internet`, /key=0x1/, async () => {
      expect(await ping(1, "192.168.2.2")).toContain("0 received");
      expect(await ping(2, "192.168.1.2")).toContain("0 received");
    });
    expect(seen).not.toMatch(/unreachable|reply/);
    await plane.converge(usual);
    expect(await ping(1, "192.168.2.2")).toContain("2 received");
  });

  test("a security group without a gre rule lets nothing of it in, also when both sides send", async () => {
    const closed = scene(
      () => ({}),
      (zone) => (zone === 2 ? { inbound: openRules } : {}),
    );
    await plane.converge(closed);
    for (const round of [1, 2]) {
      expect(await ping(1, "192.168.2.2"), `round ${round}`).toContain("0 received");
      expect(await ping(2, "192.168.1.2"), `round ${round}`).toContain("0 received");
    }
    await plane.converge(usual);
    expect(await ping(2, "192.168.1.2")).toContain("2 received");
  });

  test("a daemon that is killed leaves the routes and is started again", async () => {
    const daemons = programIn(`${prefix}-rtr-00000001`, "python3");
    expect(daemons).toHaveLength(1);
    for (const pid of daemons) process.kill(pid, "SIGKILL");
    expect(await inRouter(1, "ip", "route")).toContain("192.168.2.0/24 dev rtrs-000000g1");
    await until("the daemon", async () =>
      (await plane.observe()).routers.every(({ tunnels }) => tunnels.every(({ established }) => established)),
    );
    expect(programIn(`${prefix}-rtr-00000001`, "python3")).not.toEqual(daemons);
    expect(await ping(1, "192.168.2.2")).toContain("2 received");
  });

  test("beside an IPSec tunnel each carries its network, and IPSec has a network that both name", async () => {
    const networks = (zone: 1 | 2) => [`192.168.${3 - zone}.0/24`, `192.168.${13 - zone}.0/24`];
    const both = scene(
      (zone) => ({ remoteNetworks: networks(zone) }),
      (zone) => ({
        ipsecTunnels: [tunnel(zone)],
        vxnets: [1, 11].map((first) => ({
          id: `vxnet-000000${first === 1 ? "0" : "1"}${zone}`,
          managerAddress: `192.168.${first - 1 + zone}.1`,
          network: `192.168.${first - 1 + zone}.0/24`,
          dhcp: true,
          dns: false,
        })),
      }),
    );
    await plane.converge(both);
    await until("both tunnels", async () =>
      (await plane.observe()).routers.every(
        ({ tunnels }) => tunnels.length === 2 && tunnels.every(({ established }) => established),
      ),
    );
    const secret = await watchWire(`${prefix}-internet`, /UDP-encap: ESP/, () => ping(1, "192.168.2.2"));
    expect(secret).not.toContain("GREv0");
    const clear = await watchWire(
      `${prefix}-internet`,
      /GREv0.*192\.168\.11\.1 > 192\.168\.12\.1: ICMP echo request/,
      async () =>
        expect(
          await inRouter(1, "ping", "-c2", "-i0.2", "-W1", "-I", "192.168.11.1", "192.168.12.1"),
        ).toContain("2 received"),
    );
    expect(clear).not.toContain("UDP-encap");
    await plane.converge(usual);
    expect(await ping(1, "192.168.2.2")).toContain("2 received");
  });

  test("a tunnel that leaves the picture is gone, device and daemon", async () => {
    await plane.converge(
      scene(
        () => ({}),
        () => ({ greTunnels: [] }),
      ),
    );
    expect(programIn(`${prefix}-rtr-00000001`, "python3")).toEqual([]);
    expect(await inRouter(1, "ip", "-brief", "link")).not.toContain("rtrs-");
    expect(await ping(1, "192.168.2.2")).toContain("0 received");
  });
});
