/** Advice about resources of this stack that are in another's way: a run that was killed may have left them. */
import type { Named } from "../resource.ts";
import { digitsOf, markIn } from "./naming.ts";

/** `npm run sweep` for a stack of this project. */
export function sweepCommand(stack: string, ...options: readonly string[]): string {
  const all = [...(stack === "dev" ? [] : ["--stack", stack]), ...options];
  return ["npm run sweep", ...(all.length === 0 ? [] : ["--", ...all])].join(" ");
}

/** Those whose name bears the mark. */
export function marked(mark: string | undefined, found: readonly Named[]): Named[] {
  return found.filter(({ name }) => mark !== undefined && markIn(name) === digitsOf(mark));
}

/**
 * A sentence for an error, with the space before it.
 * @param urn of any of the stack's resources
 * @param own what bears the stack's mark; empty where nothing does
 */
export function sweepAdvice(urn: string, own: readonly Named[]): string {
  if (own.length === 0) return "";
  const listed = own.map(({ id, name }) => `${id} (${name})`).join(", ");
  return ` The name of ${listed} bears this stack's mark: if a run that was killed has left it and no state knows it, ${sweepWords(urn)}; then run the same command again.`;
}

/** E.g. "`npm run sweep` lists it and `npm run sweep -- --yes` removes it". */
export function sweepWords(urn: string): string {
  return `\`${sweepOf(urn)}\` lists it and \`${sweepOf(urn, "--yes")}\` removes it`;
}

/** `npm run sweep` for the stack of a resource. */
export function sweepOf(urn: string, ...options: readonly string[]): string {
  const stack = urn.split("::")[0]?.slice("urn:pulumi:".length) ?? "";
  return sweepCommand(stack, ...options);
}
