/** The data plane on Linux: routers and nodes as namespaces of this machine, tunnels in user space. */

import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { webServerAddress } from "./addressing.ts";
import { count } from "./counters.ts";
import type { Counters, DataPlane, Observation } from "./data-plane.ts";
import { Bastion, bastionUser } from "./internet/bastion.ts";
import { Internet } from "./internet/internet.ts";
import { clearLeftovers } from "./leftovers.ts";
import { isOverlay } from "./machine/file-systems.ts";
import { checkPrerequisites } from "./machine/prerequisites.ts";
import { observe } from "./observation.ts";
import type { Picture, UserdataPicture } from "./picture.ts";
import { namespacesOf, Reconciler, type ReconcilerOptions } from "./reconciler.ts";
import { strongswanConfiguration } from "./tunnels/ipsec.ts";
import { Volumes } from "./volumes/volumes.ts";

export { checkPrerequisites, debianPackages } from "./machine/prerequisites.ts";

export interface LinuxDataPlaneOptions extends ReconcilerOptions {
  /** Port of the bastion on 127.0.0.1; 0 takes a free one. */
  readonly bastionPort: number;
}

/** Clears what an earlier process of the same prefix left and opens the bastion. */
export async function createLinuxDataPlane(options: LinuxDataPlaneOptions): Promise<DataPlane> {
  const problems = checkPrerequisites();
  if (problems.length > 0) throw new Error(`the Linux data plane cannot run here:\n${problems.join("\n")}`);
  if (!/^[a-z0-9]{1,16}$/.test(options.prefix)) {
    throw new Error(`prefix "${options.prefix}": give 1 to 16 lower-case letters and digits`);
  }
  await mkdir(options.home, { recursive: true, mode: 0o700 });
  if (isOverlay(options.home)) {
    throw new Error(
      `${options.home} is on an overlay file system, where nodes cannot have disks: take a home elsewhere`,
    );
  }
  await clearLeftovers(options.prefix, options.home);
  await rm(join(options.home, "dnsmasq"), { recursive: true, force: true });
  const folders = { bastion: join(options.home, "bastion"), logs: join(options.home, "logs") };
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true });
  await writeFile(join(options.home, "strongswan.conf"), strongswanConfiguration);
  const internet = new Internet({
    ...namespacesOf(options.prefix),
    webRoot: options.webRoot,
    bastionFolder: folders.bastion,
    logFile: join(folders.logs, "internet.log"),
    log: options.log,
  });
  const volumes = await Volumes.open(options.home);
  const bastion = await Bastion.open({
    folder: folders.bastion,
    port: options.bastionPort,
    inside: () => internet.pid,
    log: options.log,
  });
  return new LinuxDataPlane(options, internet, bastion, volumes);
}

class LinuxDataPlane implements DataPlane {
  readonly bastion: NonNullable<DataPlane["bastion"]>;
  readonly internetUrl = `http://${webServerAddress}`;
  readonly #internet: Internet;
  readonly #volumes: Volumes;
  readonly #reconciler: Reconciler;
  readonly #bastion: Bastion;
  /** End of the work that was accepted so far: one piece at a time. */
  #tail: Promise<unknown> = Promise.resolve();
  #waiting: { picture: Picture; readonly done: Promise<void> } | undefined;
  /** Fingerprint of the picture that the machine looks like. */
  #converged = "";

  constructor(options: LinuxDataPlaneOptions, internet: Internet, bastion: Bastion, volumes: Volumes) {
    this.#internet = internet;
    this.#volumes = volumes;
    this.#reconciler = new Reconciler(options, internet, volumes);
    this.#bastion = bastion;
    this.bastion = { host: "127.0.0.1", port: bastion.port, user: bastionUser, hostKey: bastion.hostKey };
  }

  converge(picture: Picture): Promise<void> {
    if (this.#waiting) {
      this.#waiting.picture = picture;
      return this.#waiting.done;
    }
    const done = this.#inTurn(() => {
      const last = this.#waiting?.picture ?? picture;
      this.#waiting = undefined;
      return this.#apply(last);
    });
    this.#waiting = { picture, done };
    return done;
  }

  async observe(): Promise<Observation> {
    const { namespaces, routers, nodes } = this.#reconciler;
    const seen = await observe(namespaces.internet, routers, nodes);
    const links = await this.#internet.links.observe();
    return links.length === 0 ? seen : { ...seen, links };
  }

  count(): Promise<Counters> {
    const { namespaces, routers, nodes } = this.#reconciler;
    return count(namespaces, routers, nodes);
  }

  forget(ids: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      await this.#volumes.forget(ids);
      await this.#reconciler.forgetDisks(ids);
    });
  }

  stop(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#bastion.close();
      this.#converged = "";
      await this.#reconciler.removeAll();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    return result;
  }

  async #apply(picture: Picture): Promise<void> {
    const fingerprint = fingerprintOf(picture);
    if (fingerprint === this.#converged && this.#reconciler.isHealthy) return;
    this.#converged = "";
    await this.#bastion.authorize(picture.bastionKeys);
    const isEmpty = picture.routers.length === 0 && picture.nodes.length === 0;
    await (isEmpty ? this.#reconciler.removeAll() : this.#reconciler.apply(picture));
    this.#converged = fingerprint;
  }
}

/** Equal for equal pictures; a hash, so that no secret is kept beside the picture itself. */
function fingerprintOf(picture: Picture): string {
  const text = JSON.stringify(picture, (key, value: unknown) => {
    if (key === "archive") return (value as UserdataPicture["archive"])?.id;
    return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
  });
  return createHash("sha256").update(text).digest("hex");
}
