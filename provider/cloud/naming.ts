/** Where a resource is and what it is called in the cloud. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { logicalNameOf, stackAndProjectOf } from "../urn.ts";

/** Left out in a program it is the provider's; check fills it in, so that every later step has it. */
export const zoneInput = z
  .string()
  .min(1)
  .optional()
  .transform((zone) => zone as string)
  .describe("Zone id, e.g. `pek3a`; default the provider's `zone`.");

/** Inputs of every resource that has a name. */
export const named = {
  zone: zoneInput,
  name: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe(
      "Name in the console; one that is given must be free. By default made of `mark` and the URN, so that a lost resource is found again.",
    ),
  mark: z.string().optional().describe("`value` of the stack's StackMark."),
};

/** For kinds that others hold: the old one can go only when the new one is in its place. */
export const generationInput = z
  .string()
  .min(1)
  .optional()
  .describe("Another text makes another one, which takes the place of the present one, e.g. `2`.");

export const nameOutput = { name: z.string().describe("Name in the console.") };

export interface Names {
  readonly name?: string | undefined;
  readonly mark?: string | undefined;
}

/**
 * The name that identifies the resource in the cloud: unique to stack and URN, and the same in every run.
 * @param content told apart too, for kinds whose replacement lives beside the old one for a while
 */
export function physicalName(urn: string, inputs: Names, content = ""): string {
  if (inputs.name !== undefined) return inputs.name;
  return [logicalNameOf(urn), digitsOf(inputs.mark), digest(urn + content)]
    .filter((part) => part !== undefined)
    .join("-");
}

/**
 * A StackMark's `value`.
 * @param isSwept what bears it and is in no state goes with the stack
 * @param urn of any of the stack's resources: in a copy of the state, which is another stack's, the same value means nothing
 */
export function markOf(digits: string, isSwept: boolean, urn: string): string {
  return isSwept ? `${digits}+sweep-${digest(stackAndProjectOf(urn))}` : digits;
}

/** The part of a mark that names hold. */
export function digitsOf<Mark extends string | undefined>(mark: Mark): Mark {
  return mark?.split("+")[0] as Mark;
}

/** Whether a mark is another stack's than that of the URN: the state was copied, or the stack has another name by now. */
export function isOfAnotherStack(mark: string, urn: string): boolean {
  return mark.includes("+sweep-") && !isSwept(mark, urn);
}

/** Whether what bears a mark and is in no state goes with the stack that the URN is of. */
export function isSwept(mark: unknown, urn: string): boolean {
  return typeof mark === "string" && mark === markOf(digitsOf(mark), true, urn);
}

/**
 * Whether a resource of the type with the same parent has this name, in the stack with the mark.
 * @param urn another resource's
 */
export function isNameOfSibling(type: string, urn: string, mark: string | undefined, name: string): boolean {
  if (mark === undefined) return false;
  const logicalName = name.slice(0, -`-${digitsOf(mark)}-${digest("")}`.length);
  const qualified = urn.slice(0, urn.lastIndexOf("::"));
  const parents = qualified.slice(
    0,
    Math.max(qualified.lastIndexOf("$") + 1, qualified.lastIndexOf("::") + 2),
  );
  return physicalName(`${parents}${type}::${logicalName}`, { mark }) === name;
}

/** The digits of the stack's mark in a name that was made of it; undefined of a name that somebody has given. */
export function markIn(name: string): string | undefined {
  return (/-([0-9a-f]{8})-[0-9a-f]{8}$/.exec(name) ?? /^([0-9a-f]{8})-[0-9a-f]{5}$/.exec(name))?.[1];
}

/** The logical name in a name that was made of it and of a mark; undefined of any other. */
export function logicalNameIn(name: string): string | undefined {
  return /^(.+)-[0-9a-f]{8}-[0-9a-f]{8}$/.exec(name)?.[1];
}

/** The longest name that `shortName` makes. */
export const shortLength = 14;

/** As `physicalName`, for kinds whose names the API keeps short. */
export function shortName(urn: string, inputs: Names): string {
  if (inputs.name !== undefined) return inputs.name;
  if (inputs.mark === undefined) return oldShortName(urn, inputs);
  return `${digitsOf(inputs.mark)}-${digest(urn).slice(0, 5)}`;
}

/** The short name before it held the mark, and without a mark. */
export function oldShortName(urn: string, inputs: Names): string {
  const logicalName = logicalNameOf(urn);
  const suffix = `-${digest(`${digitsOf(inputs.mark) ?? ""} ${urn}`)}`;
  return `${logicalName.slice(0, shortLength - suffix.length)}${suffix}`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

/** A resource that was imported by its name, and now gets the same one from its mark, has not changed. */
export function sameName(
  property: string,
  state: { readonly outputs: Names },
  news: Names,
  urn: string,
  content = "",
): boolean {
  return (
    (property === "name" || property === "mark") && state.outputs.name === physicalName(urn, news, content)
  );
}

/** The inputs of `named` as a read finds them: a name that was made, not given, stays out, and so does none at all. */
export function namedAsRead(
  known: Names | undefined,
  zone: string,
  found: string,
): { zone: string; name?: string; mark?: string } {
  return {
    zone,
    ...(known?.mark === undefined ? {} : { mark: known.mark }),
    ...(found === "" || (known !== undefined && known.name === undefined) ? {} : { name: found }),
  };
}
