/** Requests of the API to fuzz it with, generated from the descriptions of its actions. */
import fc, { type Arbitrary } from "fast-check";
import { z } from "zod";
import type { Action } from "../../qingcloud/action.ts";
import { actionsByName } from "../../qingcloud/actions.ts";
import { coherent } from "./fuzz-coherent.ts";
import { anyId, nastyTexts, oneOf, secretMarker, textOf, type Value } from "./fuzz-values.ts";

export interface Plan {
  readonly action: string;
  readonly zone: string;
  readonly method: "GET" | "POST";
  /** Its ids are to be those of an earlier request that this one could undo, where there was one. */
  readonly follows: boolean;
  readonly parameters: readonly (readonly [string, Value])[];
}

/** A value that the type takes. */
function tidy(name: string, type: z.ZodType): Arbitrary<Value> {
  // A key of RSA takes the cloud a hundred times as long as any other request.
  if (name === "encrypt_method") {
    return oneOf(
      ...Array.from({ length: 8 }, () => "ssh-ed25519"),
      "ecdsa-sha2-nistp521",
      "ssh-dss",
      "ssh-rsa",
    );
  }
  if (type instanceof z.ZodEnum) return fc.constantFrom(...type.options.map(String));
  if (type instanceof z.ZodLiteral) return fc.constantFrom(...[...type.values].map(String));
  if (type instanceof z.ZodUnion)
    return fc.oneof(...type.options.map((option) => tidy(name, option as z.ZodType)));
  if (type instanceof z.ZodNumber) return numberOf(name, type);
  return textOf(name);
}

function numberOf(name: string, type: z.ZodNumber): Arbitrary<string> {
  if (name === "cpu") return oneOf("1", "2");
  if (name === "memory") return oneOf("1024", "2048");
  if (name === "size") return oneOf("10", "20", "30");
  if (name === "os_disk_size") return oneOf("20", "30");
  if (name === "gpu" || name === "gpu_class") return oneOf("0", "0", "1");
  if (name === "static_type") return oneOf("1", "1", "6", "7", "7", "8", "2");
  const minimum = Math.max(type.minValue ?? 0, 0);
  const maximum = Math.min(type.maxValue ?? 3, minimum + (name === "bandwidth" ? 60 : 3));
  return fc.integer({ min: minimum, max: maximum }).map(String);
}

function unwrap(type: z.ZodType): z.ZodType {
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault || type instanceof z.ZodNullable) {
    return unwrap(type.unwrap() as z.ZodType);
  }
  return type;
}

export type Entries = readonly (readonly [string, Value])[];
type Style = "tidy" | "wild";

function scalarOf(name: string, type: z.ZodType, style: Style): Arbitrary<Value> {
  if (style === "tidy") return tidy(name, type);
  return fc.oneof(
    { weight: 3, arbitrary: tidy(name, type) },
    { weight: 2, arbitrary: nastyTexts },
    { weight: 1, arbitrary: anyId },
  );
}

/** How the items of a list are numbered: from 1, and in ways that are not meant. */
const numbering: Readonly<Record<string, (name: string, index: number) => string>> = {
  "from 1": (name, index) => `${name}.${index + 1}`,
  "from 0": (name, index) => `${name}.${index}`,
  sparse: (name, index) => `${name}.${index * 37 + 5}`,
  padded: (name, index) => `${name}.0${index + 1}`,
  deep: (name, index) => `${name}.1.${index + 1}`,
  huge: (name, index) => `${name}.${99_990 + index}`,
  negative: (name, index) => `${name}.-${index}`,
  none: (name) => name,
};

function fieldOf(name: string, declared: z.ZodType, style: Style): Arbitrary<Entries> {
  const type = unwrap(declared);
  const isOptional = declared instanceof z.ZodOptional || declared instanceof z.ZodDefault;
  const some =
    type instanceof z.ZodArray
      ? listOf(name, type, style)
      : scalarOf(name, type, style).map((value) => [[name, value]] as Entries);
  // Without a type the key is of RSA.
  const isSeldomLeft = name === "encrypt_method";
  const presence = isSeldomLeft ? 9 : style === "tidy" ? (isOptional ? 3 : 10) : isOptional ? 4 : 8;
  return fc.oneof(
    { weight: presence, arbitrary: some },
    {
      weight: style === "tidy" && !isOptional ? 0 : 10 - Math.min(presence, 9),
      arbitrary: fc.constant<Entries>([]),
    },
  );
}

