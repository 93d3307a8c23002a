/** DHCP and private DNS in the namespace of a router. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RestartPauses } from "../machine/restarting.ts";
import { environment, namespacePath, until } from "../machine/shell.ts";
import type { HostPicture, NicPicture, VxnetPicture } from "../picture.ts";
import { dhcpConfiguration, dnsConfiguration, namesFile } from "./dnsmasq-configuration.ts";

export interface DnsmasqOptions {
  /** Id of the router. */
  readonly id: string;
  readonly namespace: string;
  /** Folder of its own, made and removed here. */
  readonly folder: string;
  readonly logFile: string;
  readonly log: (line: string) => void;
}

export class Dnsmasq {
  readonly #folder: string;
  readonly #dhcp: Daemon;
  readonly #dns: Daemon;
  #names: string | undefined;

  constructor(options: DnsmasqOptions) {
    this.#folder = options.folder;
    this.#dhcp = new Daemon({ ...options, service: "dhcp", port: 67 });
    this.#dns = new Daemon({ ...options, service: "dns", port: 53 });
  }

  /** Serves these vxnets; returns when it does. */
  async apply(
    vxnets: readonly VxnetPicture[],
    nics: readonly NicPicture[],
    hosts: readonly HostPicture[],
  ): Promise<void> {
    const folder = join(this.#folder, "names");
    await mkdir(folder, { recursive: true });
    const names = namesFile(hosts);
    if (names !== this.#names) {
      // Only a whole file may appear in the folder: it is read as soon as it is there.
      const draft = join(this.#folder, "names.new");
      await writeFile(draft, names);
      await rename(draft, join(folder, "names"));
      this.#names = names;
    }
    await Promise.all([
      this.#dhcp.apply(dhcpConfiguration(vxnets, nics)),
      this.#dns.apply(dnsConfiguration(vxnets, folder)),
    ]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#dhcp.apply(""), this.#dns.apply("")]);
    await rm(this.#folder, { recursive: true, force: true });
    this.#names = undefined;
  }
}

/** One dnsmasq: started anew when its configuration changes, and when it dies. */
class Daemon {
  readonly #options: DnsmasqOptions & { readonly service: string; readonly port: number };
  readonly #pauses = new RestartPauses();
  #configuration = "";
  #process: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: DnsmasqOptions & { readonly service: string; readonly port: number }) {
    this.#options = options;
  }

  async apply(configuration: string): Promise<void> {
    if (configuration === this.#configuration && (this.#process || configuration === "")) return;
    this.#configuration = "";
    clearTimeout(this.#restart);
    await this.#end();
    this.#configuration = configuration;
    if (configuration !== "") await this.#start();
  }

  async #start(): Promise<void> {
    const { id, folder, logFile, namespace, port, service } = this.#options;
    const file = join(folder, `${service}.conf`);
    await writeFile(file, this.#configuration);
    const output = openSync(logFile, "a", 0o600);
    const command = ["dnsmasq", "--keep-in-foreground", `--conf-file=${file}`];
    const daemon = spawn("nsenter", [`--net=${namespacePath(namespace)}`, "--", ...command], {
      env: environment,
      detached: true,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    this.#process = daemon;
    const startedAt = performance.now();
    daemon.on("error", (error) => this.#options.log(`${service} of ${id}: ${error.message}`));
    daemon.on("exit", (code, signal) => this.#ended(daemon, startedAt, signal ?? `status ${code}`));
    await until(`the ${service} server of ${id} (its log: ${logFile})`, () => {
      if (this.#process !== daemon)
        throw new Error(`the ${service} server of ${id} ended at its start: see ${logFile}`);
      return listens(daemon.pid, port);
    });
  }

  #ended(daemon: ChildProcess, startedAt: number, how: string): void {
    if (this.#process !== daemon) return;
    this.#process = undefined;
    if (this.#configuration === "") return;
    const { id, log, service } = this.#options;
    const pause = this.#pauses.next(startedAt);
    log(`the ${service} server of ${id} ended (${how}): restart in ${pause} ms`);
    this.#restart = setTimeout(() => {
      this.#start().catch((error) =>
        log(`the ${service} server of ${id} did not restart: ${(error as Error).message}`),
      );
    }, pause);
  }

  async #end(): Promise<void> {
    const daemon = this.#process;
    if (!daemon) return;
    const exit = once(daemon, "exit");
    daemon.kill("SIGKILL");
    await exit;
    this.#process = undefined;
  }
}

/** Whether the program is inside the namespace and has a socket at a UDP port. */
function listens(pid: number | undefined, port: number): boolean {
  if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() !== "dnsmasq") return false;
  const number = port.toString(16).toUpperCase().padStart(4, "0");
  return readFileSync(`/proc/${pid}/net/udp`, "utf8").includes(`:${number} 00000000:0000 07 `);
}
