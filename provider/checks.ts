/** What the RPCs of a resource do with plain values, without the cloud. */
import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import type { AnyResource, Problem } from "./resource.ts";
import { hasUnknown, type Properties, unknownValue } from "./rpc/values.ts";

export interface Checked {
  readonly inputs: Properties;
  readonly failures: readonly Problem[];
}

/**
 * Checks inputs property by property, so that all problems come at once and an unknown value in a preview hides none of
 * the others. Defaults are filled in.
 */
export function checkInputs(definition: AnyResource, news: Properties): Checked {
  const shape = definition.inputs.shape as Record<string, z.ZodType>;
  const inputs: Properties = {};
  const failures: Problem[] = [];
  for (const name of Object.keys(news)) {
    if (!(name in shape)) {
      failures.push({
        property: name,
        reason: `"${name}" is not a property; allowed: ${Object.keys(shape).join(", ")}`,
      });
    }
  }
  for (const [name, type] of Object.entries(shape)) {
    const value = news[name] ?? undefined;
    if (hasUnknown(value)) {
      inputs[name] = value;
      continue;
    }
    const parsed = type.safeParse(value);
    if (parsed.success) {
      if (parsed.data !== undefined) inputs[name] = parsed.data;
      continue;
    }
    for (const issue of parsed.error.issues) {
      const path = [name, ...issue.path.map(String)].join(".");
      const given = definition.secrets?.includes(name)
        ? ""
        : ` (given: ${JSON.stringify(value) ?? "nothing"})`;
      failures.push({ property: name, reason: `${path}: ${issue.message}${given}` });
    }
  }
  if (failures.length === 0 && definition.check !== undefined && !hasUnknown(inputs)) {
    failures.push(...definition.check(inputs));
  }
  return { inputs, failures };
}

export interface Difference {
  readonly property: string;
  readonly kind: "add" | "delete" | "update";
  readonly replace: boolean;
}

/** Compares inputs with inputs: what the program said last time and says now. */
export function diffInputs(
  definition: AnyResource,
  olds: Properties,
  news: Properties,
): readonly Difference[] {
  const replaceOn: readonly string[] = definition.replaceOn;
  return Object.keys(definition.inputs.shape)
    .filter((name) => !isDeepStrictEqual(olds[name], news[name]))
    .map((property) => ({
      property,
      kind: olds[property] === undefined ? "add" : news[property] === undefined ? "delete" : "update",
      replace: replaceOn.includes(property) || definition.update === undefined,
    }));
}

/** Inputs and outputs of a preview: what a create will give is not known yet. */
export function previewProperties(definition: AnyResource, inputs: Properties): Properties {
  const outputs = Object.keys(definition.outputs.shape).map((name) => [name, unknownValue] as const);
  return { ...Object.fromEntries(outputs), ...inputs };
}

/** Splits what state holds into the definition's inputs and outputs. */
export function splitState(definition: AnyResource, properties: Properties) {
  const pick = (shape: object) =>
    Object.fromEntries(Object.entries(properties).filter(([name, value]) => name in shape && value !== null));
  return { inputs: pick(definition.inputs.shape), outputs: pick(definition.outputs.shape) };
}