function listOf(name: string, type: z.ZodArray, style: Style): Arbitrary<Entries> {
  const element = unwrap(type.element as z.ZodType);
  const item: Arbitrary<Entries> =
    element instanceof z.ZodObject
      ? fc
          .tuple(
            ...Object.entries(element.shape).map(([field, inner]) =>
              fieldOf(field, inner as z.ZodType, style),
            ),
          )
          .map((fields) => fields.flat())
      : scalarOf(name, element, style).map((value) => [["", value]] as Entries);
  const styles = style === "tidy" ? ["from 1"] : ["from 1", "from 1", ...Object.keys(numbering)];
  return fc
    .tuple(
      fc.array(item, { minLength: style === "tidy" ? 1 : 0, maxLength: style === "tidy" ? 2 : 4 }),
      fc.constantFrom(...styles),
    )
    .map(([items, how]) =>
      items.flatMap((fields, index) =>
        fields.map(([field, value]) => {
          const key = numbering[how]?.(name, index) ?? name;
          return [field === "" ? key : `${key}.${field}`, value] as const;
        }),
      ),
    );
}

/** Parameters that are not meant: of other actions, of no action, of JavaScript. */
const strays: Arbitrary<Entries> = fc.array(
  fc.tuple(
    oneOf(
      "__proto__",
      "constructor",
      "toString",
      "",
      "0",
      "eips.1",
      "zone.1",
      "rules.1.__proto__",
      "limit",
      "offset",
      "verbose",
      "x y&=%",
    ),
    nastyTexts,
  ),
  { maxLength: 2 },
);

/** The marker stands only where the action takes secrets. */
function asSecret(action: Action, name: string, value: Value): Value {
  const isSecret = action.secrets.includes(name.split(".")[0] ?? name);
  return typeof value === "string" && !isSecret ? value.replaceAll(secretMarker, "public") : value;
}

function planOf(action: Action, style: Style): Arbitrary<Plan> {
  const fields = Object.entries(action.request.shape).map(([name, type]) =>
    fieldOf(name, type as z.ZodType, style),
  );
  const zone =
    style === "tidy"
      ? oneOf("gpu1a", "gpu1a", "gpu1a", "gpu2a")
      : oneOf("gpu1a", "gpu1a", "gpu1a", "gpu2a", "pek3", "");
  return fc
    .record({
      zone,
      follows: fc.boolean(),
      method: fc.constantFrom<"GET" | "POST">(
        ...(action.method === "POST" ? (["POST"] as const) : (["GET", "GET", "POST"] as const)),
      ),
      fields: fc.tuple(...fields),
      extra:
        style === "tidy"
          ? fc.constant<Entries>([])
          : fc.oneof({ weight: 3, arbitrary: fc.constant<Entries>([]) }, { weight: 1, arbitrary: strays }),
    })
    .map(({ fields: entries, extra, ...rest }) => ({
      action: action.name,
      ...rest,
      parameters: [...entries.flat(), ...extra].map(
        ([name, value]) => [name, asSecret(action, name, value)] as const,
      ),
    }));
}

/** Requests whose values fit each other. */
const coherentPlans: Arbitrary<Plan> = fc
  .record({
    zone: oneOf("gpu1a", "gpu1a", "gpu1a", "gpu2a"),
    method: fc.constantFrom<"GET" | "POST">("GET", "POST"),
    follows: fc.boolean(),
    request: coherent,
  })
  .map(({ request, ...rest }) => ({ ...rest, ...request }));

/** How much more often than others: what makes things, so that there is something to work on. */
function weightOf(action: Action, style: Style): number {
  if (style === "wild") return 2;
  if (/^(JoinRouter|RunInstances|UpdateRouters|AddRouterStatics|AssociateEip)$/.test(action.name)) return 8;
  return action.isCreate || /^(Join|Attach|Modify)/.test(action.name) ? 5 : 3;
}

/** One request of any action; in half of them every value is one that its parameter could take. */
export const plans: Arbitrary<Plan> = fc.oneof(
  { weight: 120, arbitrary: coherentPlans },
  ...[...actionsByName.values()].flatMap((action) =>
    (["tidy", "wild"] as const).map((style) => ({
      weight: weightOf(action, style),
      arbitrary: planOf(action, style),
    })),
  ),
);
