/**
 * What lies between the routers: the internet (a bridge that routers' uplinks plug into, a web server) and the switch
 * (one bridge for each vxnet, into which routers and nodes plug). Both are there only while something uses them.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { eipNetworks, interfaceName, internetBridge, prefixLength, webServerAddress } from "../addressing.ts";
import { configure, createNamespaces, deleteNamespaces, forwardingSysctl } from "../machine/namespaces.ts";
import { environment, namespacePath, until } from "../machine/shell.ts";
import { bastionView } from "./bastion.ts";
import { InternetLinks } from "./internet-links.ts";

const gatewayMac = "02:00:00:00:00:01";

export interface InternetOptions {
  readonly internet: string;
  readonly switch: string;
  readonly webRoot: string;
  /** Folder with what the bastion's sshd reads. */
  readonly bastionFolder: string;
  readonly logFile: string;
  readonly log: (line: string) => void;
}

export class Internet {
  readonly links: InternetLinks;
  readonly #options: InternetOptions;
  #exists = false;
  #webServer: ChildProcess | undefined;
  readonly #vxnets = new Set<string>();

  constructor(options: InternetOptions) {
    this.#options = options;
    const { internet: namespace, logFile, log } = options;
    this.links = new InternetLinks({ namespace, logFile, log });
  }

  /** Process in whose namespaces the bastion's sshd runs, while there is an internet. */
  get pid(): number | undefined {
    return this.#webServer?.pid;
  }

  /** Makes both namespaces, the web server, and a bridge for each vxnet. */
  async apply(vxnets: ReadonlySet<string>): Promise<void> {
    if (!this.#exists) {
      await createNamespaces([this.#options.internet, this.#options.switch]);
      this.#exists = true;
      try {
        await Promise.all([this.#createInternet(), this.#applyVxnets(vxnets, forwardingSysctl)]);
      } catch (error) {
        // Half made is worse than not there: the next attempt makes it anew.
        await this.remove();
        throw error;
      }
    } else {
      await this.#applyVxnets(vxnets);
    }
    if (!this.#webServer) await this.#startWebServer();
  }

  async remove(): Promise<void> {
    if (!this.#exists) return;
    await this.links.stop();
    const server = this.#webServer;
    const exit = server && once(server, "exit");
    await deleteNamespaces([this.#options.internet, this.#options.switch]);
    await exit;
    this.#exists = false;
    this.#vxnets.clear();
  }

  #createInternet(): Promise<void> {
    const gateways = eipNetworks.map(
      ({ network, gateway }) => `addr add ${gateway}/${prefixLength(network)} dev ${internetBridge}`,
    );
    return configure(this.#options.internet, {
      sysctl: forwardingSysctl,
      ip: [
        "link set lo up",
        // Without an address of its own it would take a port's, another one when routers come and go, and their
        // ARP entries for the gateway would lead nowhere.
        `link add ${internetBridge} address ${gatewayMac} type bridge mcast_snooping 0`,
        `link set ${internetBridge} up`,
        ...gateways,
        `addr add ${webServerAddress}/32 dev lo`,
      ],
    });
  }

  async #applyVxnets(
    vxnets: ReadonlySet<string>,
    sysctl: Readonly<Record<string, number>> = {},
  ): Promise<void> {
    const added = [...vxnets].filter((id) => !this.#vxnets.has(id));
    const removed = [...this.#vxnets].filter((id) => !vxnets.has(id));
    const ip = [
      ...removed.map((id) => `link del ${interfaceName(id)}`),
      ...added.flatMap((id) => [
        `link add ${interfaceName(id)} type bridge mcast_snooping 0`,
        `link set ${interfaceName(id)} up`,
      ]),
    ];
    await configure(this.#options.switch, { sysctl, ip });
    for (const id of removed) this.#vxnets.delete(id);
    for (const id of added) this.#vxnets.add(id);
  }

  async #startWebServer(): Promise<void> {
    const { internet, webRoot, bastionFolder, logFile } = this.#options;
    const serve = ["/usr/bin/python3", "-I", "-m", "http.server", "80", "--bind", webServerAddress];
    const enter = [
      `--net=${namespacePath(internet)}`,
      "--",
      "unshare",
      "--mount",
      "--propagation",
      "private",
      "--",
    ];
    const view = ["sh", "-e", "-c", bastionView, "internet", bastionFolder];
    const output = openSync(logFile, "a", 0o600);
    const server = spawn("nsenter", [...enter, ...view, ...serve, "--directory", webRoot], {
      env: environment,
      detached: true,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    server.on("exit", () => {
      this.#webServer = undefined;
    });
    this.#webServer = server;
    await until(`the internet's web server (its log: ${logFile})`, () => {
      if (this.#webServer !== server)
        throw new Error(`the internet's web server ended at its start: see ${logFile}`);
      return listensOnPort80(server.pid);
    });
  }
}

/** Whether a process's network has a listener on port 80; the process must be inside already. */
function listensOnPort80(pid: number | undefined): boolean {
  if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() !== "python3") return false;
  return /: [0-9A-F]{8}:0050 00000000:0000 0A /.test(readFileSync(`/proc/${pid}/net/tcp`, "utf8"));
}
