/** A stack's state as the CLI keeps it on the disk: what is secret is encrypted there. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { stateFile } from "../../scripts/dev/state-file.ts";
import type { Workspace } from "../../scripts/dev/workspace.ts";

const resource = z.object({
  urn: z.string(),
  type: z.string(),
  id: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).optional(),
  outputs: z.record(z.string(), z.unknown()).optional(),
  dependencies: z.array(z.string()).optional(),
  initErrors: z.array(z.string()).optional(),
});
const checkpoint = z.object({
  checkpoint: z.object({
    latest: z
      .object({
        resources: z.array(resource).default([]),
        pending_operations: z.array(z.unknown()).default([]),
      })
      .nullish(),
  }),
});

export type Stored = z.output<typeof resource>;

export interface Checkpoint {
  /** The file as it is. */
  readonly text: string;
  readonly resources: readonly Stored[];
  readonly pending: readonly unknown[];
}

/** @throws Error where the stack has no state */
export function readCheckpoint(workspace: Workspace): Checkpoint {
  const text = readFileSync(stateFile(workspace), "utf8");
  const { latest } = checkpoint.parse(JSON.parse(text)).checkpoint;
  return { text, resources: latest?.resources ?? [], pending: latest?.pending_operations ?? [] };
}
