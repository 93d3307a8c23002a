/** What nodes of an image have on their disks: this machine's root file system, less and more. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../picture.ts";
import { contentsOf } from "./dpkg.ts";

/** What a stock image lacks: scientific packages with all that needs them, GPU drivers, a container runtime. */
const notStock = /^(?:crun$|python3-(?:numpy|torch)|libtorch|libcuda|libnvidia|nvidia-|cuda-)/;
/** Drivers that were installed without a package. */
const driverFile = /^(?:nvidia-|lib(?:cuda|nvidia|nvcuvid|nvoptix)[-.])/;
const programFolders = ["/usr/bin", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
/** Holds what was installed beside Debian's packages, such as pip's. */
const localFolder = "/usr/local";

/** How a disk of an image differs from this machine's root file system. */
export interface ImageContents {
  /** Paths that are not there. */
  readonly absent: readonly string[];
  /** Folders that start out empty. */
  readonly emptied: readonly string[];
  /** Packages that dpkg does not know. */
  readonly withoutPackages: readonly string[];
  /** Folder of this machine with the guide's scripts and data, where the image has them. */
  readonly guide: string | null;
}

export class Images {
  readonly #guide: string;
  #bare: Promise<ImageContents> | undefined;

  /** @param guide folder of this machine with the scripts of the guide, and their data in its folder `data` */
  constructor(guide: string) {
    this.#guide = guide;
  }

  /** Found out once: it stays the same while the cloud runs. */
  async contentsOf(image: Image): Promise<ImageContents> {
    if (image === "deep-learning") {
      return { absent: [], emptied: [], withoutPackages: [], guide: this.#guide };
    }
    this.#bare ??= bareContents();
    return await this.#bare.catch((error) => {
      this.#bare = undefined;
      throw error;
    });
  }
}

async function bareContents(): Promise<ImageContents> {
  const [{ packages, paths }, ...drivers] = await Promise.all([
    contentsOf((name) => notStock.test(name)),
    ...programFolders.map(driverFiles),
  ]);
  return {
    absent: [...paths, ...drivers.flat()],
    emptied: [localFolder],
    withoutPackages: packages,
    guide: null,
  };
}

async function driverFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => driverFile.test(name)).map((name) => join(folder, name));
}
