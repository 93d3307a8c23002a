/** The base network of a zone, EIPs of nodes, and security groups that guard nodes. */

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { until } from "../../local-cloud/network/machine/shell.ts";
import type { NicPicture, NodePicture, Picture } from "../../local-cloud/network/picture.ts";
import { node, output, ownPrefix, router, temporaryFolder } from "./support.ts";
import { useDataPlane } from "./use-data-plane.ts";

const home = temporaryFolder();
const webRoot = temporaryFolder();
const prefix = ownPrefix("b");
const vxnet = "vxnet-0-gpu1a";
const open = { inbound: [{ protocol: "icmp", priority: 1, action: "accept" }], outbound: [] } as const;
const ssh = { protocol: "tcp", priority: 2, action: "accept", from: 22, to: 22 } as const;

const base = (number: number, changes: Partial<NicPicture> = {}): NicPicture => ({
  vxnet,
  address: `10.131.1.${number}`,
  mac: `52:54:00:00:02:0${number}`,
  securityGroup: open,
  ...changes,
});
const baseNode = (number: number, changes: Partial<NodePicture> = {}): NodePicture => ({
  ...node(1, []),
  id: `i-0000000${number}`,
  hostname: `node-${number}`,
  nics: [base(number)],
  ...changes,
});
const eip = (last: number) => ({ id: `eip-000000${last}`, address: `203.0.113.${last}`, bandwidthMbps: 100 });

function picture(nodes: readonly NodePicture[], routers: Picture["routers"] = []): Picture {
  const network = { managerAddress: "10.131.1.1", network: "10.131.1.0/24", dhcp: true, dns: false };
  return { routers, nodes, baseNetworks: [{ zone: "gpu1a", id: vxnet, ...network }], bastionKeys: [] };
}

const inside = (name: string, ...command: string[]) =>
  output("ip", "netns", "exec", `${prefix}-${name}`, ...command);
const ping = async (name: string, target: string) =>
  (await inside(name, "ping", "-c1", "-W1", target)).includes(" 1 received");
/** Whether a TCP connection opens. */
const knock = async (name: string, target: string, port = 22) =>
  (await inside(name, "timeout", "1", "bash", "-c", `echo > /dev/tcp/${target}/${port} && echo open`)) ===
  "open\n";
const fetched = (name: string) =>
  inside(name, "timeout", "2", "curl", "-s", "http://198.18.0.1/hello.txt").then((text) => text === "hello");

