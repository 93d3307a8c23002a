/** A node: a running instance as namespaces of this machine, with a disk of its own on top of the machine's. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { metadataAddress, metadataName } from "../addressing.ts";
import type { DiskUse } from "../data-plane.ts";
import { configure, createNamespaces, deleteNamespaces } from "../machine/namespaces.ts";
import { environment, namespacePath, run } from "../machine/shell.ts";
import type { NodePicture, UserdataPicture } from "../picture.ts";
import { NodeVolumes } from "../volumes/node-volumes.ts";
import type { Volumes } from "../volumes/volumes.ts";
import { copyDisk } from "./disk.ts";
import type { ImageContents, Images } from "./images.ts";
import { type ClientOrder, type ConnectionOf, Nics, type NodePort } from "./nics.ts";

const bootMs = 20_000;
const bootProgram = join(import.meta.dirname, "node-boot");

export interface NodeSurroundings {
  readonly namespace: string;
  readonly switch: string;
  /** Folder of the node's disk. */
  readonly directory: string;
  /** Folders of this machine that the node must not see. */
  readonly hide: readonly string[];
  readonly images: Images;
  readonly volumes: Volumes;
  readonly log: (line: string) => void;
}

export class Node {
  readonly id: string;
  readonly namespace: string;
  readonly #around: NodeSurroundings;
  #process: ChildProcess | undefined;
  #pid = 0;
  #exists = false;
  #removing = false;
  #booted: NodePicture | undefined;
  #keys = "";
  readonly #nics: Nics;
  #volumes: NodeVolumes | undefined;

  constructor(id: string, around: NodeSurroundings) {
    this.id = id;
    this.namespace = around.namespace;
    this.#around = around;
    this.#nics = new Nics(id, around.namespace, around.switch);
  }

  /** PID 1 of the node as this machine sees it; 0 while it does not run. */
  get pid(): number {
    return this.#process ? this.#pid : 0;
  }

  /** Its interfaces, each with the port that it is plugged into in the switch's namespace. */
  get ports(): readonly NodePort[] {
    return this.#nics.ports;
  }

