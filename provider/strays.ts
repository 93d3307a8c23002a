/**
 * Resources whose names bear the stack's mark and that are in no state: a run whose provider was killed has made them.
 * Whatever is known is deleted before what it is in or depends on, so what is left there then is not known.
 */
import { sentence } from "../qingcloud/client.ts";
import { messageOf } from "../qingcloud/errors.ts";
import { isKnown } from "./cloud/known-ids.ts";
import { sweepOf } from "./cloud/left-behind.ts";
import { digitsOf, isOfAnotherStack, isSwept, markIn } from "./cloud/naming.ts";
import type { AnyResource, Context, Named, StrayRemover, Users } from "./resource.ts";

export interface Stray extends Named {
  readonly definition: AnyResource;
  readonly zone: string;
}

export interface StrayOptions {
  /** In the order in which they can be made. */
  readonly definitions: readonly AnyResource[];
  /** `value` of the StackMark. */
  readonly mark: string;
  /** Whether the whole stack goes, and this run has compared, made or changed nothing: then what is left is in no state. */
  readonly isEnding: boolean;
  /** Whether the run may leave some of the stack untouched, and so does not know all that the state has. */
  readonly isPart?: boolean;
  /** Ids in a state, which stay. */
  readonly known?: ReadonlySet<string>;
}

export class Strays implements StrayRemover {
  readonly #context: Context;
  readonly #definitions: readonly AnyResource[];
  readonly #mark: string;
  readonly #isEnding: boolean;
  readonly #isPart: boolean;
  /** For each, as it would have alone. */
  readonly #patienceMs: number;
  readonly #known: ReadonlySet<string>;

  constructor(
    context: Context,
    { definitions, mark, isEnding, isPart = false, known = new Set() }: StrayOptions,
  ) {
    this.#context = { ...context, strays: this };
    this.#definitions = definitions;
    this.#mark = mark;
    this.#isEnding = isEnding;
    this.#isPart = isPart;
    this.#patienceMs = context.deadline - Date.now();
    this.#known = known;
  }

  get #isSwept(): boolean {
    return isSwept(this.#mark, this.#context.urn);
  }

  get isAllowed(): boolean {
    return this.#isEnding && this.#isSwept;
  }

  /**
   * All that bears the mark, or one that the stack had before, in the order in which it can be deleted.
   * @param zones default every zone of the account
   */
  async find(zones?: readonly string[]): Promise<Stray[]> {
    const all = new Set([digitsOf(this.#mark), ...this.#earlier]);
    const found = [...all].map((digits) => findMarked(this.#context, this.#definitions, { zones, digits }));
    return (await Promise.all(found)).flat();
  }

  /** Digits of the other marks in the state, of which a killed replacement has left several. */
  get #earlier(): readonly string[] {
    return this.#isSwept ? (process.env.CROSSZONE_MARKS ?? "").split(" ").filter((each) => each !== "") : [];
  }

  async remove(zone: string, ids: readonly string[], users: Users): Promise<void> {
    const { session } = this.#context;
    // The engine compares what it knows before it deletes what that is in, and all else before what goes last.
    const isLeft = users === "inside" || (users === "in need" && session.hasBuilt);
    const isMeant = (id: string) =>
      !this.#known.has(id) && (this.isAllowed || (isLeft && !this.#isPart && !session.hasMet(id)));
    const meant = this.#isSwept ? ids.filter(isMeant) : [];
    if (meant.length === 0) return;
    const found = (await this.find([zone])).filter(({ id }) => meant.includes(id));
    for (const stray of found) await this.#removeOne(stray);
  }

  async removeAll(): Promise<void> {
    const { session, urn, warn } = this.#context;
    const found = (await this.find()).filter((each) => !isKnown(each, (id) => session.hasMet(id)));
    if (found.length === 0) return;
    if (this.isAllowed) return await this.removeThese(found);
    const said = `These bear this stack's mark, are in no state, and stay: ${found.map(describe).join(", ")}.`;
    // Once the mark is out of the state, nobody would know that they are the stack's.
    if (this.#isSwept)
      throw new Error(
        `${said} Remove them by \`${sweepOf(urn, "--yes")}\`, or in the console; then run this again.`,
      );
    const otherWay = isOfAnotherStack(this.#mark, this.#context.urn)
      ? "run `up` before: this state is a copy of another stack's, or of one that had another name"
      : "give the StackMark `sweep: true`";
    warn(`${said} Remove them in the console, or ${otherWay}.`);
  }

  /** @throws Error with what is left */
  async removeThese(strays: readonly Stray[]): Promise<void> {
    const problems: string[] = [];
    for (const stray of strays) {
      await this.#removeOne(stray).catch((error: unknown) => {
        this.#context.signal.throwIfAborted();
        problems.push(`${describe(stray)}: ${messageOf(error)}`);
      });
    }
    if (problems.length > 0)
      throw new Error(
        `These bear this stack's mark, are in no state, and could not be removed:\n${problems.join("\n")}\nRemove them in the console, or run the same command again.`,
      );
  }

  async #removeOne(stray: Stray): Promise<void> {
    const { definition, zone, id } = stray;
    const deadline = Date.now() + this.#patienceMs;
    const context = { ...this.#context, deadline, importZone: () => zone };
    const state = await definition.read(context, id, undefined);
    if (state === undefined) return;
    context.warn(`${describe(stray)} bears this stack's mark and is in no state: it is removed.`);
    await definition.delete(context, id, { ...state, inputs: { ...state.inputs, mark: this.#mark } });
  }
}

/**
 * Everything whose name was made of a mark, in the order in which it can be deleted.
 * @param digits of the mark; absent: of any
 * @param zones default every zone of the account
 */
export async function findMarked(
  context: Context,
  definitions: readonly AnyResource[],
  { digits, zones }: { digits?: string; zones?: readonly string[] | undefined } = {},
): Promise<Stray[]> {
  const places = zones ?? [...(await context.session.zones(context)).keys()];
  const isMeant = ({ name }: Named) =>
    digits === undefined ? markIn(name) !== undefined : markIn(name) === digits;
  const found = definitions.toReversed().flatMap((definition) =>
    places.map(async (zone) => {
      const named = (await search(context, definition, zone, digits ?? "")) ?? [];
      return named.filter(isMeant).map((each): Stray => ({ ...each, definition, zone }));
    }),
  );
  return (await Promise.all(found)).flat();
}

async function search(context: Context, definition: AnyResource, zone: string, word: string) {
  try {
    return await definition.search?.(context, zone, word);
  } catch (error) {
    context.signal.throwIfAborted();
    const what = definition.type.split(":").at(-1);
    throw new Error(
      `Whether zone ${zone} has a ${what} with the stack's mark could not be found out: ${sentence(messageOf(error))} Run the same command again.`,
      { cause: error },
    );
  }
}

/** E.g. `Eip eip-1234abcd (beijing-0badcafe-1234abcd) of zone pek3a`. */
export function describe({ definition, zone, id, name }: Stray): string {
  return `${definition.type.split(":").at(-1)} ${id} (${name}) of zone ${zone}`;
}
