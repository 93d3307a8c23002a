/** Network namespaces of one cloud: all are named `<prefix>-…`, so that they can be told from anyone else's. */

import { existsSync, readdirSync } from "node:fs";
import { killProcessesIn, namespacePath, run } from "./shell.ts";

/** What to do inside one network namespace, in this order. */
export interface Settings {
  /** Kernel settings below /proc/sys; one that this kernel lacks is left out. */
  readonly sysctl?: Readonly<Record<string, string | number>>;
  /** Lines for `ip -batch`. */
  readonly ip?: readonly string[];
  /** Lines for `tc -batch`. */
  readonly tc?: readonly string[];
  /** A document for `nft -f`. */
  readonly nft?: string;
}

/** A namespace that forwards: no IPv6, no filtering by reverse path, bridges that nft does not see. */
export const forwardingSysctl = {
  "net/ipv4/ip_forward": 1,
  "net/ipv4/conf/all/rp_filter": 0,
  "net/ipv4/conf/default/rp_filter": 0,
  "net/ipv4/conf/all/send_redirects": 0,
  "net/ipv4/conf/default/send_redirects": 0,
  "net/ipv6/conf/all/disable_ipv6": 1,
  "net/ipv6/conf/default/disable_ipv6": 1,
  "net/bridge/bridge-nf-call-iptables": 0,
} as const;

/** Creates namespaces: all or none. */
export async function createNamespaces(names: readonly string[]): Promise<void> {
  const before = names.filter(isThere);
  await run("ip", ["-batch", "-"], { input: lines(names.map((name) => `netns add ${name}`)) }).catch(
    async (error) => {
      await deleteNamespaces(names.filter((name) => isThere(name) && !before.includes(name)));
      throw error;
    },
  );
}

function isThere(namespace: string): boolean {
  return existsSync(namespacePath(namespace));
}

/** Ends every process in the namespaces, then removes them. */
export async function deleteNamespaces(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await killProcessesIn(names);
  await run("ip", ["-batch", "-"], { input: lines(names.map((name) => `netns del ${name}`)) });
}

/** The namespaces of a cloud, by its prefix. */
export function listNamespaces(prefix: string): string[] {
  try {
    return readdirSync(namespacePath("")).filter((name) => name.startsWith(`${prefix}-`));
  } catch {
    return []; // the folder appears with the machine's first namespace
  }
}

/** Applies settings inside a namespace, in one process tree; throws with the line that failed. */
export async function configure(namespace: string, settings: Settings): Promise<void> {
  const script = settingsScript(settings);
  if (script === "") return;
  await run("nsenter", [`--net=${namespacePath(namespace)}`, "--", "sh", "-e"], { input: script });
}

/** The shell script that applies settings. */
export function settingsScript({ sysctl = {}, ip = [], tc = [], nft = "" }: Settings): string {
  const write = ([name, value]: [string, string | number]) =>
    `[ ! -e /proc/sys/${name} ] || echo ${value} > /proc/sys/${name}\n`;
  return [
    ...Object.entries(sysctl).map(write),
    ip.length > 0 ? hereDocument("ip -batch -", lines(ip)) : "",
    tc.length > 0 ? hereDocument("tc -batch -", lines(tc)) : "",
    nft !== "" ? hereDocument("nft -f -", nft) : "",
  ].join("");
}

function hereDocument(command: string, text: string): string {
  return `${command} <<'END OF DOCUMENT'\n${text}END OF DOCUMENT\n`;
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}

/** Does those of the lines for `ip -batch` that can be done. */
export async function attempt(namespace: string, ip: readonly string[]): Promise<void> {
  await run("ip", ["-n", namespace, "-force", "-batch", "-"], { input: lines(ip) }).catch(() => {});
}

/** Removes interfaces that may be gone already. */
export async function deleteLinks(namespace: string, devices: readonly string[]): Promise<void> {
  if (devices.length === 0) return;
  const input = lines(devices.map((device) => `link del ${device}`));
  const problem = await run("ip", ["-n", namespace, "-force", "-batch", "-"], { input }).catch(String);
  if (/Error|failed/.test(problem) && !/Cannot find device/.test(problem)) throw new Error(problem);
}
