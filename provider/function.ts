/** How a function is described: what a program may ask the cloud without making anything. */
import type { z } from "zod";
import type { Context } from "./resource.ts";

export interface FunctionDefinition<Arguments extends z.ZodObject, Result extends z.ZodObject> {
  /** Pulumi token, e.g. `qingcloud:cloud:getZones`. */
  readonly token: string;
  readonly description: string;
  readonly arguments: Arguments;
  readonly result: Result;
  call(context: Context, given: z.output<Arguments>): Promise<z.output<Result>>;
}

/** A function whose exact types are not known: what the provider's RPCs work with. */
export interface AnyFunction {
  readonly token: string;
  readonly description: string;
  readonly arguments: z.ZodObject;
  readonly result: z.ZodObject;
  call(context: Context, given: Record<string, unknown>): Promise<Record<string, unknown>>;
}

/** Gives a definition its exact types. */
export function defineFunction<Arguments extends z.ZodObject, Result extends z.ZodObject>(
  definition: FunctionDefinition<Arguments, Result>,
): FunctionDefinition<Arguments, Result> {
  return definition;
}
