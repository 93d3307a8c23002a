/** The parts of `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`. */

/** E.g. `qingcloud:cloud:Eip`. */
export function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}

export function logicalNameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** Stack and project: together they are unique in a backend. */
export function stackAndProjectOf(urn: string): string {
  return urn.split("::").slice(0, 2).join("::");
}
