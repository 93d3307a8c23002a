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
  /** Of the inputs that can be changed in place, those whose present change cannot, e.g. to a smaller disk. */
  replaces?(state: State<Inputs, Outputs>, news: z.output<Inputs>): readonly string[];
  /** Of the inputs in `replaceOn`, whether the present change can be done in place all the same. */
  isInPlace?(property: string, state: State<Inputs, Outputs>): boolean;
  /** Properties that are encrypted in state and shown nowhere. */
  readonly secrets?: readonly string[];
  /** Properties that are secret beside `secrets` because of what other inputs say. */
  secretsAmong?(inputs: Partial<z.output<Inputs>>): readonly string[];
  /** Outputs that serve the life cycle alone: lookups leave them out. */
  readonly bookkeeping?: readonly string[];
  /**
   * The old one must go first: its name or address is taken while it lives. A replacement that a user forces asks no Diff,
   * so the classes of `program.ts` say it too. Never of what others hold, which the cloud would not delete.
   */
  readonly deleteBeforeReplace?: boolean;
  /** What is done to it takes effect by a second call, e.g. UpdateRouters, which its deletion sends also where it is gone. */
  readonly takesEffectLater?: boolean;
  /** Its loss where it is replaced, in words for its user, e.g. `what is on its disk is lost`. */
  readonly lost?: string;
  /** Problems that concern more than one property. */
  readonly rules?: readonly Rule<z.output<Inputs>>[];
  /** What is let through but deserves a word. */
  warnings?(inputs: Partial<z.output<Inputs>>): readonly string[];
  /** Whether an input that is written differently means what the state already has, e.g. a type and its sizes. */
  isSame?(property: string, state: State<Inputs, Outputs>, news: z.output<Inputs>, urn: string): boolean;
  /** Whether an input that stays as it is has an effect that is out of date, and how that is corrected. */
  outdated?(property: string, state: State<Inputs, Outputs>, urn: string): "update" | "replace" | undefined;
  /** Called with each resource of the run whose id is known, for those that have to know of it. */
  notice?(session: Session, id: string, inputs: Partial<z.output<Inputs>>): void;
  /** Problems with what other resources of the run do. */
  conflicts?(session: Session, inputs: Partial<z.output<Inputs>>): readonly Problem[];
  /** Resources whose name holds `word`; absent where the kind has no name. */
  search?(context: Context, zone: string, word: string): Promise<readonly Named[]>;
  create(context: Context, inputs: z.output<Inputs>): Promise<Created<z.output<Outputs>>>;
  /** Undefined where the resource no longer exists. On import there is no `known` state: see `importZone`. */
  read(
    context: Context,
    id: string,
    known: State<Inputs, Outputs> | undefined,
  ): Promise<FoundState<Inputs, Outputs> | undefined>;
  /** Its outputs are measured again by every update. */
  readonly isMeasured?: boolean;
  /** Absent where no input can be changed in place. */
  update?(
    context: Context,
    id: string,
    change: Change<z.output<Inputs>, z.output<Outputs>>,
  ): Promise<z.output<Outputs>>;
  delete(context: Context, id: string, state: State<Inputs, Outputs>): Promise<void>;
}

/** Something in the cloud, by its id and its name there. */
export interface Named {
  readonly id: string;
  readonly name: string;
  /** Id of the list that it is one of, where the state has that. */
  readonly listId?: string;
  /** Somebody has deleted it, and it still holds what it had: it counts as gone, and is to be removed for good. */
  readonly isInBin?: boolean;
}

/** Ids of those with exactly this name. */
export function idsNamed(found: readonly Named[], name: string): string[] {
  return found.filter((each) => each.name === name).map(({ id }) => id);
}

export interface Problem {
  /** Path, e.g. `rules[0].fromPort`. */
  readonly property: string;
  readonly reason: string;
}

