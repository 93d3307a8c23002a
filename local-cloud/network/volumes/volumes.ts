/** Volumes on this machine: a sparse file each, and a loop device while a node that runs has it. */

import { constants, existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, open, readdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { DiskUse } from "../data-plane.ts";
import { run, until } from "../machine/shell.ts";
import type { VolumePicture } from "../picture.ts";

const folderName = "volumes";
const bytesOfGb = 2 ** 30;
/** The kernel lets go of a file system a moment after the last process that saw it. */
const detachMs = 5_000;
const closeMs = 1_000;
const copyMs = 300_000;

export interface LoopDevice {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  /** Nothing was ever written to it. */
  readonly isBlank: boolean;
  /** What the device had done, for other files too, when it was made. */
  readonly before: DiskUse;
}

export class Volumes {
  readonly #folder: string;
  readonly #attached = new Map<string, LoopDevice>();
  #attachments = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the folder of the volumes' files in a cloud's home. */
  static async open(home: string): Promise<Volumes> {
    const folder = join(home, folderName);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new Volumes(await realpath(folder));
  }

  /** Makes a device of a volume, at its first time of its file, or of a copy of another; GB are 2^30 bytes. */
  async attach({ id, size, copyOf: source }: VolumePicture): Promise<LoopDevice> {
    if (this.#attached.has(id)) throw new Error(`volume ${id} is still attached to another node`);
    const path = this.#fileOf(id);
    if (source !== undefined && !existsSync(path)) await this.#copy(source, path);
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const { size: before } = await file.stat();
      if (before < size * bytesOfGb) await file.truncate(size * bytesOfGb);
    } finally {
      await file.close();
    }
    const isBlank = (await stat(path)).blocks === 0;
    const device = await makeDevice(path);
    const { rdev } = await stat(device);
    // Both numbers are small: the kernel's encoding of larger ones does not matter.
    const before = await readUse(device, ++this.#attachments);
    const loop = { path: device, major: rdev >> 8, minor: rdev & 0xff, isBlank, before };
    this.#attached.set(id, loop);
    return loop;
  }

  /** What the volume's device has done since it was attached; undefined while it is not. */
  async use(id: string): Promise<DiskUse | undefined> {
    const loop = this.#attached.get(id);
    if (!loop) return undefined;
    const { path, before } = loop;
    const now = await readUse(path, before.attachment);
    return {
      read: now.read - before.read,
      written: now.written - before.written,
      reads: now.reads - before.reads,
      writes: now.writes - before.writes,
      attachment: before.attachment,
    };
  }

  /** Returns when no process has the volume's device open; throws where one keeps it. One that is mounted only is not open. */
  async untilClosed(id: string): Promise<void> {
    const loop = this.#attached.get(id);
    if (!loop) return;
    const { rdev } = await stat(loop.path);
    await until(`the end of the last process that has ${loop.path} open`, () => !isOpen(rdev), closeMs);
  }

  /** Takes the device away; throws while something uses it. */
  async detach(id: string): Promise<void> {
    const loop = this.#attached.get(id);
    if (!loop) return;
    await detach(loop.path, this.#fileOf(id));
    this.#attached.delete(id);
  }

  /** Deletes the volumes among these ids, with all that is on them. */
  async forget(ids: readonly string[]): Promise<void> {
    const files = new Set(await readdir(this.#folder));
    const gone = ids
      .filter((id) => !this.#attached.has(id))
      .flatMap((id) => [this.#fileOf(id), copyOf(this.#fileOf(id))]);
    await Promise.all(gone.filter((file) => files.has(basename(file))).map((file) => rm(file)));
  }

  /** What a running node has written is in the file only after a sync. */
  async #copy(source: string, path: string): Promise<void> {
    if (!existsSync(this.#fileOf(source))) return;
    if (this.#attached.has(source)) await run("sync", [], { timeoutMs: copyMs });
    const copy = ["--sparse=always", "--reflink=auto", this.#fileOf(source), copyOf(path)];
    await run("cp", copy, { timeoutMs: copyMs });
    await rename(copyOf(path), path);
  }

  #fileOf(id: string): string {
    return join(this.#folder, `${id}.img`);
  }
}

/** Where a file is while it is copied. */
function copyOf(file: string): string {
  return `${file}.new`;
}

/** Detaches the devices of volumes in a folder that a killed cloud has left. */
export async function detachDevices(folder: string): Promise<void> {
  for (const { device, file } of await devicesOf(folder)) await detach(device, file);
}

/** The devices of volumes in a folder, with their files. */
export async function devicesOf(folder: string): Promise<{ device: string; file: string }[]> {
  const own = await realpath(folder).catch(() => folder);
  const names = (await readdir("/sys/block").catch(() => [])).filter((name) => name.startsWith("loop"));
  const files = await Promise.all(names.map(backingFile));
  return names.flatMap((name, index) => {
    const file = files[index];
    return file?.startsWith(`${join(own, folderName)}/`) ? [{ device: `/dev/${name}`, file }] : [];
  });
}

/** Whatever the device's blocks are, its statistics are in sectors of 512 bytes. */
async function readUse(device: string, attachment: number): Promise<DiskUse> {
  const text = await readFile(`/sys/block/${device.slice("/dev/".length)}/stat`, "utf8");
  const [reads = 0, , sectorsRead = 0, , writes = 0, , sectorsWritten = 0] = text
    .trim()
    .split(/\s+/)
    .map(Number);
  return { read: sectorsRead * 512, written: sectorsWritten * 512, reads, writes, attachment };
}

async function backingFile(name: string): Promise<string | undefined> {
  const text = await readFile(`/sys/block/${name}/loop/backing_file`, "utf8").catch(() => undefined);
  return text?.trim();
}

async function makeDevice(file: string): Promise<string> {
  if (!existsSync("/dev/loop-control")) {
    throw new Error(
      "/dev/loop-control is missing: load the kernel module loop (`modprobe loop`), which volumes need",
    );
  }
  return (await run("losetup", ["--find", "--show", file])).trim();
}

/** A device that is not the file's any more is left alone: it went with its last user, its number may be another's. */
async function detach(device: string, file: string): Promise<void> {
  const isGone = async () => (await backingFile(device.slice("/dev/".length))) !== file;
  if (await isGone()) return;
  await until(`the last user of ${device} to let go of it`, () => isFree(device), detachMs);
  await run("losetup", ["--detach", device]);
  await until(`the end of ${device}`, isGone, detachMs);
}

/** Whether a process has the block device open, by whatever name. */
function isOpen(rdev: number): boolean {
  const opens = (path: string) => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.isBlockDevice() === true && found.rdev === rdev;
  };
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.some((pid) => {
    const folder = `/proc/${pid}/fd`;
    try {
      return readdirSync(folder).some((name) => opens(`${folder}/${name}`));
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

/** Whether no mount, in any namespace, and no other device holds it. */
async function isFree(device: string): Promise<boolean> {
  try {
    await (await open(device, constants.O_RDONLY | constants.O_EXCL)).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    throw error;
  }
}
