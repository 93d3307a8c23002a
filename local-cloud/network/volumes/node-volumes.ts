/** The volumes of one node, as disks in its /dev. */

import type { DiskUse } from "../data-plane.ts";
import { run } from "../machine/shell.ts";
import type { Image, VolumePicture } from "../picture.ts";
import type { LoopDevice, Volumes } from "./volumes.ts";

/** Where the deep learning image has its data disk, the first volume. */
const dataFolder = "/data";
const dataDevice = "/dev/sdc";
/** Its owner on a new file system: ubuntu. */
const dataOwner = 1000;

interface Plugged extends VolumePicture {
  readonly loop: LoopDevice;
}

export class NodeVolumes {
  readonly #volumes: Volumes;
  readonly #image: Image;
  readonly #plugged = new Map<string, Plugged>();

  constructor(volumes: Volumes, image: Image) {
    this.#volumes = volumes;
    this.#image = image;
  }

  /** Attaches the volumes of a node that is about to boot; the script makes its disks of them, inside it. */
  async bootScript(pictures: readonly VolumePicture[]): Promise<string> {
    const scripts: string[] = [];
    for (const picture of pictures) scripts.push(plugScript(await this.#attach(picture), this.#image));
    return scripts.join("");
  }

  /** Plugs what is new into the running node. */
  async plug(pictures: readonly VolumePicture[], pid: number): Promise<void> {
    for (const picture of pictures.filter(({ id }) => !this.#plugged.has(id))) {
      const plugged = await this.#attach(picture);
      await inNode(pid, plugScript(plugged, this.#image)).catch(async (error) => {
        await this.#detach(picture.id);
        throw error;
      });
    }
  }

  /** Unplugs what is not in the picture any more from the running node, where nothing uses it. */
  async unplug(pictures: readonly VolumePicture[], pid: number): Promise<void> {
    for (const plugged of [...this.#plugged.values()]) {
      const { id, device } = plugged;
      if (pictures.some((picture) => picture.id === id && picture.device === device)) continue;
      await this.#volumes.untilClosed(id).catch((error) => {
        throw new Error(
          `volume ${id} is in use on the node, end what has ${device} open there first: ${error.message}`,
        );
      });
      await inNode(pid, unplugScript(device)).catch((error) => {
        throw new Error(
          `volume ${id} is in use on the node, unmount ${device} there first: ${error.message}`,
        );
      });
      await this.#detach(id).catch(async (error) => {
        await inNode(pid, deviceScript(plugged));
        throw error;
      });
    }
  }

  /** What each has done since it was attached. */
  async use(): Promise<({ readonly id: string } & DiskUse)[]> {
    const uses = [...this.#plugged.keys()].map(async (id) => {
      const use = await this.#volumes.use(id);
      return use === undefined ? [] : [{ id, ...use }];
    });
    return (await Promise.all(uses)).flat();
  }

  /** Detaches all, after the end of the node. */
  async remove(): Promise<void> {
    for (const id of [...this.#plugged.keys()]) await this.#detach(id);
  }

  async #attach(picture: VolumePicture): Promise<Plugged> {
    const plugged = { ...picture, loop: await this.#volumes.attach(picture) };
    this.#plugged.set(picture.id, plugged);
    return plugged;
  }

  async #detach(id: string): Promise<void> {
    await this.#volumes.detach(id);
    this.#plugged.delete(id);
  }
}

async function inNode(pid: number, script: string): Promise<void> {
  await run("nsenter", [`--target=${pid}`, "--all", "--", "sh", "-e", "-c", script]);
}

function deviceScript({ device, loop }: Plugged): string {
  return `rm -f ${device}; mknod -m 660 ${device} b ${loop.major} ${loop.minor}; chgrp disk ${device}\n`;
}

function plugScript(plugged: Plugged, image: Image): string {
  const { device, loop } = plugged;
  const node = deviceScript(plugged);
  if (device !== dataDevice || image !== "deep-learning") return node;
  // Without lazy initialization by the kernel, which would fill the sparse file.
  const options = `lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=${dataOwner}:${dataOwner}`;
  return [
    node,
    loop.isBlank ? `mkfs.ext4 -q -m 0 -E ${options} ${device}\n` : "",
    `mkdir -p ${dataFolder}\n`,
    `mountpoint -q ${dataFolder} || mount -o noinit_itable ${device} ${dataFolder} ||`,
    ` echo "${device} has no file system that can be mounted at ${dataFolder}" >&2\n`,
  ].join("");
}

function unplugScript(device: string): string {
  return `! findmnt -rn -S ${device} > /dev/null || umount -A ${device}\nrm -f ${device}\n`;
}
