/** Nodes in several vxnets, and vxnets that they join and leave while they run. */

import { describe, expect, test } from "vitest";
import type { NicPicture, Picture } from "../../local-cloud/network/picture.ts";
import { node, output, ownPrefix, router, temporaryFolder } from "./support.ts";
import { useDataPlane } from "./use-data-plane.ts";

const home = temporaryFolder();
const webRoot = temporaryFolder();
const prefix = ownPrefix("n");
const self = "vxnet-0000000s";
const managed = (zone: 1 | 2): NicPicture => node(zone, []).nics[0] as NicPicture;
const selfManaged = (zone: 1 | 2): NicPicture => ({
  vxnet: self,
  address: "",
  mac: `52:54:00:00:01:0${zone}`,
});
const inNode = (zone: 1 | 2, ...command: string[]) =>
  output("ip", "netns", "exec", `${prefix}-i-0000000${zone}`, ...command);
const devices = async (zone: 1 | 2) =>
  (JSON.parse(await inNode(zone, "ip", "-json", "addr")) as { ifname: string; address: string }[])
    .filter(({ ifname }) => ifname !== "lo")
    .map(({ ifname, address }) => `${ifname} ${address}`)
    .sort();
const ping = async (zone: 1 | 2, target: string) =>
  (await inNode(zone, "ping", "-c1", "-W1", target)).includes(" 1 received");

function picture(...nics: readonly NicPicture[][]): Picture {
  const [first = [], second = []] = nics;
  return {
    routers: [router(1, { ipsecTunnels: [] }), router(2, { ipsecTunnels: [] })],
    nodes: [node(1, [], { nics: first }), node(2, [], { nics: second })],
    bastionKeys: [],
  };
}

describe("network interfaces of nodes", { timeout: 30_000 }, () => {
  const plane = useDataPlane({ home, prefix, webRoot });
  let pids: number[];

  test("a node without a vxnet has no interface; one in two vxnets has eth0 and eth1", async () => {
    await plane.converge(picture([], [managed(2), selfManaged(2)]));
    expect(await devices(1)).toEqual([]);
    expect(await devices(2)).toEqual(["eth0 52:54:00:00:00:02", "eth1 52:54:00:00:01:02"]);
    pids = (await plane.observe()).nodes.map(({ pid }) => pid);
  });

  test("a running node joins vxnets without a boot, and the managed one leads out", async () => {
    await plane.converge(picture([selfManaged(1)], [managed(2), selfManaged(2)]));
    await plane.converge(picture([selfManaged(1), managed(1)], [managed(2), selfManaged(2)]));
    expect(await devices(1)).toEqual(["eth0 52:54:00:00:01:01", "eth1 52:54:00:00:00:01"]);
    expect(await inNode(1, "ip", "route", "show", "default")).toContain("via 192.168.1.1 dev eth1");
    expect(await ping(1, "192.168.1.1")).toBe(true);
    expect((await plane.observe()).nodes.map(({ pid }) => pid)).toEqual(pids);
  });

  test("in a self-managed vxnet nodes have the addresses that they give themselves", async () => {
    expect(await inNode(1, "ip", "addr", "add", "172.20.0.1/24", "dev", "eth0")).toBe("");
    expect(await inNode(2, "ip", "addr", "add", "172.20.0.2/24", "dev", "eth1")).toBe("");
    expect(await ping(1, "172.20.0.2")).toBe(true);
  });

  test("a node that leaves a vxnet keeps the other one, and its processes", async () => {
    await plane.converge(picture([managed(1)], [managed(2), selfManaged(2)]));
    expect(await devices(1)).toEqual(["eth1 52:54:00:00:00:01"]);
    expect(await ping(1, "172.20.0.2")).toBe(false);
    expect(await ping(1, "192.168.1.1")).toBe(true);
    expect((await plane.observe()).nodes.map(({ pid }) => pid)).toEqual(pids);
  });

  test("at the next boot the interfaces are in the order of the vxnets", async () => {
    const next = picture([managed(1), selfManaged(1)], [managed(2)]);
    await plane.converge({ ...next, nodes: next.nodes.map((each) => ({ ...each, boot: 2 })) });
    expect(await devices(1)).toEqual(["eth0 52:54:00:00:00:01", "eth1 52:54:00:00:01:01"]);
    expect(await devices(2)).toEqual(["eth0 52:54:00:00:00:02"]);
  });
});
