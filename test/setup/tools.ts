/** The npm and Node versions of tools.json, which are those that users' machines bring, in the user's cache. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { capture, succeed } from "../../scripts/dev/process.ts";
import { cacheDirectory } from "../../scripts/dev/workspace.ts";
import tools from "./tools.json" with { type: "json" };

export type NpmVersion = "9" | "10.8" | "10.9" | "11";
export type NodeVersion = "20" | "22" | "24";

/** The Node binary of a major version; 24 is the one that runs this. */
async function findNode(version: NodeVersion): Promise<string> {
  if (version === "24") return process.execPath;
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  return join(await fetched(`node-${version}-${arch}`), "bin", "node");
}

/** @throws Error where npm cannot get it, or it is another one than that of the checksum */
async function fetched(name: keyof typeof tools): Promise<string> {
  const { package: wanted, integrity } = tools[name];
  const folder = join(cacheDirectory(), "setup-tools", wanted);
  if (statSync(folder, { throwIfNoEntry: false }) !== undefined) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}.`);
  try {
    const packed = await succeed("npm", ["pack", wanted, "--json", "--pack-destination", work], {
      cwd: work,
    });
    const [archive] = JSON.parse(packed.stdout) as { filename: string; integrity: string }[];
    if (archive === undefined || archive.integrity !== integrity) {
      throw new Error(`${wanted} has the checksum ${archive?.integrity}, expected is ${integrity}`);
    }
    await succeed("tar", ["-xzf", join(work, archive.filename), "-C", work]);
    renameSync(join(work, "package"), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

/** Gets what the machines need, one after the other, so that tests do not wait for it. */
export async function prepare(machines: readonly (readonly [NpmVersion, NodeVersion])[]): Promise<void> {
  for (const [npm, node] of machines) {
    await fetched(`npm-${npm}`);
    await findNode(node);
  }
}

/**
 * Runs npm on a Node as a user's shell does: both are on PATH, and nothing of the caller's npm or project is.
 * @param folder the project; its `user/bin` holds the two programs
 * @param inside a command that runs the one that follows it
 */
export async function runNpm(
  [npm, node]: readonly [NpmVersion, NodeVersion],
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  inside: readonly string[] = [],
) {
  const bin = join(folder, "user", "bin");
  rmSync(bin, { recursive: true, force: true });
  mkdirSync(bin, { recursive: true });
  await succeed("ln", ["-s", await findNode(node), join(bin, "node")]);
  await succeed("ln", ["-s", join(await fetched(`npm-${npm}`), "bin", "npm-cli.js"), join(bin, "npm")]);
  const own = /^(npm_|NODE|INIT_CWD$|PATH$|PULUMI_|CROSSZONE_|VITEST)/;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  const [program = "", ...rest] = [...inside, join(bin, "npm"), ...args];
  return await capture(program, rest, {
    cwd: folder,
    env: { ...Object.fromEntries(kept), PATH: `${bin}:/usr/bin:/bin`, ...env },
  });
}
