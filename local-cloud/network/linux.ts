/** The data plane on Linux: routers and nodes as namespaces of this machine, tunnels in user space. */

import { createHash } from "node:crypto";
import { mkdir, readdir, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { intranetName, webServerAddress } from "./addressing.ts";
import { count } from "./counters.ts";
import type { Counters, DataPlane, Observation } from "./data-plane.ts";
import { Bastion, bastionUser } from "./internet/bastion.ts";
import { Internet } from "./internet/internet.ts";
import { clearLeftovers } from "./leftovers.ts";
import { checkPrerequisites } from "./machine/prerequisites.ts";
import { MetadataServer } from "./metadata/metadata.ts";
import { Guards } from "./nodes/guards.ts";
import { Images } from "./nodes/images.ts";
import type { VxnetConnection } from "./nodes/nics.ts";
import { Node } from "./nodes/node.ts";
import { observe } from "./observation.ts";
import type { NodePicture, Picture, UserdataPicture } from "./picture.ts";
import { allRouters, type RoutedPicture } from "./routers/edges.ts";
import { Router } from "./routers/router.ts";
import { strongswanConfiguration } from "./tunnels/ipsec.ts";
import { Volumes } from "./volumes/volumes.ts";

export { checkPrerequisites, debianPackages } from "./machine/prerequisites.ts";

export interface LinuxDataPlaneOptions {
  /** Absolute folder of this cloud: disks, logs, the bastion's host key. */
  readonly home: string;
  /** Namespaces are named `<prefix>-…`: lower-case letters and digits, unique among the machine's clouds. */
  readonly prefix: string;
  /** Port of the bastion on 127.0.0.1; 0 takes a free one. */
  readonly bastionPort: number;
  /** Folder that the internet's web server serves. */
  readonly webRoot: string;
  /** Folder with the guide's scripts, and their data in its folder `data`: the deep learning image has them. @default webRoot */
  readonly guide?: string;
  /** Folders of this machine that nodes must not see, besides the usual ones (/root, /home, /tmp, …). */
  readonly rootfsHide?: readonly string[];
  /** Whether routers lower the MSS of TCP to what their tunnels carry. @default true */
  readonly clampMss?: boolean;
  readonly log: (line: string) => void;
}

const overlayMagic = 0x794c7630;

/** Clears what an earlier process of the same prefix left and opens the bastion. */
export async function createLinuxDataPlane(options: LinuxDataPlaneOptions): Promise<DataPlane> {
  const problems = checkPrerequisites();
  if (problems.length > 0) throw new Error(`the Linux data plane cannot run here:\n${problems.join("\n")}`);
  if (!/^[a-z0-9]{1,16}$/.test(options.prefix)) {
    throw new Error(`prefix "${options.prefix}": give 1 to 16 lower-case letters and digits`);
  }
  await mkdir(options.home, { recursive: true });
  if ((await statfs(options.home)).type === overlayMagic) {
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
    internet: `${options.prefix}-internet`,
    switch: `${options.prefix}-switch`,
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
  readonly #options: LinuxDataPlaneOptions;
  readonly #images: Images;
  readonly #volumes: Volumes;
  readonly #internet: Internet;
  readonly #metadata: MetadataServer;
  readonly #guards: Guards;
  readonly #bastion: Bastion;
  readonly #routers = new Map<string, Router>();
  readonly #nodes = new Map<string, Node>();
  /** End of the work that was accepted so far: one piece at a time. */
  #tail: Promise<unknown> = Promise.resolve();
  #waiting: { picture: Picture; readonly done: Promise<void> } | undefined;
  /** Fingerprint of the picture that the machine looks like. */
  #converged = "";

  constructor(options: LinuxDataPlaneOptions, internet: Internet, bastion: Bastion, volumes: Volumes) {
    this.#options = options;
    this.#volumes = volumes;
    this.#images = new Images(options.guide ?? options.webRoot);
    this.#internet = internet;
    this.#metadata = new MetadataServer({
      namespace: `${options.prefix}-metadata`,
      switch: `${options.prefix}-switch`,
      logFile: join(options.home, "logs", "metadata.log"),
      log: options.log,
    });
    this.#guards = new Guards(this.#switchNamespace);
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
    const seen = await observe(
      this.#internetNamespace,
      [...this.#routers.values()],
      [...this.#nodes.values()],
    );
    const links = await this.#internet.links.observe();
    return links.length === 0 ? seen : { ...seen, links };
  }

  count(): Promise<Counters> {
    const namespaces = { internet: this.#internetNamespace, switch: this.#switchNamespace };
    return count(namespaces, [...this.#routers.values()], [...this.#nodes.values()]);
  }

  forget(ids: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      await this.#volumes.forget(ids);
      const disks = new Set(await readdir(this.#disks).catch(() => []));
      const gone = ids.filter((id) => disks.has(id) && !this.#nodes.has(id));
      await Promise.all(gone.map((id) => rm(this.#diskOf(id), { recursive: true, force: true })));
    });
  }

  stop(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#bastion.close();
      await this.#removeAll();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    return result;
  }

  async #apply(picture: Picture): Promise<void> {
    const fingerprint = fingerprintOf(picture);
    if (fingerprint === this.#converged && this.#isHealthy()) return;
    this.#converged = "";
    await this.#bastion.authorize(picture.bastionKeys);
    if (picture.routers.length === 0 && picture.nodes.length === 0) await this.#removeAll();
    else await this.#applySome(picture);
    this.#converged = fingerprint;
  }

  async #applySome(picture: Picture): Promise<void> {
    const problems = new Problems();
    const all = allRouters(picture);
    const routers = all.filter(({ isDown }) => !isDown);
    await Promise.all([
      ...[...this.#nodes.values()]
        .filter(({ id }) => !picture.nodes.some((node) => node.id === id))
        .map((node) =>
          problems.collect(`node ${node.id} could not be removed`, () => this.#removeNode(node)),
        ),
      ...[...this.#routers.values()]
        .filter(({ id }) => !routers.some((router) => router.id === id))
        .map((router) =>
          problems.collect(`router ${router.id} could not be removed`, () => this.#removeRouter(router)),
        ),
    ]);
    await Promise.all(
      picture.nodes.map((node) =>
        problems.collect(`node ${node.id} could not be changed`, async () =>
          this.#nodes.get(node.id)?.release(node),
        ),
      ),
    );
    for (const router of routers) {
      const existing = this.#routers.get(router.id);
      if (existing)
        await problems.collect(`router ${router.id} could not be unplugged`, () => existing.release(router));
    }
    await this.#internet.apply(vxnetsOf(all, picture.nodes));
    await problems.collect("links of the internet could not be set", () =>
      this.#internet.links.apply(picture.links ?? []),
    );
    await problems.collect("security groups of nodes could not be set", () =>
      this.#guards.apply(picture.nodes, vxnetsOf(all, picture.nodes)),
    );
    const applyRouters = (work: (router: Router, picture: RoutedPicture) => Promise<void>) =>
      routers.map((router) =>
        problems.collect(`router ${router.id} could not be made`, () => this.#applyRouter(router, work)),
      );
    // A node that boots asks the router's DHCP.
    await Promise.all([
      problems.collect("the metadata server could not be made", () => this.#metadata.apply(picture)),
      ...applyRouters((router, wanted) => router.apply(wanted, picture)),
    ]);
    await Promise.all([
      ...applyRouters((router, wanted) => router.applyTunnels(wanted, picture)),
      ...picture.nodes.map((node) =>
        problems.collect(`node ${node.id} could not be made`, () => this.#applyNode(node, picture)),
      ),
    ]);
    await Promise.all(
      picture.nodes.map((node) =>
        problems.collect(`node ${node.id} could not be given its volumes`, async () =>
          this.#nodes.get(node.id)?.plug(node),
        ),
      ),
    );
    // Only now are both ends of every tunnel there.
    for (const router of this.#routers.values()) router.charon.initiate();
    problems.throwIfAny();
  }

  async #applyRouter(
    picture: RoutedPicture,
    work: (router: Router, picture: RoutedPicture) => Promise<void>,
  ): Promise<void> {
    const router = this.#routers.get(picture.id) ?? this.#newRouter(picture.id);
    this.#routers.set(router.id, router);
    try {
      await work(router, picture);
    } catch (error) {
      // Half made is worse than not there: the next converge makes it anew.
      await this.#removeRouter(router);
      throw error;
    }
  }

  async #applyNode(picture: NodePicture, whole: Picture): Promise<void> {
    const node = this.#nodes.get(picture.id) ?? this.#newNode(picture.id);
    this.#nodes.set(node.id, node);
    try {
      await node.apply(picture, (vxnet) => connectionOf(vxnet, whole));
    } catch (error) {
      await this.#removeNode(node);
      throw error;
    }
  }

  #newRouter(id: string): Router {
    const { home, prefix, clampMss = true, log } = this.#options;
    return new Router(id, {
      namespace: `${prefix}-${id}`,
      internet: this.#internetNamespace,
      switch: this.#switchNamespace,
      clampMss,
      strongswanConfiguration: join(home, "strongswan.conf"),
      logs: join(home, "logs"),
      dnsmasqFolder: join(home, "dnsmasq", id),
      log,
      onIkeStart: async (address) => {
        const resets = [...this.#routers.values()].map((router) =>
          router.charon.reset(address).catch((error) => log(`router ${router.id}: ${String(error)}`)),
        );
        await Promise.all(resets);
      },
    });
  }

  #newNode(id: string): Node {
    const { home, prefix, rootfsHide = [], log } = this.#options;
    return new Node(id, {
      namespace: `${prefix}-${id}`,
      switch: this.#switchNamespace,
      directory: this.#diskOf(id),
      hide: [home, ...rootfsHide],
      images: this.#images,
      volumes: this.#volumes,
      log,
    });
  }

  async #removeAll(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => this.#removeNode(node)));
    await Promise.all([...this.#routers.values()].map((router) => this.#removeRouter(router)));
    await this.#metadata.remove();
    await this.#internet.remove();
    this.#guards.forget();
    this.#converged = "";
  }

  async #removeNode(node: Node): Promise<void> {
    await node.remove();
    this.#nodes.delete(node.id);
  }

  async #removeRouter(router: Router): Promise<void> {
    await router.remove();
    this.#routers.delete(router.id);
  }

  #isHealthy(): boolean {
    if (this.#nodes.size === 0 && this.#routers.size === 0) return true;
    return this.#internet.pid !== undefined && [...this.#nodes.values()].every(({ pid }) => pid > 0);
  }

  get #internetNamespace(): string {
    return `${this.#options.prefix}-internet`;
  }

  get #switchNamespace(): string {
    return `${this.#options.prefix}-switch`;
  }

  get #disks(): string {
    return join(this.#options.home, "nodes");
  }

  #diskOf(nodeId: string): string {
    return join(this.#disks, nodeId);
  }
}

/** Failures of parallel work, told together. */
class Problems {
  readonly #errors: Error[] = [];

  async collect(what: string, work: () => Promise<void>): Promise<void> {
    await work().catch((error) => this.#errors.push(new Error(`${what}: ${(error as Error).message}`)));
  }

  throwIfAny(): void {
    if (this.#errors.length === 0) return;
    throw new Error(this.#errors.map(({ message }) => message).join("\n"));
  }
}

function vxnetsOf(routers: readonly RoutedPicture[], nodes: readonly NodePicture[]): Set<string> {
  const joined = routers.flatMap(({ zone, intranet, vxnets }) => [
    ...vxnets.map(({ id }) => id),
    ...(intranet ? [intranetName(zone)] : []),
  ]);
  return new Set([...joined, ...nodes.flatMap(({ nics }) => nics.map(({ vxnet }) => vxnet))]);
}

/** Absent while no router serves the vxnet. */
function connectionOf(vxnet: string, { routers, baseNetworks = [] }: Picture): VxnetConnection | undefined {
  const joined = routers.flatMap(({ vxnets }) => vxnets).find(({ id }) => id === vxnet);
  const found = joined ?? baseNetworks.find(({ id }) => id === vxnet);
  if (!found?.dhcp) return undefined;
  return { lease: `${found.network} ${found.managerAddress}`, metric: joined ? 100 : 500 };
}

/** Equal for equal pictures; a hash, so that no secret is kept beside the picture itself. */
function fingerprintOf(picture: Picture): string {
  const text = JSON.stringify(picture, (key, value: unknown) => {
    if (key === "archive") return (value as UserdataPicture["archive"])?.id;
    return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
  });
  return createHash("sha256").update(text).digest("hex");
}
