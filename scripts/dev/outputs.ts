/** The stack's outputs, without a run of the CLI where its state is this checkout's. */
import { succeed } from "./process.ts";
import { backendUrl } from "./stack.ts";
import { readState, type StoredState } from "./state-file.ts";
import type { Workspace } from "./workspace.ts";

/** The engine's mark of a secret: https://github.com/pulumi/pulumi, sdk/go/common/resource/sig/sig.go. */
const signature = "4dabf18193072939515e22adb298388d";

/**
 * The output of `pulumi stack output --json`: secrets are hidden.
 * @throws Error with the CLI's words where it has to be asked and cannot say
 */
export async function stackOutputs(workspace: Workspace, environment: NodeJS.ProcessEnv): Promise<unknown> {
  const isOurs = environment.PULUMI_BACKEND_URL === backendUrl(workspace);
  const state = isOurs ? readState(workspace) : undefined;
  if (state !== undefined) return outputsIn(state.resources ?? []);
  const options = { cwd: workspace.root, env: environment };
  return JSON.parse((await succeed("pulumi", ["stack", "output", "--json"], options)).stdout);
}

/** @param resources those of a state */
export function outputsIn(resources: NonNullable<StoredState["resources"]>): unknown {
  return hideSecrets(resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs ?? {});
}

function hideSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hideSecrets);
  if (typeof value !== "object" || value === null) return value;
  if (signature in value) return "[secret]";
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, hideSecrets(item)]));
}
