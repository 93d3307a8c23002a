/** The npm packages of package-lock.json; in plain JavaScript, because Node 20 installs them. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Whether npm's last installation is what package-lock.json says, package by package. Optional packages count where they
 * are for this platform: the test runner's and the linter's programs are among them.
 * @param {string} root the checkout
 */
export function arePackagesInstalled(root) {
  const installed = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installed)) return false;
  const wanted = packagesIn(join(root, "package-lock.json"));
  const present = packagesIn(installed);
  const missing = Object.entries(wanted).filter(
    ([path, entry]) => path !== "" && isForThisMachine(entry) && present[path]?.version !== entry.version,
  );
  // Which C library this is takes a while to find out, and is asked only where something is missing.
  return missing.every(([, { libc }]) => libc !== undefined && !libc.includes(cLibrary()));
}

function packagesIn(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages;
}

function isForThisMachine({ optional, os, cpu }) {
  if (optional !== true) return true;
  return [os].flat().includes(process.platform) && [cpu].flat().includes(process.arch);
}

function cLibrary() {
  return process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc";
}

/**
 * Runs `npm ci`. What the user has set for other projects (omit=optional, NODE_ENV=production, engine-strict) would leave
 * packages out that this one needs, or refuse those that only the newer Node runs.
 * @param {string} root the checkout
 * @returns {boolean} whether npm succeeded; it has printed why not
 */
export function installPackages(root) {
  const flags = ["--include=optional", "--include=dev", "--engine-strict=false"];
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error", ...flags], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return status === 0;
}
