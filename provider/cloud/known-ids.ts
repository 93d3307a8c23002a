/** Under which ids a search of the account finds what a state has. */
import { type Names, physicalName } from "./naming.ts";

/** In the properties of a resource whose last update did not end: the URN that it had then. The inputs are what was wanted. */
export const updatingAs = "__updatingAs";

export const ruleListType = "qingcloud:cloud:SecurityGroupRules";

/** Id of a list of rules, and of each of them as one of a list. */
export function listIdOf(groupId: string, name: string): string {
  return `${groupId}/${name}`;
}

interface Stored {
  readonly type: string;
  readonly id?: string | undefined;
  readonly inputs?: unknown;
  readonly outputs?: unknown;
}

/** A list keeps its id under another name, by which its rules are found. */
export function idsOf({ type, id, inputs, outputs }: Stored): string[] {
  const ids = id === undefined ? [] : [id];
  if (type !== ruleListType) return ids;
  const { securityGroupId } = (inputs ?? {}) as { securityGroupId?: unknown };
  const { name, [updatingAs]: urn } = (outputs ?? {}) as { name?: unknown; [updatingAs]?: unknown };
  if (typeof securityGroupId !== "string") return ids;
  // A renaming that did not end.
  const other = typeof urn === "string" ? physicalName(urn, inputs as Names) : undefined;
  const names = [name, other].filter((each) => typeof each === "string");
  return [...ids, ...names.map((each) => listIdOf(securityGroupId, each))];
}

/** @param has whether an id is known */
export function isKnown(
  { id, listId }: { readonly id: string; readonly listId?: string },
  has: (id: string) => boolean,
): boolean {
  return has(id) || (listId !== undefined && has(listId));
}
