import { existsSync, statfsSync } from "node:fs";

const overlayMagic = 0x794c7630;

/** Whether a folder is on an overlay file system, which cannot hold the disks of nodes: they are overlays too. */
export function isOverlay(folder: string): boolean {
  return existsSync(folder) && statfsSync(folder).type === overlayMagic;
}
