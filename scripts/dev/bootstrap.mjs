/**
 * The first script of every npm command, in plain JavaScript for Node 20: installs the npm packages if they are not
 * those of package-lock.json, then runs a TypeScript file of this project on a Node that can.
 *
 *     node scripts/dev/bootstrap.mjs FILE [ARGUMENT …]
 */
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileCache } from "../../local-cloud/compile-cache.mjs";
import { findNode, noNode, unsupported } from "./node.mjs";
import { arePackagesInstalled, installPackages } from "./npm-packages.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const [file, ...rest] = process.argv.slice(2);

const reason = unsupported();
if (reason !== undefined) fail(reason);
if (!arePackagesInstalled(root)) install();
run(findNode(root));

function install() {
  const started = performance.now();
  process.stdout.write("npm packages: installing\n");
  if (!installPackages(root))
    fail("npm could not install the packages; its message is above. Is the npm registry reachable?");
  process.stdout.write(`npm packages: installed in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

/** The child decides how a signal ends it; this process lives as long as the child does. */
function run(node) {
  if (node === undefined) fail(noNode());
  const own = [...(node === process.execPath ? [] : [dirname(node)]), join(root, "node_modules", ".bin")];
  const child = spawn(join(root, "toolchain", "start"), [file, ...rest], {
    stdio: "inherit",
    env: {
      NODE_COMPILE_CACHE: compileCache,
      ...process.env,
      CROSSZONE_NODE: node,
      PATH: [...own, process.env.PATH].join(":"),
    },
  });
  // A terminal's Ctrl-C reaches the child directly; forwarded a second time it would mean "at once" to the CLI.
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
