/** `npm run bench -- long [NAME…]`: the tests that `npm test` has no time for (test/long). */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { longProject } from "../../scripts/dev/test-parts.ts";
import { root } from "../harness/process.ts";

/** @returns the exit status */
export async function runLong(
  names: readonly string[],
  { signal }: { readonly signal: AbortSignal },
): Promise<number> {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const child = spawn(process.execPath, [vitest, "run", "--project", longProject, ...names], {
    cwd: root,
    stdio: "inherit",
  });
  // A terminal's Ctrl-C reaches it directly.
  signal.addEventListener("abort", () => process.stdin.isTTY || child.kill("SIGINT"), { once: true });
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 130));
  });
}
