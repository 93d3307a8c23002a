/** The package's Pulumi schema, made of the descriptions. Source: Pulumi's package metaschema. */
import { z } from "zod";
import { without } from "./checks.ts";
import { configuration, packageVersion } from "./configuration.ts";
import type { AnyFunction } from "./function.ts";
import type { AnyResource } from "./resource.ts";

/** A property, or the items of a list, as Pulumi's schema has it. */
export interface PropertySpec {
  readonly type?: string;
  readonly $ref?: string;
  readonly items?: PropertySpec;
  readonly description?: string;
  readonly default?: string | number | boolean;
  readonly secret?: true;
  readonly willReplaceOnChanges?: true;
}

export interface ObjectSpec {
  readonly type: "object";
  readonly description?: string;
  readonly properties: Readonly<Record<string, PropertySpec>>;
  readonly required: readonly string[];
}

export interface ResourceSpec extends Omit<ObjectSpec, "type"> {
  readonly inputProperties: Readonly<Record<string, PropertySpec>>;
  readonly requiredInputs: readonly string[];
}

export interface FunctionSpec {
  readonly description: string;
  readonly inputs: ObjectSpec;
  readonly outputs: ObjectSpec;
}

export interface PackageSpec {
  readonly name: string;
  readonly version: string;
  readonly types: Readonly<Record<string, ObjectSpec>>;
  readonly resources: Readonly<Record<string, ResourceSpec>>;
  readonly functions: Readonly<Record<string, FunctionSpec>>;
  readonly config: { readonly variables: Readonly<Record<string, PropertySpec>> };
  readonly [name: string]: unknown;
}

/** What of JSON Schema the descriptions use. */
interface JsonSchema {
  /** With "null" beside it where a value may be null. */
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  /** The one value that is allowed. */
  readonly const?: unknown;
}

export function packageSchema(
  definitions: readonly AnyResource[],
  functions: readonly AnyFunction[],
): PackageSpec {
  const types: Record<string, ObjectSpec> = {};
  const settings = toObject(configuration, "qingcloud:config:", types);
  return {
    name: "qingcloud",
    displayName: "QingCloud",
    version: packageVersion,
    description: "QingCloud networks and GPU instances that train across zones, and the proof that they do.",
    keywords: ["pulumi", "qingcloud", "category/cloud", "kind/native"],
    meta: { moduleFormat: "(.*)" },
    config: { variables: settings.properties },
    provider: { description: "One account.", inputProperties: settings.properties },
    types,
    resources: Object.fromEntries(definitions.map((each) => [each.type, toResource(each, types)])),
    functions: Object.fromEntries(functions.map((each) => [each.token, toFunction(each, types)])),
  };
}

function toResource(definition: AnyResource, types: Record<string, ObjectSpec>): ResourceSpec {
  const { type, description, replaceOn, secrets = [], bookkeeping = [] } = definition;
  const inputs = toObject(definition.inputs, type, types);
  const outputs = toObject(without(definition.outputs, bookkeeping), type, types);
  const isReplacing = (name: string) => definition.update === undefined || replaceOn.includes(name);
  const marked = (properties: ObjectSpec["properties"]) =>
    Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [
        name,
        {
          ...property,
          ...(secrets.includes(name) ? { secret: true as const } : {}),
          ...(isReplacing(name) && name in inputs.properties ? { willReplaceOnChanges: true as const } : {}),
        },
      ]),
    );
  // An input with a default is in every state.
  const filledIn = Object.entries(inputs.properties).flatMap(([name, { default: value }]) =>
    value === undefined && name !== "zone" ? [] : [name],
  );
  return {
    description,
    inputProperties: marked(inputs.properties),
    requiredInputs: inputs.required,
    properties: marked({ ...inputs.properties, ...outputs.properties }),
    required: [...new Set([...inputs.required, ...filledIn, ...outputs.required])],
  };
}

function toFunction(described: AnyFunction, types: Record<string, ObjectSpec>): FunctionSpec {
  return {
    description: described.description,
    inputs: toObject(described.arguments, described.token, types),
    outputs: toObject(described.result, described.token, types),
  };
}

function toObject(schema: z.ZodObject, token: string, types: Record<string, ObjectSpec>): ObjectSpec {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" });
  return objectOf(json as JsonSchema, token, types);
}

function objectOf(json: JsonSchema, token: string, types: Record<string, ObjectSpec>): ObjectSpec {
  const properties = Object.entries(json.properties ?? {}).map(
    ([name, each]) => [name, toProperty(each, `${token}${capital(name)}`, types)] as const,
  );
  return {
    type: "object",
    ...(json.description === undefined ? {} : { description: json.description }),
    properties: Object.fromEntries(properties),
    required: [...(json.required ?? [])],
  };
}

/** @param token of the type that a nested object becomes */
function toProperty(json: JsonSchema, token: string, types: Record<string, ObjectSpec>): PropertySpec {
  const { description, default: value } = json;
  return {
    ...toType(json, token, types),
    ...(description === undefined ? {} : { description }),
    ...(["string", "number", "boolean"].includes(typeof value)
      ? { default: value as string | number | boolean }
      : {}),
  };
}

function toType(json: JsonSchema, token: string, types: Record<string, ObjectSpec>): PropertySpec {
  const [first] = (json.anyOf ?? []).filter(({ type }) => type !== "null");
  if (first !== undefined) return toType(first, token, types);
  const [type = "string"] = [json.type ?? []].flat().filter((each) => each !== "null");
  if (type === "array") return { type, items: toProperty(json.items ?? {}, `${token}Item`, types) };
  if (type !== "object") return { type: Number.isInteger(json.const) ? "integer" : type };
  types[token] = objectOf(json, token, types);
  return { $ref: `#/types/${token}` };
}

function capital(name: string): string {
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
}
