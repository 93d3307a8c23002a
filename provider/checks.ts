/** What the RPCs of a resource do with plain values, without the cloud. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { AnyResource, AnyState, Problem } from "./resource.ts";
import { hasUnknown, type Properties, unknownValue } from "./rpc/values.ts";

export interface Checked {
  readonly inputs: Properties;
  readonly failures: Problem[];
}

/**
 * Checks inputs property by property, so that all problems come at once and an unknown value in a preview hides none of
 * the others. Defaults are filled in.
 */
export function checkInputs(definition: AnyResource, news: Properties): Checked {
  const shape = definition.inputs.shape as Record<string, z.ZodType>;
  const secrets = secretsOf(definition, news);
  const inputs: Properties = {};
  const failures: Problem[] = [];
  /** Properties that no rule can be asked about. */
  const open = new Set<string>();
  for (const name of Object.keys(news)) {
    if (name in shape) continue;
    const allowed = Object.keys(shape).join(", ") || "none";
    failures.push({ property: name, reason: `"${name}" is not a property; allowed: ${allowed}` });
  }
  for (const [name, type] of Object.entries(shape)) {
    const value = news[name] ?? undefined;
    const parsed = type.safeParse(value);
    if (hasUnknown(value)) {
      inputs[name] = value;
      open.add(name);
    } else if (parsed.success) {
      if (parsed.data !== undefined) inputs[name] = parsed.data;
    } else open.add(name);
    for (const { path, message } of parsed.error?.issues.flatMap((issue) => findings(type, issue)) ?? []) {
      // Nothing can be said of what is not known yet.
      if (hasUnknown(valueAt(value, path))) continue;
      const property = pathOf(name, path);
      const given = secrets.has(name) ? "" : ` (given: ${JSON.stringify(valueAt(value, path)) ?? "nothing"})`;
      failures.push({ property, reason: `${property}: ${message}${given}` });
    }
  }
  for (const { reads, problems } of definition.rules ?? []) {
    if (!reads.some((name) => open.has(name))) failures.push(...problems(inputs));
  }
  return { inputs, failures };
}

/** Names of the properties that are encrypted in state and shown nowhere. */
export function secretsOf(definition: AnyResource, inputs: Properties): ReadonlySet<string> {
  return new Set([...(definition.secrets ?? []), ...(definition.secretsAmong?.(inputs) ?? [])]);
}

interface Finding {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** An issue with what is allowed; each property that should not be there is one of its own. */
function findings(type: z.ZodType, issue: z.core.$ZodIssue): Finding[] {
  const { path, message } = issue;
  if (issue.code === "unrecognized_keys") {
    const allowed = allowedAt(type, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `is not a property; allowed: ${allowed.join(", ")}`,
    }));
  }
  // A union without a message of its own says nothing.
  const isBare = issue.code === "invalid_union" && message === "Invalid input";
  const options = isBare ? issue.errors.flat() : [];
  const values = options.flatMap((each) => (each.code === "invalid_value" ? each.values : []));
  if (values.length === 0 || values.length < options.length) return [{ path, message }];
  return [{ path, message: `must be one of ${values.map(String).join(", ")}` }];
}

/** Names of the properties of the object at a path. */
function allowedAt(type: unknown, path: readonly PropertyKey[]): string[] {
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault) return allowedAt(type.unwrap(), path);
  const [first, ...rest] = path;
  if (type instanceof z.ZodArray) return allowedAt(type.element, rest);
  if (!(type instanceof z.ZodObject)) return [];
  return first === undefined ? Object.keys(type.shape) : allowedAt(type.shape[String(first)], rest);
}

/** An object's description without some of its properties. */
export function without(schema: z.ZodObject, names: readonly string[]): z.ZodObject {
  const kept = Object.entries(schema.shape).filter(([name]) => !names.includes(name));
  return z.object(Object.fromEntries(kept));
}

/** A path as Pulumi writes it, e.g. `rules[0].fromPort`. */
function pathOf(name: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : `${text}.${String(part)}`),
    name,
  );
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (part, key) => (typeof part === "object" && part !== null ? Reflect.get(part, key) : undefined),
    value,
  );
}

export interface Difference {
  /** Of the resource. */
  readonly property: string;
  readonly replace: boolean;
  /** Where in the property, and what happens there. */
  readonly details: readonly Detail[];
}

