/**
 * Makes the machine's routers and nodes as a picture has them, in the order in which they need each other, and keeps what it
 * has made.
 */

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { intranetName } from "./addressing.ts";
import type { Internet } from "./internet/internet.ts";
import { MetadataServer } from "./metadata/metadata.ts";
import { Guards } from "./nodes/guards.ts";
import { Images } from "./nodes/images.ts";
import type { VxnetConnection } from "./nodes/nics.ts";
import { Node } from "./nodes/node.ts";
import type { NodePicture, Picture } from "./picture.ts";
import { allRouters, type RoutedPicture } from "./routers/edges.ts";
import { Router } from "./routers/router.ts";
import type { Volumes } from "./volumes/volumes.ts";

export interface ReconcilerOptions {
  /** Absolute folder of this cloud: disks, logs, the bastion's host key. */
  readonly home: string;
  /** Namespaces are named `<prefix>-…`: lower-case letters and digits, unique among the machine's clouds. */
  readonly prefix: string;
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

/** The two namespaces of a cloud that are no router's and no node's: where EIPs meet, and where vxnets are. */
export function namespacesOf(prefix: string): { readonly internet: string; readonly switch: string } {
  return { internet: `${prefix}-internet`, switch: `${prefix}-switch` };
}

export class Reconciler {
  readonly namespaces: ReturnType<typeof namespacesOf>;
  readonly #options: ReconcilerOptions;
  readonly #internet: Internet;
  readonly #volumes: Volumes;
  readonly #images: Images;
  readonly #metadata: MetadataServer;
  readonly #guards: Guards;
  readonly #routers = new Map<string, Router>();
  readonly #nodes = new Map<string, Node>();

  constructor(options: ReconcilerOptions, internet: Internet, volumes: Volumes) {
    this.namespaces = namespacesOf(options.prefix);
    this.#options = options;
    this.#internet = internet;
    this.#volumes = volumes;
    this.#images = new Images(options.guide ?? options.webRoot);
    this.#metadata = new MetadataServer({
      namespace: `${options.prefix}-metadata`,
      switch: this.namespaces.switch,
      logFile: join(options.home, "logs", "metadata.log"),
      log: options.log,
    });
    this.#guards = new Guards(this.namespaces.switch);
  }

  get routers(): Router[] {
    return [...this.#routers.values()];
  }

  get nodes(): Node[] {
    return [...this.#nodes.values()];
  }

  get isHealthy(): boolean {
    if (this.#nodes.size === 0 && this.#routers.size === 0) return true;
    return this.#internet.pid !== undefined && this.nodes.every(({ pid }) => pid > 0);
  }

  async apply(picture: Picture): Promise<void> {
    const problems = new Problems();
    const all = allRouters(picture);
    const routers = all.filter(({ isDown }) => !isDown);
    await Promise.all([
      ...this.nodes
        .filter(({ id }) => !picture.nodes.some((node) => node.id === id))
        .map((node) =>
          problems.collect(`node ${node.id} could not be removed`, () => this.#removeNode(node)),
        ),
      ...this.routers
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
    for (const router of this.routers) router.charon.initiate();
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
      internet: this.namespaces.internet,
      switch: this.namespaces.switch,
      clampMss,
      strongswanConfiguration: join(home, "strongswan.conf"),
      logs: join(home, "logs"),
      dnsmasqFolder: join(home, "dnsmasq", id),
      log,
      onIkeStart: async (address) => {
        const resets = this.routers.map((router) =>
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
      switch: this.namespaces.switch,
      directory: this.#diskOf(id),
      hide: [home, ...rootfsHide],
      images: this.#images,
      volumes: this.#volumes,
      log,
    });
  }

  async removeAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.#removeNode(node)));
    await Promise.all(this.routers.map((router) => this.#removeRouter(router)));
    await this.#metadata.remove();
    await this.#internet.remove();
    this.#guards.forget();
  }

  /** Deletes the disks of nodes that are not there any more. */
  async forgetDisks(ids: readonly string[]): Promise<void> {
    const disks = new Set(await readdir(this.#disks).catch(() => []));
    const gone = ids.filter((id) => disks.has(id) && !this.#nodes.has(id));
    await Promise.all(gone.map((id) => rm(this.#diskOf(id), { recursive: true, force: true })));
  }

  async #removeNode(node: Node): Promise<void> {
    await node.remove();
    this.#nodes.delete(node.id);
  }

  async #removeRouter(router: Router): Promise<void> {
    await router.remove();
    this.#routers.delete(router.id);
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
