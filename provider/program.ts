/** Descriptions as classes and functions of the Pulumi program. */
import {
  CustomResource,
  type CustomResourceOptions,
  type Input,
  type InvokeOptions,
  type Output,
  RunError,
  runtime,
} from "@pulumi/pulumi";
import type { z } from "zod";
import { messageOf } from "../qingcloud/errors.ts";
import { lookupToken } from "./cloud/lookup.ts";
import type { FunctionDefinition } from "./function.ts";
import type { ResourceDefinition } from "./resource.ts";

/** What the program passes; properties with a default may be left out, any value may be an Output. */
export type Args<Inputs extends z.ZodObject> = Inputify<z.input<Inputs>>;

/** The resource as the program sees it: its inputs with defaults, and its outputs. */
export type Instance<Inputs extends z.ZodObject, Outputs extends z.ZodObject> = CustomResource & {
  readonly [Name in keyof (Omit<z.output<Inputs>, keyof z.output<Outputs>> & z.output<Outputs>)]: Output<
    (Omit<z.output<Inputs>, keyof z.output<Outputs>> & z.output<Outputs>)[Name]
  >;
};

type Inputify<Value> = { [Name in keyof Value]: Input<Nested<Value[Name]>> };
type Nested<Value> = Value extends readonly (infer Item)[]
  ? Input<Nested<Item>>[]
  : Value extends object
    ? Inputify<Value>
    : Value;

export type ResourceClass<Inputs extends z.ZodObject, Outputs extends z.ZodObject> = new (
  name: string,
  args: Args<Inputs>,
  options?: CustomResourceOptions,
) => Instance<Inputs, Outputs>;

/** Makes the class of a definition: its outputs are known to the engine from the start, its secrets as secrets. */
export function resourceClass<Inputs extends z.ZodObject, Outputs extends z.ZodObject>(
  definition: ResourceDefinition<Inputs, Outputs>,
): ResourceClass<Inputs, Outputs> {
  const outputs = Object.keys(definition.outputs.shape).map((name) => [name, undefined] as const);
  return class extends CustomResource {
    constructor(name: string, args: Args<Inputs>, options: CustomResourceOptions = {}) {
      super(
        definition.type,
        name,
        { ...Object.fromEntries(outputs), ...args },
        {
          ...(definition.deleteBeforeReplace === true && { deleteBeforeReplace: true }),
          ...options,
          additionalSecretOutputs: [
            ...(definition.secrets ?? []),
            ...(options.additionalSecretOutputs ?? []),
          ],
        },
      );
    }
  } as unknown as ResourceClass<Inputs, Outputs>;
}

/** Makes the function of a description. */
export function functionOf<Arguments extends z.ZodObject, Result extends z.ZodObject>({
  token,
}: FunctionDefinition<Arguments, Result>) {
  return (given: z.input<Arguments>, options?: InvokeOptions): Promise<z.output<Result>> =>
    ask(token, given, options);
}

/** A resource that exists, as a lookup finds it: its id, its inputs and its outputs. */
export type Found<Inputs extends z.ZodObject, Outputs extends z.ZodObject, Hidden extends PropertyKey> = {
  readonly id: string;
} & Readonly<z.output<Outputs>> &
  Readonly<Omit<z.output<Inputs>, keyof z.output<Outputs> | Hidden | "mark">>;

/**
 * Makes the function that looks a resource up by its id or its exact name.
 * @param _hidden inputs that it does not tell, as secrets
 * @throws Error where there is none, or more than one of that name
 */
export function lookupOf<
  Inputs extends z.ZodObject,
  Outputs extends z.ZodObject,
  Hidden extends keyof Inputs["shape"] = never,
>({ type }: ResourceDefinition<Inputs, Outputs>, ..._hidden: readonly Hidden[]) {
  return (
    given: { zone?: string } & ({ id: string } | { name: string }),
    options?: InvokeOptions,
  ): Promise<Found<Inputs, Outputs, Hidden>> => ask(lookupToken(type), given, options);
}

/** An invocation that the cloud refuses, or Ctrl-C ends, is no fault of the program: it is shown without a stack trace. */
async function ask<Result>(token: string, given: object, options?: InvokeOptions): Promise<Result> {
  try {
    return (await runtime.invoke(token, given, options)) as Result;
  } catch (error) {
    throw new RunError(messageOf(error));
  }
}
