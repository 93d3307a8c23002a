/**
 * The first script of every npm command, in plain JavaScript for Node 20: installs the npm packages if they are not
 * those of package-lock.json, then runs a TypeScript file of this project on the Node 24 that they bring.
 *
 *     node scripts/dev/bootstrap.mjs FILE [ARGUMENT …]
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const node = join(root, "node_modules", ".bin", "node");
const [file, ...rest] = process.argv.slice(2);

if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
  fail(`This project runs on Linux x64 or arm64; this is ${process.platform} ${process.arch}.`);
}
if (!isInstalled()) install();
run();

/** Whether what npm installed last is what package-lock.json says, package by package. */
function isInstalled() {
  const installed = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installed) || !existsSync(node)) return false;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const present = JSON.parse(readFileSync(installed, "utf8")).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === "" || optional === true || present[path]?.version === version,
  );
}

function install() {
  const started = performance.now();
  process.stdout.write("npm packages: installing\n");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0)
    fail("npm could not install the packages: its message stands above. Is the npm registry reachable?");
  if (!existsSync(node))
    fail(
      "npm installed no node_modules/.bin/node: optional packages are switched off (npm config get omit).",
    );
  process.stdout.write(`npm packages: installed in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

/** The child decides how a signal ends it; this process lives as long as the child does. */
function run() {
  const child = spawn(node, [join(root, file), ...rest], {
    stdio: "inherit",
    env: { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH}` },
  });
  // A terminal's Ctrl-C reaches the child by itself; forwarded a second time it would mean "at once" to the CLI.
  process.on("SIGINT", () => {
    if (!process.stdin.isTTY) child.kill("SIGINT");
  });
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("close", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
