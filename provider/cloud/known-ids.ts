/** Under which ids a search of the account finds what a state has. */

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
  const { name } = (outputs ?? {}) as { name?: unknown };
  const isList = typeof securityGroupId === "string" && typeof name === "string";
  return isList ? [...ids, listIdOf(securityGroupId, name)] : ids;
}

/** @param has whether an id is known */
export function isKnown(
  { id, listId }: { readonly id: string; readonly listId?: string },
  has: (id: string) => boolean,
): boolean {
  return has(id) || (listId !== undefined && has(listId));
}
