/** Addresses that nodes get by DHCP, and names that their router's DNS knows. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { until } from "../../local-cloud/network/machine/shell.ts";
import type { NicPicture, Picture, RouterPicture } from "../../local-cloud/network/picture.ts";
import {
  dhcpConfiguration,
  dnsConfiguration,
  namesFile,
} from "../../local-cloud/network/routers/dnsmasq-configuration.ts";
import { node, output, ownPrefix, programIn, router, temporaryFolder } from "./support.ts";
import { useDataPlane } from "./use-data-plane.ts";

const [vxnet] = router(1).vxnets;
const [nic] = node(1, []).nics;
if (!vxnet || !nic) throw new Error("the zone's router has a vxnet, and its node is in it");

describe("what dnsmasq is told", () => {
  test("each interface of the vxnet has its own address and name servers, and nobody else gets one", () => {
    const other: NicPicture = {
      vxnet: vxnet.id,
      address: "192.168.1.9",
      mac: "52:54:00:00:00:09",
      dhcpOptions: { domainNameServers: ["8.8.8.8", "8.8.4.4"], domainName: "example.com" },
    };
    const elsewhere = { ...nic, vxnet: "vxnet-00000007", mac: "52:54:00:00:00:07" };
    const text = dhcpConfiguration(
      [{ ...vxnet, dns: true }],
      [nic, other, elsewhere, { ...nic, address: "" }],
    );
    expect(text.slice(text.indexOf("interface="))).toBe(
      `interface=vxnet-00000001
dhcp-range=192.168.1.0,static,255.255.255.0,600
dhcp-host=52:54:00:00:00:01,set:525400000001,192.168.1.2
dhcp-option=tag:525400000001,option:dns-server,192.168.1.1
dhcp-host=52:54:00:00:00:09,set:525400000009,192.168.1.9
dhcp-option=tag:525400000009,option:dns-server,8.8.8.8,8.8.4.4
dhcp-option=tag:525400000009,option:domain-name,example.com
`,
    );
  });

  test("nothing runs for vxnets without DHCP and DNS", () => {
    expect(dhcpConfiguration([{ ...vxnet, dhcp: false }], [nic])).toBe("");
    expect(dnsConfiguration([vxnet], "/names")).toBe("");
  });

  test("a name has a line for each of its addresses", () => {
    expect(namesFile([{ name: "db", addresses: ["192.168.1.2", "192.168.1.3"] }])).toBe(
      "192.168.1.2 db\n192.168.1.3 db\n",
    );
  });
});

const home = temporaryFolder();
const webRoot = temporaryFolder();
const prefix = ownPrefix("d");
const routerNamespace = `${prefix}-rtr-00000001`;
const inNode = (...command: string[]) => output("ip", "netns", "exec", `${prefix}-i-00000001`, ...command);

function picture(
  changes: Partial<RouterPicture> = {},
  nics: readonly NicPicture[] = [nic as NicPicture],
): Picture {
  const { eip: _, ...routed } = router(1, { portForwards: [], ipsecTunnels: [], ...changes });
  return { routers: [routed], nodes: [node(1, [], { nics })], bastionKeys: [] };
}

describe("DHCP and DNS of a router", { timeout: 30_000 }, () => {
  const plane = useDataPlane({ home, prefix, webRoot });

  /** Runs a command as a process of the node. */
  async function onNode(...command: string[]): Promise<string> {
    const [first] = (await plane.observe()).nodes;
    return await output("nsenter", `--target=${first?.pid}`, "--all", "--", ...command);
  }
  const address = async () => / inet ([\d./]+) /.exec(await inNode("ip", "address", "show", "eth0"))?.[1];
  const lookUp = (name: string) =>
    onNode("python3", "-c", `import socket; print(sorted(socket.gethostbyname_ex('${name}')[2]))`);

  test("a node that has booted has the lease of its router: address, route, no name server", async () => {
    await plane.converge(picture());
    expect(await address()).toBe("192.168.1.2/24");
    expect(await inNode("ip", "route", "show", "default")).toMatch(/^default via 192\.168\.1\.1 dev eth0 /);
    expect(await onNode("cat", "/etc/resolv.conf")).toBe("options timeout:1 attempts:2\n");
    const log = readFileSync(join(home, "logs", "dnsmasq-rtr-00000001.log"), "utf8");
    expect(log).toContain("DHCPACK(vxnet-00000001) 192.168.1.2 52:54:00:00:00:01");
  });

  test("a lease that goes on leaves alone what the node's owner has changed", async () => {
    await onNode("sh", "-c", "echo nameserver 9.9.9.9 > /etc/resolv.conf");
    // The client deals with an answer by a script that reads what it knew; it has done so when it reads it once more. A
    // second request before the answer would have it begin anew.
    const known = "/run/node/lease-eth0";
    for (const _ of [1, 2]) {
      await onNode("sh", "-c", `touch ${known} && kill -USR1 $(cat /run/node/udhcpc-eth0.pid)`);
      const times = async () => (await onNode("stat", "-c", "%x|%y", known)).trim().split("|");
      await until("the answer", async () => new Set(await times()).size === 2, 10_000);
    }
    expect(await onNode("cat", "/etc/resolv.conf")).toBe("nameserver 9.9.9.9\n");
  });

  test("a server that dies is started again", async () => {
    const [before] = programIn(routerNamespace, "dnsmasq");
    process.kill(Number(before), "SIGKILL");
    await until("another server", () => programIn(routerNamespace, "dnsmasq").some((pid) => pid !== before));
    const ask = "busybox udhcpc -i eth0 -s /bin/true -n -q -t 1 -T 1 2>&1";
    await until("its answer", async () =>
      (await inNode("sh", "-c", ask)).includes("lease of 192.168.1.2 obtained"),
    );
  });

  test("an interface that the state does not know gets no address", async () => {
    const ask = ["udhcpc", "-i", "eth9", "-s", "/bin/true", "-n", "-q", "-t", "2", "-T", "1"];
    const macvlan = ["link", "add", "link", "eth0", "name", "eth9", "type", "macvlan", "mode", "bridge"];
    await inNode("ip", ...macvlan);
    await inNode("ip", "link", "set", "eth9", "up");
    expect(await inNode("busybox", ...ask)).toContain("no lease, failing");
    await inNode("ip", "link", "del", "eth9");
  });

  test("another address comes with the node's next lease, not before", async () => {
    const other = { ...(nic as NicPicture), address: "192.168.1.77" };
    await plane.converge(picture({}, [other]));
    expect(await address()).toBe("192.168.1.2/24");
    await onNode("sh", "-c", "kill -USR1 $(cat /run/node/udhcpc-eth0.pid)");
    await until("the other address", async () => (await address()) === "192.168.1.77/24", 5000);
  });

  test("private names are answered in a vxnet with DNS, and others do not exist", async () => {
    const vxnets = [{ ...vxnet, dns: true }];
    const hosts = [{ name: "node1", addresses: ["192.168.1.2", "192.168.1.3"] }];
    const booted = picture({ vxnets, hosts });
    await plane.converge({ ...booted, nodes: booted.nodes.map((each) => ({ ...each, boot: 2 })) });
    expect(await onNode("cat", "/etc/resolv.conf")).toContain("nameserver 192.168.1.1\n");
    expect(await lookUp("node1")).toBe("['192.168.1.2', '192.168.1.3']\n");
    expect(await lookUp("node2")).toContain("Name or service not known");
  });

  test("other names take effect in the running server", async () => {
    const servers = programIn(routerNamespace, "dnsmasq");
    const vxnets = [{ ...vxnet, dns: true }];
    const hosts = [{ name: "node2", addresses: ["192.168.1.9"] }];
    const booted = picture({ vxnets, hosts });
    await plane.converge({ ...booted, nodes: booted.nodes.map((each) => ({ ...each, boot: 2 })) });
    await until("the new name", async () => (await lookUp("node2")) === "['192.168.1.9']\n", 5000);
    expect(await lookUp("node1")).toContain("Name or service not known");
    expect(programIn(routerNamespace, "dnsmasq")).toEqual(servers);
  });

  test("options of its own take the place of the vxnet's", async () => {
    const own = {
      ...(nic as NicPicture),
      dhcpOptions: { domainNameServers: ["8.8.8.8"], domainName: "a.b" },
    };
    const booted = picture({ vxnets: [{ ...vxnet, dns: true }] }, [own]);
    await plane.converge({ ...booted, nodes: booted.nodes.map((each) => ({ ...each, boot: 3 })) });
    expect(await onNode("cat", "/etc/resolv.conf")).toBe(
      "nameserver 8.8.8.8\nsearch a.b\noptions timeout:1 attempts:2\n",
    );
  });

  test("an interface whose vxnet leaves the router has no address; back in one it has one, without a boot", async () => {
    const unaddressed = { ...(nic as NicPicture), address: "" };
    const away = picture({ vxnets: [] }, [unaddressed]);
    const back = picture();
    const atBoot3 = ({ nodes, ...rest }: Picture) => ({
      ...rest,
      nodes: nodes.map((each) => ({ ...each, boot: 3 })),
    });
    await plane.converge(atBoot3(away));
    expect(await address()).toBeUndefined();
    expect(await inNode("ip", "route")).toBe("");
    await plane.converge(atBoot3(back));
    expect(await address()).toBe("192.168.1.2/24");
  });

  test("the servers go with their router", async () => {
    await plane.converge({ routers: [], nodes: [node(1, [], { boot: 3 })], bastionKeys: [] });
    expect(await output("sh", "-c", `ps ax | grep -c '[c]onf-file=${home}'`)).toBe("0\n");
  });
});
