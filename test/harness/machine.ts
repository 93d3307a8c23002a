/** What is on this machine beside the project: to prove that nothing was left, and nothing else touched. */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { z } from "zod";
import { interfaceName } from "../../local-cloud/network/addressing.ts";
import type { CloudStatus } from "../../local-cloud/status.ts";
import { command } from "./process.ts";

export interface Process {
  readonly pid: number;
  readonly commandLine: string;
}

/** The machine's own mounts, interfaces, addresses, routes and packet rules: nothing of a cloud may be among them. */
export function hostNetwork(): Record<string, string> {
  return {
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      // Every cloud's namespaces are mounts there; one's own are looked for by name.
      .filter((line) => !line.includes(" /run/netns"))
      .join("\n"),
    links: command("ip", "-o", "link").replaceAll(/ (qlen|state) \S+/g, ""),
    addresses: command("ip", "-o", "-4", "addr"),
    routes: command("ip", "route", "show", "table", "all"),
    rules: command("ip", "rule"),
    packetRules: command("nft", "list", "ruleset"),
  };
}

/** The network namespaces whose name starts with a prefix. */
export function namespacesOf(prefix: string): string[] {
  return command("ip", "netns", "list")
    .split("\n")
    .map((line) => line.split(" ")[0] ?? "")
    .filter((name) => name.startsWith(prefix));
}

/** Numbers of network namespaces, by which processes are found also when the name is gone. */
export function namespaceNumbers(names: readonly string[]): string[] {
  return names.map((name) => `net:[${statSync(`/run/netns/${name}`).ino}]`);
}

/** Processes in network namespaces, those that name a folder, and those that come from either; zombies do not count. */
export function processesOf(namespaces: readonly string[], folder: string): Process[] {
  const own = new Set([process.pid]);
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && !own.has(pid))
    .flatMap((pid) => {
      try {
        const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
        const isIn = namespaces.includes(readlinkSync(`/proc/${pid}/ns/net`));
        const isOurs = isIn || commandLine.includes(folder) || environment.includes(folder);
        return isOurs ? [{ pid, commandLine }] : [];
      } catch {
        return []; // it ended meanwhile, or is a zombie
      }
    });
}

/**
 * Drops everything in UDP 4500 on its way into a router, as a carrier that blocks IPSec does: the tunnel is dead,
 * the rest of the network works.
 * @returns undoes it
 */
export function blockTunnel(namespace: string): () => void {
  const inside = (...args: string[]) => command("ip", "netns", "exec", namespace, "nft", ...args);
  inside("add", "table", "ip", "carrier");
  inside("add", "chain", "ip", "carrier", "in", "{ type filter hook prerouting priority -300; }");
  inside("add", "rule", "ip", "carrier", "in", "udp dport { 500, 4500 } drop");
  return () => {
    inside("delete", "table", "ip", "carrier");
  };
}

/** Pulls the plug of a router's uplink at its far end. @returns puts it back */
export function unplug(status: CloudStatus, router: string): () => void {
  const namespace = namespaceOf(status, router);
  const internet = namespace.replace(/-rtr-.*$/, "-internet");
  const set = (state: string) => command("ip", "-n", internet, "link", "set", interfaceName(router), state);
  set("down");
  return () => {
    set("up");
  };
}

/**
 * Makes packets of more than 1,300 bytes vanish on their way into a router's tunnel, and says nothing of it: what a
 * path with a smaller MTU does where ICMP is filtered. By the device's MTU: a rule of nftables would take what the kernel
 * has put together, several segments of TCP, for one packet.
 * @returns undoes it
 */
export function shrinkTunnel(namespace: string): () => void {
  const device = ["-n", namespace, "link", "set", "dev", "ipsec0", "mtu"];
  const [link] = z
    .tuple([z.object({ mtu: z.number() })])
    .parse(JSON.parse(command("ip", "-n", namespace, "-json", "link", "show", "dev", "ipsec0")));
  const rules = (...args: string[]) => command("ip", "netns", "exec", namespace, "nft", ...args);
  rules("add", "table", "ip", "carrier");
  rules("add", "chain", "ip", "carrier", "said", "{ type filter hook output priority -300; }");
  rules(
    "add",
    "rule",
    "ip",
    "carrier",
    "said",
    "icmp type destination-unreachable icmp code frag-needed drop",
  );
  command("ip", ...device, "1300");
  return () => {
    command("ip", ...device, String(link.mtu));
    rules("delete", "table", "ip", "carrier");
  };
}

/**
 * Lets a router pass on no more than that between its network and its zone's intranet, in each direction: what the machine
 * carries there keeps its processors busy as long as a path is measured.
 */
export function narrowIntranet(namespace: string, mbps: number): void {
  const links = z
    .array(z.object({ ifname: z.string() }))
    .parse(JSON.parse(command("ip", "-n", namespace, "-json", "link", "show", "type", "veth")));
  for (const { ifname } of links.filter(({ ifname }) => ifname !== "eip")) {
    const limit = ["tbf", "rate", `${mbps}mbit`, "burst", "64kb", "latency", "100ms"];
    command("tc", "-n", namespace, "qdisc", "replace", "dev", ifname, "root", ...limit);
  }
}

export function namespaceOf(status: CloudStatus, router: string): string {
  const found = status.routers.find(({ id }) => id === router);
  if (found === undefined) throw new Error(`the cloud has no router ${router}`);
  return found.namespace;
}
