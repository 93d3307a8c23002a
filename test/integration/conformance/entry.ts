/** What the conformance table says of one resource: the whole of its life, as inputs, API calls and state. */
import type { Properties } from "../../../provider/rpc/values.ts";
import type { TestClient } from "../../local-cloud/support.ts";

export const zone = "gpu1a";

/** Id of what is there: made by an earlier entry, or by hand before. */
export type IdOf = (name: string) => string;

/** A call that changes something: its action, and exactly its parameters. */
export type Change = readonly [action: string, parameters: Readonly<Record<string, unknown>>];

/** What the API answers of a resource to a client of its own: at least `expected` of the first item of `set`. */
export interface Told {
  readonly action: string;
  readonly set: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly expected: Properties;
}

/** Other inputs than those of the creation. */
export interface Step {
  /** For the test's name, e.g. `a larger disk`. */
  readonly what: string;
  /** Done by hand before. */
  by?(id: IdOf): readonly Change[];
  /** Beside the inputs before; `undefined` takes one away. */
  to(id: IdOf): Properties;
  /** Kinds of change by property path, from the inputs of the creation. */
  readonly diff: Readonly<Record<string, string>>;
  /** Absent where it is not to be done: it forces a replacement. */
  calls?(id: IdOf): readonly Change[];
  told?(id: IdOf): Told;
}

/** What somebody changes in the cloud behind the program's back. */
export interface Drift {
  readonly what: string;
  by(id: IdOf): readonly Change[];
  /** The inputs that a read finds instead; `undefined` = it finds none. */
  found(id: IdOf): Properties;
  /** What an update with the program's inputs does; absent where it takes a replacement. */
  calls?(id: IdOf): readonly Change[];
  /** Where it takes a replacement: what is done by hand to undo it. */
  back?(id: IdOf): readonly Change[];
}

export interface Entry {
  /** Without the package, e.g. `cloud:Eip`. */
  readonly type: string;
  /** Of the resource in the program; later entries refer to it. */
  readonly name: string;
  inputs(id: IdOf): Properties;
  /** What check fills in. */
  readonly defaults?: Properties;
  /** Inputs that a preview may not know. */
  readonly unknowns: readonly string[];
  readonly secrets?: readonly string[];
  /** Every output, as matchers. */
  outputs(id: IdOf): Properties;
  created(id: IdOf): readonly Change[];
  told?(id: IdOf): Told;
  readonly steps: readonly Step[];
  readonly drifts: readonly Drift[];
  readonly imported?: Imported | "nothing";
  /** Done by hand before the deletion. */
  beforeDeletion?(id: IdOf): readonly Change[];
  deleted(id: IdOf): readonly Change[];
  /** The same done by hand, where `deleted` leaves ids open. */
  deletedByHand?(client: TestClient, id: IdOf): Promise<readonly Change[]>;
  /** What a second deletion does, where it is not nothing; see the entry for why that does no harm. */
  deletedAgain?(id: IdOf): readonly Change[];
}

/** Where an import finds other inputs than the program's own. */
export interface Imported {
  /** Beside or instead of the program's; `undefined` = it finds none. */
  finds(id: IdOf): Properties;
  /** What the program's own inputs differ in then. */
  readonly diff: Readonly<Record<string, string>>;
}

/** Lives in state alone: no API call, no drift, no import. */
export const inStateAlone = { drifts: [], created: () => [], deleted: () => [] };

export const named = (name: string): Properties => ({ zone, name });

/** An entry whose outputs are its name. */
export const nameAlone = (name: string) => ({ outputs: () => ({ name }) });

export const applied = (router: string): Change => ["UpdateRouters", { "routers.1": router }];

/** Without what is undefined. */
export function defined(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}
