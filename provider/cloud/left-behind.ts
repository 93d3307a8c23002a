/** Advice about resources of this stack that are in another's way: a run that was killed may have left them. */
import type { Context, Named } from "../resource.ts";
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
 * Sentences for an error, with the space before them, about what is in the way and bears the stack's mark. What the run has
 * met is in the state: sweep would not touch it.
 * @param own what bears the mark; nothing is said where it is empty
 */
export function adviceAbout({ session, urn }: Context, own: readonly Named[]): string {
  const [known, unknown] = [true, false].map((isMet) =>
    own
      .filter(({ id }) => session.hasMet(id) === isMet)
      .map(({ id, name }) => `${id} (${name})`)
      .join(", "),
  );
  return [
    ...(known
      ? [
          ` ${known} is this stack's own, and this run has it: change one of the two, or, if a run that was cut off has left the state behind the cloud, run \`up --refresh\`.`,
        ]
      : []),
    ...(unknown
      ? [
          ` The name of ${unknown} bears this stack's mark: if the state has it under another name, give the resource that name in an alias, or take it out of the program for one \`up\`; if a run that was killed has left it and no state knows it, ${sweepWords(urn)}; then run the same command again.`,
        ]
      : []),
  ].join("");
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
