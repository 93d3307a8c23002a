/** A stack's state with what its run's commands need. */
import { capture } from "../process.ts";
import type { Workspace } from "../workspace.ts";

/**
 * @param env what the Pulumi CLI is run with
 * @returns what `pulumi stack export --show-secrets` prints; undefined where there is no such stack
 * @throws Error with what the CLI said
 */
export async function exportState(
  { root, stack }: Workspace,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const args = ["stack", "export", "--show-secrets"];
  const { code, stdout, stderr } = await capture("pulumi", args, { cwd: root, env });
  if (code === 0) return stdout;
  if (/no stack (?:named|selected)/.test(stderr)) return undefined;
  throw new Error(`stack ${stack} can not be read: ${stderr.trim()}`);
}
