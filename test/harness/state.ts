/** The state of a stack, read from the file in which the CLI keeps it. */
import { readJson, stateFile } from "../../scripts/dev/state-file.ts";
import type { Workspace } from "../../scripts/dev/workspace.ts";

/** A resource of the state. */
export interface Stored {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** URNs. */
  readonly dependencies?: readonly string[];
  readonly initErrors?: readonly string[];
}

interface StateFile {
  readonly checkpoint: { readonly latest?: { readonly resources?: readonly (Stored & Times)[] } };
}

interface Times {
  readonly created?: string;
  readonly modified?: string;
}

/** Every resource, without the times at which it was written. @throws Error where there is no state */
export function storedIn(workspace: Workspace): Stored[] {
  const state = readJson(stateFile(workspace)) as StateFile | undefined;
  if (state === undefined) throw new Error(`${stateFile(workspace)} holds no state`);
  const { resources = [] } = state.checkpoint.latest ?? {};
  return resources.map(({ created: _created, modified: _modified, ...stored }) => stored);
}

/** The stack's outputs. */
export function outputsOf(workspace: Workspace): unknown {
  return storedIn(workspace).find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs ?? {};
}
