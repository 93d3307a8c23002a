/** What Debian's package database tells: which packages need which, and which files are whose. */

import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const database = "/var/lib/dpkg";

export interface Package {
  readonly name: string;
  /** Each entry is met by any one of its names. */
  readonly dependencies: readonly (readonly string[])[];
  readonly provides: readonly string[];
}

/** The installed packages in the text of dpkg's status file. */
export function readPackages(status: string): Package[] {
  return status.split(/\n\n+/).flatMap((stanza) => {
    const field = (name: string) =>
      new RegExp(`^${name}: (.*(?:\n .*)*)`, "m").exec(stanza)?.[1]?.replaceAll("\n", " ") ?? "";
    const name = field("Package");
    if (name === "" || !field("Status").endsWith(" installed")) return [];
    const wanted = [field("Pre-Depends"), field("Depends")].filter((text) => text !== "").join(",");
    return [
      {
        name,
        dependencies: relations(wanted).map((relation) => relation.split("|").map(bareName)),
        provides: relations(field("Provides")).map(bareName),
      },
    ];
  });
}

function relations(text: string): string[] {
  return text.split(",").filter((relation) => relation.trim() !== "");
}

/** `libc6` for ` libc6:any (>= 2.36)`. */
function bareName(relation: string): string {
  return relation.trim().split(/[\s(:]/)[0] ?? "";
}

/** The packages that `isRoot` names, and all that do not work without one of them. */
export function withDependents(packages: readonly Package[], isRoot: (name: string) => boolean): Set<string> {
  const found = new Set(packages.map(({ name }) => name).filter(isRoot));
  const isMet = (alternatives: readonly string[]) => {
    const able = packages.filter(({ name, provides }) =>
      alternatives.some((wanted) => wanted === name || provides.includes(wanted)),
    );
    return able.length === 0 || able.some(({ name }) => !found.has(name));
  };
  for (let before = -1; found.size > before; ) {
    before = found.size;
    const names = new Set(
      packages.flatMap(({ name, provides }) => (found.has(name) ? [name, ...provides] : [])),
    );
    for (const { name, dependencies } of packages) {
      const touched = dependencies.filter((alternatives) => alternatives.some((one) => names.has(one)));
      if (touched.some((alternatives) => !isMet(alternatives))) found.add(name);
    }
  }
  return found;
}

/**
 * The topmost paths that belong to these packages alone.
 * @param lists the paths that each package has, folders included
 */
export function pathsOnlyOf(
  packages: ReadonlySet<string>,
  lists: Iterable<readonly [name: string, paths: readonly string[]]>,
): string[] {
  const own = new Set<string>();
  const others: (readonly string[])[] = [];
  for (const [name, paths] of lists) {
    if (packages.has(name)) for (const path of paths) own.add(path);
    else others.push(paths);
  }
  for (const paths of others) for (const path of paths) own.delete(path);
  return [...own].filter((path) => !own.has(dirname(path)) && path !== "/.").sort();
}

/** The packages to leave out with those that `isRoot` names, and the topmost paths that only these have. */
export async function contentsOf(
  isRoot: (name: string) => boolean,
): Promise<{ packages: string[]; paths: string[] }> {
  const status = await readFile(join(database, "status"), "utf8").catch(() => "");
  const packages = withDependents(readPackages(status), isRoot);
  if (packages.size === 0) return { packages: [], paths: [] };
  const info = join(database, "info");
  const files = (await readdir(info)).filter((name) => name.endsWith(".list"));
  const lists = files.map(async (file) => {
    const name = file.slice(0, -".list".length).split(":")[0] ?? "";
    return [name, (await readFile(join(info, file), "utf8")).split("\n")] as const;
  });
  return { packages: [...packages].sort(), paths: pathsOnlyOf(packages, await Promise.all(lists)) };
}
