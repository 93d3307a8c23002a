/** Between typed requests and the flat string parameters of the wire. */
import { z } from "zod";
import type { Parameters } from "./signature.ts";

type Raw = Record<string, unknown>;

/** Flattens a request: lists become `name.1`, objects in lists `name.1.field`; absent values are left out. */
export function toParameters(request: Raw): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const [name, value] of Object.entries(request)) {
    if (value === undefined || value === null) continue;
    if (Array.isArray(value)) {
      value.forEach((item: unknown, index) => {
        const prefix = `${name}.${index + 1}`;
        if (typeof item === "object" && item !== null) {
          for (const [field, scalar] of Object.entries(item)) {
            if (scalar !== undefined) parameters[`${prefix}.${field}`] = String(scalar);
          }
        } else parameters[prefix] = String(item);
      });
    } else parameters[name] = String(value);
  }
  return parameters;
}

/**
 * Reads flat parameters into the shape of an action's request, ready for its schema to check: numbers where the schema
 * has numbers, lists in index order (1-based or 0-based), empty values absent as the official clients mean them.
 * @param keepEmpty names whose explicit empty value has a meaning (`eip` of ModifyRouterAttributes: unbind)
 */
export function fromParameters(
  schema: z.ZodObject,
  parameters: Parameters,
  keepEmpty: ReadonlySet<string> = new Set(),
): Raw {
  const raw: Raw = {};
  for (const [name, field] of Object.entries(schema.shape)) {
    const type = unwrap(field as z.ZodType);
    if (type instanceof z.ZodArray) {
      const list = readList(name, unwrap(type.element as z.ZodType), parameters);
      if (list.length > 0) raw[name] = list;
      continue;
    }
    const value = parameters[name];
    if (value === undefined || (value === "" && !keepEmpty.has(name))) continue;
    raw[name] = scalar(type, value);
  }
  return raw;
}

function readList(name: string, element: z.ZodType, parameters: Parameters): unknown[] {
  const items = new Map<number, unknown>();
  const pattern = new RegExp(`^${name}\\.(\\d{1,4})(?:\\.([A-Za-z0-9_]+))?$`);
  for (const [key, value] of Object.entries(parameters)) {
    // Some clients send what they take for one value under the bare name.
    const [, index, field] = key === name ? ["", "0"] : (pattern.exec(key) ?? []);
    if (index === undefined || value === "") continue;
    if (element instanceof z.ZodObject) {
      const type = field === undefined ? undefined : (element.shape[field] as z.ZodType | undefined);
      if (field === undefined || type === undefined) continue;
      const item = (items.get(Number(index)) ?? {}) as Raw;
      item[field] = scalar(unwrap(type), value);
      items.set(Number(index), item);
    } else if (field === undefined) items.set(Number(index), scalar(element, value));
  }
  return [...items.entries()].sort(([a], [b]) => a - b).map(([, item]) => item);
}

function unwrap(type: z.ZodType): z.ZodType {
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault || type instanceof z.ZodNullable) {
    return unwrap(type.unwrap() as z.ZodType);
  }
  return type;
}

function scalar(type: z.ZodType, value: string): unknown {
  return isNumeric(type) && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
}

function isNumeric(type: z.ZodType): boolean {
  if (type instanceof z.ZodNumber) return true;
  if (type instanceof z.ZodUnion) return type.options.every((option) => isNumeric(option as z.ZodType));
  return type instanceof z.ZodLiteral && [...type.values].every((value) => typeof value === "number");
}
