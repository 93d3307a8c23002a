/** Looking resources up by id or by name: one function for every resource that has a name, made of its description. */
import { z } from "zod";
import { secretsOf, without } from "../checks.ts";
import type { AnyFunction } from "../function.ts";
import { type AnyResource, idsNamed, type Named } from "../resource.ts";
import { zoneInput } from "./naming.ts";

/** `qingcloud:cloud:getEip` of `qingcloud:cloud:Eip`. */
export function lookupToken(type: string): string {
  return type.replace(/:(\w+)$/, ":get$1");
}

/** The function that looks up a resource of this kind. */
export function lookupFunction(definition: AnyResource): AnyFunction {
  const [, , kind = ""] = definition.type.split(":");
  const { search } = definition;
  const { secrets = [], bookkeeping = [] } = definition;
  if (search === undefined) throw new Error(`${definition.type} cannot be looked up: it has no \`search\`.`);
  return {
    token: lookupToken(definition.type),
    description: `Looks up a resource that exists, by \`id\` or by its exact \`name\`; secrets stay out. ${definition.description}`,
    arguments: z.strictObject({
      zone: zoneInput,
      id: z.string().min(1).optional().describe("Its id; else `name`."),
      name: z.string().min(1).optional().describe("Its exact name in the console; else `id`."),
    }),
    result: z.object({
      id: z.string().describe("Its id."),
      ...without(definition.inputs, ["mark", ...secrets]).partial().shape,
      ...without(definition.outputs, bookkeeping).shape,
    }),

    async call(context, given) {
      const { zone, id, name } = given as { zone: string; id?: string; name?: string };
      if ((id === undefined) === (name === undefined)) {
        throw new Error(`get${kind}: give either id or name (given: ${JSON.stringify({ id, name })}).`);
      }
      const found = id ?? onlyOne(kind, zone, name ?? "", await search(context, zone, name ?? ""));
      const state = await definition.read({ ...context, importZone: () => zone }, found, undefined);
      if (state === undefined) {
        throw new Error(
          `There is no ${kind} "${found}" in zone ${zone} of this account. Correct the id or the zone; the console shows both.`,
        );
      }
      const untold = new Set([...secretsOf(definition, state.inputs), ...bookkeeping]);
      const told = Object.entries({ ...state.inputs, ...state.outputs }).filter(
        ([name]) => !untold.has(name),
      );
      return { ...Object.fromEntries(told), id: found };
    },
  };
}

function onlyOne(kind: string, zone: string, name: string, all: readonly Named[]): string {
  const found = idsNamed(
    all.filter(({ isInBin }) => isInBin !== true),
    name,
  );
  const [id] = found;
  if (id !== undefined && found.length === 1) return id;
  const told =
    found.length === 0 ? "There is no" : `There are ${found.length} (${found.join(", ")}), not one`;
  throw new Error(
    `${told} ${kind} named "${name}" in zone ${zone} of this account. Names are exact; where there are several, give the id.`,
  );
}