describe("nodes in the base network", { timeout: 30_000 }, () => {
  const plane = useDataPlane({ home, prefix, webRoot });

  beforeAll(async () => {
    writeFileSync(join(webRoot, "hello.txt"), "hello");
  });

  test("they reach each other by the addresses that DHCP gave, and not the internet", async () => {
    await plane.converge(picture([baseNode(3), baseNode(4)]));
    expect(await inside("i-00000003", "ip", "address", "show", "eth0")).toContain("inet 10.131.1.3/24 ");
    expect(await ping("i-00000003", "10.131.1.4")).toBe(true);
    expect(await fetched("i-00000003")).toBe(false);
  });

  test("a group that opens no port keeps it shut, for neighbours too, and opens when it says so", async () => {
    expect(await knock("i-00000003", "10.131.1.4")).toBe(false);
    const opened = base(4, { securityGroup: { ...open, inbound: [...open.inbound, ssh] } });
    await plane.converge(picture([baseNode(3), baseNode(4, { nics: [opened] })]));
    expect(await knock("i-00000003", "10.131.1.4")).toBe(true);
    expect(await knock("i-00000004", "10.131.1.3")).toBe(false);
  });

  test("a group's outbound rule holds for the node itself, which can not take it away", async () => {
    const drop = { protocol: "tcp", priority: 1, action: "drop", from: 22, to: 22 } as const;
    const shut = base(3, { securityGroup: { ...open, outbound: [drop] } });
    const opened = base(4, { securityGroup: { ...open, inbound: [ssh, ...open.inbound] } });
    await plane.converge(picture([baseNode(3, { nics: [shut] }), baseNode(4, { nics: [opened] })]));
    await inside("i-00000003", "nft", "flush", "ruleset");
    expect(await knock("i-00000003", "10.131.1.4")).toBe(false);
    expect(await ping("i-00000003", "10.131.1.4")).toBe(true);
  });

  test("a node with an EIP reaches the internet under it, and is reached by it as its group says", async () => {
    const opened = base(4, { securityGroup: { ...open, inbound: [ssh, ...open.inbound] } });
    const nodes = [baseNode(3, { eip: eip(33) }), baseNode(4, { nics: [opened], eip: eip(44) })];
    await plane.converge(picture(nodes));
    expect(await fetched("i-00000003")).toBe(true);
    expect(await ping("internet", "203.0.113.33")).toBe(true);
    expect(await knock("internet", "203.0.113.33")).toBe(false);
    expect(await knock("internet", "203.0.113.44")).toBe(true);
    const { eips } = await plane.count();
    expect(eips.map(({ id }) => id)).toEqual(["eip-00000033", "eip-00000044"]);
    expect((await plane.observe()).routers).toEqual([]);
  });

  test("nodes see each other's EIPs, under their own", async () => {
    const listener = spawn("ip", ["netns", "exec", `${prefix}-i-00000004`, "tcpdump", "-nlc1", "icmp"]);
    let seen = "";
    listener.stdout.on("data", (bytes: Buffer) => {
      seen += bytes.toString();
    });
    let said = "";
    listener.stderr.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
    await until("the listener", () => said.includes("listening on"), 5000);
    expect(await ping("i-00000003", "203.0.113.44")).toBe(true);
    await until("the packet", () => seen.includes("ICMP"), 5000);
    expect(seen).toContain("203.0.113.33 > 10.131.1.4: ICMP echo request");
  });

  test("an EIP moves to another node at once, and a node that lost it is inside again", async () => {
    const nodes = [baseNode(3), baseNode(4, { eip: eip(33) })];
    await plane.converge(picture(nodes));
    expect(await fetched("i-00000003")).toBe(false);
    expect(await fetched("i-00000004")).toBe(true);
    expect(await ping("internet", "203.0.113.33")).toBe(true);
    expect(await ping("internet", "203.0.113.44")).toBe(false);
  });

  test("an EIP of a node in a vxnet is beside its router's: forwarded ports still answer", async () => {
    const routed = router(1, { ipsecTunnels: [] });
    const one = node(1, [], { eip: eip(33) });
    await plane.converge(picture([one], [routed]));
    expect(await knock("internet", "203.0.113.33")).toBe(true);
    expect(await knock("internet", "203.0.113.10", 2201)).toBe(true);
    const source =
      "import socket; s = socket.create_connection(('198.18.0.1', 80)); print(s.getsockname()[0])";
    expect(await inside("i-00000001", "python3", "-c", source)).toBe("192.168.1.2\n");
    await plane.converge(picture([node(1, [])], [routed]));
    expect(await knock("internet", "203.0.113.33")).toBe(false);
    expect(await knock("internet", "203.0.113.10", 2201)).toBe(true);
    expect(await fetched("i-00000001")).toBe(true);
    expect(await inside("rtr-00000001", "ip", "rule")).not.toContain("192.168.1.2");
  });

  test("a node in both networks leads out over its router, and answers its EIP in the base network", async () => {
    const opened = base(5, { securityGroup: { ...open, inbound: [ssh, ...open.inbound] } });
    const both = node(1, [], { nics: [...node(1, []).nics, opened], eip: eip(33), boot: 2 });
    await plane.converge(picture([both], [router(1, { ipsecTunnels: [] })]));
    const routes = await inside("i-00000001", "ip", "route", "get", "198.18.0.1");
    expect(routes).toContain("via 192.168.1.1 dev eth0");
    expect(await knock("internet", "203.0.113.33")).toBe(true);
    expect(await ping("internet", "203.0.113.33")).toBe(true);
  });

  test("nothing of it is left when no node is in it", async () => {
    await plane.converge({ ...picture([node(1, [], { boot: 2 })], [router(1, { ipsecTunnels: [] })]) });
    const left = (await output("ip", "netns", "list")).split("\n").map((line) => line.split(" ")[0]);
    expect(left.filter((name) => name?.startsWith(`${prefix}-`)).sort()).toEqual(
      ["i-00000001", "internet", "rtr-00000001", "switch"].map((name) => `${prefix}-${name}`),
    );
    expect(await inside("switch", "nft", "list", "ruleset")).toBe("");
  });
});
