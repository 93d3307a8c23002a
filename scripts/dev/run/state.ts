/** A stack's state with what its run's commands need. */
import { z } from "zod";
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

const resource = z.object({
  urn: z.string(),
  type: z.string(),
  id: z.string().default(""),
  parent: z.string().default(""),
  /** When it was changed last. */
  modified: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).default({}),
  outputs: z.record(z.string(), z.unknown()).default({}),
});
const exported = z.object({
  deployment: z.object({ resources: z.array(resource).default([]) }).nullish(),
});
export type Resource = z.output<typeof resource>;

/** @param stateText what `pulumi stack export` prints */
export function resourcesIn(stateText: string): Resource[] {
  return exported.parse(JSON.parse(stateText)).deployment?.resources ?? [];
}

/** A secret stands in the state as an object with its text as JSON. */
const secret = z.object({ plaintext: z.string() });

/** @param value of a state that was exported with `--show-secrets` */
export function revealed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== "object" || value === null) return value;
  const hidden = secret.safeParse(value);
  if (hidden.success) return revealed(JSON.parse(hidden.data.plaintext));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, revealed(item)]));
}