interface Detail {
  readonly path: string;
  readonly kind: "add" | "delete" | "update";
}

/** Compares what the program said last time, or a refresh has found, with what it says now. */
export function diffInputs(
  definition: AnyResource,
  urn: string,
  state: AnyState,
  news: Properties,
): readonly Difference[] {
  const { inputs: olds } = state;
  const secrets = secretsOf(definition, { ...olds, ...news });
  const replaced = new Set([
    ...definition.replaceOn.filter((name) => definition.isInPlace?.(name, state) !== true),
    ...(definition.replaces?.(state, news) ?? []),
  ]);
  return Object.keys(definition.inputs.shape)
    .filter(
      (name) =>
        !isDeepStrictEqual(olds[name], news[name]) ||
        isNameOld(definition, name, urn, state, news) ||
        definition.outdated?.(name, state, urn) !== undefined,
    )
    .filter((name) => hasUnknown(news[name]) || definition.isSame?.(name, state, news, urn) !== true)
    .map((property) => ({
      property,
      replace:
        replaced.has(property) ||
        definition.update === undefined ||
        definition.outdated?.(property, state, urn) === "replace",
      details: secrets.has(property)
        ? [{ path: property, kind: kindOf(olds[property], news[property]) }]
        : compare(property, olds[property], news[property]),
    }))
    .map((each) =>
      each.details.length > 0 ? each : { ...each, details: [{ path: each.property, kind: "update" }] },
    );
}

/**
 * Whether a name that is made of mark and URN is not the one in the cloud: the resource has another URN by now, or somebody
 * has renamed it. A lost one is found by its name, and what is made later under the old URN must not be taken for it.
 */
function isNameOld(
  definition: AnyResource,
  property: string,
  urn: string,
  { inputs: olds, outputs }: AnyState,
  news: Properties,
): boolean {
  if (property !== "name" || outputs.name === undefined) return false;
  const isMade = olds.name === undefined && news.name === undefined && typeof news.mark === "string";
  return (
    isMade &&
    !hasUnknown(news.mark) &&
    definition.isSame?.("name", { inputs: olds, outputs }, news, urn) === false
  );
}

function kindOf(before: unknown, after: unknown): Detail["kind"] {
  return before === undefined ? "add" : after === undefined ? "delete" : "update";
}

function compare(path: string, before: unknown, after: unknown): Detail[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isComposite(before) || !isComposite(after) || Array.isArray(before) !== Array.isArray(after)) {
    return [{ path, kind: kindOf(before, after) }];
  }
  const isList = Array.isArray(before);
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    compare(isList ? `${path}[${key}]` : `${path}.${key}`, Reflect.get(before, key), Reflect.get(after, key)),
  );
}

function isComposite(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Inputs and outputs of a preview: what a create will give is not known yet. */
export function previewProperties(definition: AnyResource, inputs: Properties): Properties {
  const { bookkeeping = [] } = definition;
  const outputs = Object.keys(definition.outputs.shape)
    .filter((name) => !bookkeeping.includes(name))
    .map((name) => [name, unknownValue] as const);
  return { ...Object.fromEntries(outputs), ...inputs };
}

/** Inputs and outputs of an update that is previewed: outputs stay, but for those that the inputs say or that are measured. */
export function previewUpdate(definition: AnyResource, news: Properties, outputs: Properties): Properties {
  if (definition.isMeasured === true) return previewProperties(definition, news);
  return { ...outputs, ...news };
}

/** Splits what state holds into the definition's inputs and outputs. State need not keep a null: an output may be one. */
export function splitState(definition: AnyResource, properties: Properties): AnyState {
  const pick = (shape: object) =>
    Object.fromEntries(
      Object.keys(shape).flatMap((name) => {
        const value = properties[name] ?? null;
        return value === null ? [] : [[name, value]];
      }),
    );
  const nulls = Object.entries<z.ZodType>(definition.outputs.shape)
    .filter(([, schema]) => schema.safeParse(null).success)
    .map(([name]) => [name, null]);
  return {
    inputs: pick(definition.inputs.shape),
    outputs: { ...Object.fromEntries(nulls), ...pick(definition.outputs.shape) },
  };
}