/** A check of inputs that depend on each other; it waits until all that it reads are known and valid by themselves. */
export interface Rule<Inputs> {
  /** Names of inputs. */
  readonly reads: readonly string[];
  problems(inputs: Inputs): readonly Problem[];
}

export interface Created<Outputs> {
  readonly id: string;
  readonly outputs: Outputs;
}

export interface State<Inputs extends z.ZodObject, Outputs extends z.ZodObject> {
  readonly inputs: z.output<Inputs>;
  readonly outputs: z.output<Outputs>;
}

export interface FoundState<Inputs extends z.ZodObject, Outputs extends z.ZodObject>
  extends State<Inputs, Outputs> {
  /** What an interrupted run left to be put into effect: the next one finishes it. */
  readonly unapplied?: string;
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
   * Does what makes something in the cloud: Ctrl-C ends the operation only when it has ended, with the id or without.
   * @param what named in messages, e.g. `EIP "front-1a2b"`
   */
  making<Value>(what: string, work: () => Promise<Value>): Promise<Value>;
  /**
   * Says that the cloud has made the resource: from now on a failure keeps it in state, by this id, so that the next
   * run finishes or deletes it.
   * @param isAdopted it was there before, as another run of this program wanted it
   */
  made(id: string, isAdopted?: boolean): void;
  /** Set for a deletion whose resource has a mark, or is one. */
  readonly strays?: StrayRemover | undefined;
  /** Outputs that are kept in state should an update fail from now on. */
  note(outputs: Properties): void;
  /** Called before each call that changes something. */
  changing(): void;
  /** Called before a call that changes what another resource has: should the run fail, the state does not tell. */
  outdating(): void;
}

/** The users of what is deleted: they lie inside it, or must each have one of its kind. */
export type Users = "inside" | "in need" | "any";

/** Removes what bears the stack's mark and is in no state, where its StackMark says `sweep`. */
export interface StrayRemover {
  /** Whether all may be removed: this run makes nothing. */
  readonly isAllowed: boolean;
  /** All that bears the mark, whether a state knows it or not. @param zones default every zone of the account */
  find(zones?: readonly string[]): Promise<readonly Named[]>;
  /**
   * Removes those of these ids that this run does not know.
   * @param users of what is deleted: those inside any run of the whole stack removes, those in need of it one that has compared
   */
  remove(zone: string, ids: readonly string[], users: Users): Promise<void>;
  /** In every zone; where it may not, lists them. @throws Error with what is left, or where a zone cannot be looked at */
  removeAll(): Promise<void>;
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
  replaces?(state: AnyState, news: Properties): readonly string[];
  isInPlace?(property: string, state: AnyState): boolean;
  readonly secrets?: readonly string[];
  secretsAmong?(inputs: Properties): readonly string[];
  readonly bookkeeping?: readonly string[];
  readonly deleteBeforeReplace?: boolean;
  readonly isMeasured?: boolean;
  readonly takesEffectLater?: boolean;
  readonly lost?: string;
  readonly rules?: readonly Rule<Properties>[];
  warnings?(inputs: Properties): readonly string[];
  isSame?(property: string, state: AnyState, news: Properties, urn: string): boolean;
  outdated?(property: string, state: AnyState, urn: string): "update" | "replace" | undefined;
  notice?(session: Session, id: string, inputs: Properties): void;
  conflicts?(session: Session, inputs: Properties): readonly Problem[];
  search?(context: Context, zone: string, word: string): Promise<readonly Named[]>;
  create(context: Context, inputs: Properties): Promise<Created<Properties>>;
  read(
    context: Context,
    id: string,
    known: AnyState | undefined,
  ): Promise<(AnyState & { readonly unapplied?: string }) | undefined>;
  update?(context: Context, id: string, change: Change<Properties, Properties>): Promise<Properties>;
  delete(context: Context, id: string, state: AnyState): Promise<void>;
}

export interface AnyState {
  readonly inputs: Properties;
  readonly outputs: Properties;
}
