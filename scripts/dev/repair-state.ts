/** The state after a CLI that was killed, or a replacement that made nothing new: what they left is done, or taken out. */
import { appendFileSync, existsSync, renameSync, rmSync } from "node:fs";
import { ruleListType } from "../../provider/cloud/known-ids.ts";
import { isPartial } from "../../provider/engine-command.ts";
import { logicalNameOf } from "../../provider/urn.ts";
import { succeed } from "./process.ts";
import { behindFile, marksInState, readState, type StoredState, stackMarksIn } from "./state-file.ts";
import type { Workspace } from "./workspace.ts";

/** URNs of creates that a killed CLI left unfinished: the cloud may have made them, and the state knows no id. */
export function pendingCreates(workspace: Workspace): string[] {
  return (readState(workspace)?.pending_operations ?? [])
    .filter(({ type }) => type === "creating")
    .map(({ resource }) => resource.urn);
}

/** Whether the last run was killed while it changed or deleted something. */
function wasKilled(workspace: Workspace): boolean {
  const pending = readState(workspace)?.pending_operations ?? [];
  return pending.some(({ type }) => type === "updating" || type === "deleting");
}

/** Any command that writes the state makes it forget that: it is kept apart. */
export function noteCutOff(workspace: Workspace): void {
  if (wasKilled(workspace)) appendFileSync(behindFile(workspace), "");
}

/** Whether the cloud may have what the state does not know of a change or a deletion that did not end. */
export function isBehind(workspace: Workspace): boolean {
  return wasKilled(workspace) || existsSync(behindFile(workspace));
}

/** Whether the command compares the state with the cloud first. */
export function isRefreshing(args: readonly string[]): boolean {
  return args.some((arg) => /^(-r|--refresh(=true)?)$/.test(arg));
}

/** Options that say whether to refresh, or name a resource to replace, which a refresh could take out of the state. */
const ownRefresh = /^(-r$|--(refresh|replace)(=|$))/;

/** Options by which an `up` looks what such a run has changed: the state has what was before. */
export function refreshAfterCut(args: readonly string[], workspace: Workspace): string[] {
  const isOwn = isPartial(args) || args.some((arg) => ownRefresh.test(arg));
  return existsSync(behindFile(workspace)) && !isOwn ? ["--refresh"] : [];
}

/** Once the whole stack was compared with the cloud, or is gone. */
export function forgetCutOff(workspace: Workspace): void {
  rmSync(behindFile(workspace), { force: true });
}

/** A stack that gets another name keeps it. */
export function moveCutOff(workspace: Workspace, name: string): void {
  if (existsSync(behindFile(workspace)))
    renameSync(behindFile(workspace), behindFile({ ...workspace, stack: name }));
}

/** Whether the stack's mark, deleted last, removes what the state does not know: unfinished creates, too. */
export function isSweeping(workspace: Workspace): boolean {
  return stackMarksIn(readState(workspace)?.resources ?? []).some(({ inputs }) => inputs?.sweep === true);
}

/** Environment by which the provider knows all marks of the state; empty where there is one at most. */
export function severalMarks(workspace: Workspace): Record<string, string> {
  const digits = marksInState(workspace);
  return digits.length > 1 ? { CROSSZONE_MARKS: digits.join(" ") } : {};
}

/** Once an `up` or a destroy has succeeded, pending creates have been adopted or removed, or are reported: the state need not remember them. */
export async function clearPendingCreates(
  workspace: Workspace,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  if (pendingCreates(workspace).length === 0) return;
  await editState(workspace, environment, ({ pending_operations: _, ...rest }) => rest);
}

type Resources = NonNullable<StoredState["resources"]>;

/**
 * Entries that are to be deleted although they live: a replacement that found the old resource by its name has left them, and
 * the cloud would refuse to delete, or would delete, what the stack uses.
 */
export function keptDeletions({ resources = [] }: StoredState): Resources {
  const identity = ({ type, id }: Resources[number]) => `${type} ${id}`;
  const living = new Set(resources.filter((each) => each.delete !== true).map(identity));
  return resources.filter(
    (each) => each.delete === true && each.id !== undefined && living.has(identity(each)),
  );
}

/**
 * A run with --target does not know that another entry has what it deletes.
 * @throws Error where two entries that live have one id, e.g. after an import under a second name
 */
export function refuseDoubled(workspace: Workspace): void {
  const entries = new Map<string, string>();
  for (const { type, id, urn, ...is } of readState(workspace)?.resources ?? []) {
    const isOther = is.delete === true || is.external === true || is.pendingReplacement === true;
    // A list of rules keeps its id under another name.
    if (id === undefined || isOther || !type.startsWith("qingcloud:cloud:") || type === ruleListType)
      continue;
    const other = entries.get(`${type} ${id}`);
    if (other !== undefined)
      throw new Error(
        `The state has ${id} twice, as ${logicalNameOf(other)} and as ${logicalNameOf(urn)}, so a run with --target or --exclude could delete what the other one has. Run \`up\` as a whole with one of them in the program, or take one out of the state, which deletes nothing: npm run pulumi -- state delete '${urn}'${workspace.stack === "dev" ? "" : ` --stack ${workspace.stack}`}`,
      );
    entries.set(`${type} ${id}`, urn);
  }
}

/** @returns what was done, for the user */
export async function forgetKeptDeletions(
  workspace: Workspace,
  environment: NodeJS.ProcessEnv,
): Promise<string[]> {
  const found = keptDeletions(readState(workspace) ?? {});
  if (found.length === 0) return [];
  await editState(workspace, environment, ({ resources = [], ...rest }) => {
    const kept = new Set(keptDeletions({ resources }));
    return { ...rest, resources: resources.filter((each) => !kept.has(each)) };
  });
  return found.map(({ urn }) => `the state no longer wants ${urn} deleted, which lives`);
}

async function editState(
  workspace: Workspace,
  environment: NodeJS.ProcessEnv,
  edit: (state: StoredState) => StoredState,
): Promise<void> {
  const options = { cwd: workspace.root, env: environment };
  const { stdout } = await succeed("pulumi", ["stack", "export"], options);
  const exported = JSON.parse(stdout) as { deployment: StoredState };
  const stdin = JSON.stringify({ ...exported, deployment: edit(exported.deployment) });
  await succeed("pulumi", ["stack", "import"], { ...options, stdin });
}
