/** `npm run test:watch -- NAME`: vitest that runs the files with NAME in their path again when what they import changes. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { findPrivilege } from "../../local-cloud/privilege.ts";
import { testPackages } from "./debian.ts";
import { Progress } from "./progress.ts";
import { setUp } from "./setup.ts";
import { pulumiEnvironment } from "./stack.ts";
import { findWorkspace } from "./workspace.ts";

const filters = process.argv.slice(2);
if (filters.length === 0) {
  process.stderr.write("test:watch: name a room or a file, e.g. npm run test:watch -- test/unit/infra\n");
  process.exit(2);
}
const workspace = findWorkspace();
await setUp(workspace, new Progress(), {
  morePackages: testPackages,
  privilege: findPrivilege(),
});
const vitest = join(workspace.root, "node_modules", "vitest", "vitest.mjs");
const child = spawn(process.execPath, [vitest, "watch", ...filters], {
  cwd: workspace.root,
  stdio: "inherit",
  env: { ...process.env, PATH: pulumiEnvironment(workspace).PATH },
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
child.on("close", (code) => process.exit(code ?? 130));