  /** What its volumes' devices have done. */
  async volumeUse(): Promise<readonly ({ readonly id: string } & DiskUse)[]> {
    return (await this.#volumes?.use()) ?? [];
  }

  /** Lets go of what another node may be waiting for: volumes that it does not have any more. */
  async release(node: NodePicture): Promise<void> {
    if (this.#isDue(node)) await this.remove();
    else await this.#volumes?.unplug(node.volumes, this.#pid);
  }

  /** Plugs in volumes that came after its boot. */
  async plug(node: NodePicture): Promise<void> {
    if (this.#process) await this.#volumes?.plug(node.volumes, this.#pid);
  }

  #isDue({ boot, disk }: NodePicture): boolean {
    return !this.#process || this.#booted?.boot !== boot || this.#booted.disk !== disk;
  }

  /** Boots the node when it does not run or another boot or disk is due; otherwise only what changed is changed. */
  async apply(node: NodePicture, connectionOf: ConnectionOf): Promise<void> {
    if (this.#isDue(node)) {
      await this.remove();
      await createNamespaces([this.namespace]);
      this.#exists = true;
      // The loopback has ::1, as programs expect; the vxnets have no IPv6.
      const sysctl = { "net/ipv6/conf/default/disable_ipv6": 1 };
      await configure(this.namespace, { sysctl, ip: ["link set lo up"] });
      await this.#nics.apply(node.nics);
      await this.#boot(node, this.#nics.dueOrders(node.nics, connectionOf));
      return;
    }
    await this.#nics.apply(node.nics);
    await Promise.all(this.#nics.dueOrders(node.nics, connectionOf).map((order) => this.#order(order)));
    await this.#authorize(node.authorizedKeys);
    this.#booted = node;
  }

  /** Ends the node; its disk stays. */
  async remove(): Promise<void> {
    const running = this.#process;
    if (running) {
      this.#removing = true;
      const exit = once(running, "exit");
      if (this.#pid > 0) process.kill(this.#pid, "SIGKILL");
      else running.kill("SIGKILL");
      await exit;
      this.#removing = false;
    }
    if (!this.#exists) return;
    await this.#nics.remove();
    await deleteNamespaces([this.namespace]);
    await this.#volumes?.remove();
    this.#volumes = undefined;
    this.#exists = false;
    this.#booted = undefined;
  }

  async #boot(node: NodePicture, network: readonly ClientOrder[]): Promise<void> {
    const { directory, hide, images, volumes, log } = this.#around;
    const contents = await images.contentsOf(node.image);
    this.#volumes = new NodeVolumes(volumes, node.image);
    const volumesScript = await this.#volumes.bootScript(node.volumes);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    if (node.copyOf !== undefined) await copyDisk(join(directory, "..", node.copyOf), directory);
    const consoleFile = join(directory, "console.log");
    const output = openSync(consoleFile, "w", 0o600);
    const own = [
      "--mount",
      "--uts",
      "--ipc",
      "--pid",
      "--fork",
      "--kill-child=SIGKILL",
      "--propagation",
      "private",
    ];
    const program = ["/usr/bin/python3", "-I", "-S", "-B", bootProgram];
    const args = [`--net=${namespacePath(this.namespace)}`, "--", "unshare", ...own, "--", ...program];
    const child = spawn("nsenter", args, {
      env: environment,
      detached: true,
      stdio: ["pipe", "pipe", output],
    });
    closeSync(output);
    this.#process = child;
    this.#pid = 0;
    child.on("exit", () => {
      if (this.#process !== child) return;
      this.#process = undefined;
      if (this.#booted && !this.#removing) log(`node ${this.id} has ended: the next converge boots it again`);
    });
    child.stdin?.on("error", () => {}); // an early end is reported below
    child.stdin?.end(specification(node, { contents, directory, hide, volumesScript, network }));
    try {
      await this.#untilUp(child);
    } catch (error) {
      const console = (await readFile(consoleFile, "utf8")).trim().slice(-600);
      throw new Error(
        `${(error as Error).message}; its console (${consoleFile}) says: ${console || "nothing"}`,
      );
    }
    this.#booted = node;
    this.#keys = keysFile(node.authorizedKeys);
    log(`node ${this.id} is up (boot ${node.boot})`);
  }

  /** Reads what the booting node reports: its PID, then `up` when sshd listens. */
  #untilUp(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`sshd does not listen after ${bootMs} ms`)), bootMs);
      let text = "";
      child.stdout?.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        this.#pid = Number.parseInt(text, 10) || 0;
        if (!text.includes("up\n")) return;
        clearTimeout(timer);
        resolve();
      });
      child.on("error", reject);
      child.on("exit", (code, signal) => {
        clearTimeout(timer);
        reject(new Error(`boot ended with ${signal ?? `status ${code}`}`));
      });
    });
  }

  /** Tells a running node's DHCP client that its network is another one; it comes back with the lease, or without one. */
  async #order(order: ClientOrder): Promise<void> {
    const enter = [`--target=${this.#pid}`, "--all", "--", "/run/node/dhcp"];
    await run("nsenter", [...enter, ...order]);
  }

  async #authorize(keys: readonly string[]): Promise<void> {
    const text = keysFile(keys);
    if (text === this.#keys) return;
    // Run inside the node: there, a link that its owner has made leads nowhere else.
    const script = [
      'keys=$(mktemp); cat > "$keys"',
      'install -m 600 "$keys" /root/.ssh/authorized_keys',
      'install -m 600 -o ubuntu -g ubuntu "$keys" /home/ubuntu/.ssh/authorized_keys',
      'rm "$keys"',
    ].join("\n");
    await run("nsenter", [`--target=${this.#pid}`, "--all", "--", "sh", "-e", "-c", script], { input: text });
    this.#keys = text;
  }
}

function keysFile(keys: readonly string[]): string {
  return keys.map((key) => `${key.trim()}\n`).join("");
}

function specification(
  node: NodePicture,
  own: {
    readonly contents: ImageContents;
    readonly directory: string;
    readonly hide: readonly string[];
    readonly volumesScript: string;
    readonly network: readonly ClientOrder[];
  },
): string {
  const { hostname, nics, authorizedKeys, metadata, passwordHash, userdata, disk = 1 } = node;
  return JSON.stringify({
    ...own,
    hosts: `${metadataAddress} ${metadataName}\n`,
    disk,
    hostname,
    address: nics.find(({ address }) => address !== "")?.address ?? "",
    authorizedKeys: authorizedKeys.map((key) => key.trim()),
    passwordHash: passwordHash ?? null,
    metadata,
    userdata: userdata ? bootUserdata(userdata) : null,
  });
}

/** As the boot program reads it: contents in base64. */
function bootUserdata({ folder, text, script, archive }: UserdataPicture) {
  const base64 = (content: Uint8Array) => Buffer.from(content).toString("base64");
  return {
    folder,
    text: text ? base64(text) : null,
    script: script ? { file: script.file, content: base64(script.content) } : null,
    archive: archive?.base64 ?? null,
  };
}
