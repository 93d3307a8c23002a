/**
 * How a resource is described: once, for validation, the TypeScript class, the schema and its life cycle.
 */
import type { z } from "zod";
import type { Session } from "./session.ts";

/** Inputs and outputs as zod objects; every property has a `.describe(…)`. */
export interface ResourceDefinition<Inputs extends z.ZodObject, Outputs extends z.ZodObject> {
  /** Pulumi type token, e.g. `qingcloud:cloud:Eip`. */
  readonly type: string;
  readonly description: string;
  readonly inputs: Inputs;
  readonly outputs: Outputs;
  /** Inputs that the API cannot change in place. */
  readonly replaceOn: readonly (keyof Inputs["shape"] & string)[];
  /** Properties that are encrypted in state and shown nowhere. */
  readonly secrets?: readonly string[];
  /** The old one must go first: its name or address is taken while it lives. */
  readonly deleteBeforeReplace?: boolean;
  /** Problems that concern more than one property, found when all of them are known. */
  check?(inputs: z.output<Inputs>): readonly Problem[];
  create(context: Context, inputs: z.output<Inputs>): Promise<Created<z.output<Outputs>>>;
  /** Undefined where the resource does not exist any more. On import there is no `known` state: see `importZone`. */
  read(
    context: Context,
    id: string,
    known: State<Inputs, Outputs> | undefined,
  ): Promise<State<Inputs, Outputs> | undefined>;
  /** Absent where no input can be changed in place. */
  update?(
    context: Context,
    id: string,
    change: Change<z.output<Inputs>, z.output<Outputs>>,
  ): Promise<z.output<Outputs>>;
  delete(context: Context, id: string, state: State<Inputs, Outputs>): Promise<void>;
}

export interface Problem {
  readonly property: string;
  readonly reason: string;
}

export interface Created<Outputs> {
  readonly id: string;
  readonly outputs: Outputs;
}

export interface State<Inputs extends z.ZodObject, Outputs extends z.ZodObject> {
  readonly inputs: z.output<Inputs>;
  readonly outputs: z.output<Outputs>;
}

export interface Change<Inputs, Outputs> {
  readonly olds: Inputs;
  readonly news: Inputs;
  readonly outputs: Outputs;
}

/** What a life-cycle function works with. */
export interface Context {
  readonly session: Session;
  readonly urn: string;
  /** Aborted on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch, from `customTimeouts`. */
  readonly deadline: number;
  /** Zone of an import: before the slash of the id `zone/id`, else the configured one. */
  importZone(): string;
  /** Shows a passing message behind the resource. */
  progress(message: string): void;
  warn(message: string): void;
  /** The resource that an interrupted create left in state: it is to be finished, not made again. */
  readonly halfMadeId: string | undefined;
  /**
   * Says that the cloud has made the resource: from now on a failure keeps it in state, by this id, so that the next
   * run finishes or deletes it.
   */
  made(id: string): void;
}

/** Gives a definition its exact types. */
export function defineResource<Inputs extends z.ZodObject, Outputs extends z.ZodObject>(
  definition: ResourceDefinition<Inputs, Outputs>,
): ResourceDefinition<Inputs, Outputs> {
  return definition;
}

type Properties = Record<string, unknown>;

/** A definition whose exact types are not known: what the provider's RPCs work with. */
export interface AnyResource {
  readonly type: string;
  readonly description: string;
  readonly inputs: z.ZodObject;
  readonly outputs: z.ZodObject;
  readonly replaceOn: readonly string[];
  readonly secrets?: readonly string[];
  readonly deleteBeforeReplace?: boolean;
  check?(inputs: Properties): readonly Problem[];
  create(context: Context, inputs: Properties): Promise<Created<Properties>>;
  read(context: Context, id: string, known: AnyState | undefined): Promise<AnyState | undefined>;
  update?(context: Context, id: string, change: Change<Properties, Properties>): Promise<Properties>;
  delete(context: Context, id: string, state: AnyState): Promise<void>;
}

interface AnyState {
  readonly inputs: Properties;
  readonly outputs: Properties;
}
