/**
 * What bears the stack's mark in its name and is in no state: a run whose provider was killed has made it. Whatever is known
 * is deleted before what it is in or depends on, so what is left there then is not known.
 */
import { digitsOf, isSwept, markIn } from "./cloud/naming.ts";
import type { AnyResource, Context, Named, StrayRemover } from "./resource.ts";

export interface Stray extends Named {
  readonly definition: AnyResource;
  readonly zone: string;
}

export interface StrayOptions {
  /** Those with `search` are looked for, and removed in the reverse order. */
  readonly definitions: readonly AnyResource[];
  /** `value` of the StackMark. */
  readonly mark: string;
  /** Whether this run may remove anything: not what it may have made. */
  readonly isAllowed: boolean;
}

export class Strays implements StrayRemover {
  readonly #context: Context;
  readonly #definitions: readonly AnyResource[];
  readonly #mark: string;
  readonly #isAllowed: boolean;

  constructor(context: Context, { definitions, mark, isAllowed }: StrayOptions) {
    this.#context = { ...context, strays: this };
    this.#definitions = definitions.filter(({ search }) => search !== undefined).toReversed();
    this.#mark = mark;
    this.#isAllowed = isAllowed && isSwept(mark);
  }

  get isAllowed(): boolean {
    return this.#isAllowed;
  }

  /** All that bears the mark in a zone, in the order in which it can be deleted. */
  async find(zone: string): Promise<Stray[]> {
    const digits = digitsOf(this.#mark);
    const found = await Promise.all(
      this.#definitions.map(async (definition) => {
        const named = (await definition.search?.(this.#context, zone, digits)) ?? [];
        return named
          .filter(({ name }) => markIn(name) === digits)
          .map((each): Stray => ({ ...each, definition, zone }));
      }),
    );
    return found.flat();
  }

  async findAll(): Promise<Stray[]> {
    const zones = [...(await this.#context.session.zones(this.#context)).keys()];
    return (await Promise.all(zones.map((zone) => this.find(zone)))).flat();
  }

  async remove(zone: string, ids: readonly string[]): Promise<void> {
    if (!this.#isAllowed) return;
    const found = (await this.find(zone)).filter(({ id }) => ids.includes(id));
    for (const stray of found) await this.removeOne(stray);
  }

  async removeAll(): Promise<void> {
    const found = await this.findAll();
    if (found.length === 0) return;
    if (!this.#isAllowed) {
      this.#context.warn(
        `What bears this stack's mark and is in no state stays: ${found.map(tell).join(", ")}. Remove it by hand${isSwept(this.#mark) ? "" : ", or give the StackMark `sweep: true`"}.`,
      );
      return;
    }
    const problems: string[] = [];
    for (const stray of found) {
      await this.removeOne(stray).catch((error: unknown) => {
        this.#context.signal.throwIfAborted();
        problems.push(`${tell(stray)}: ${error instanceof Error ? error.message : String(error)}`);
      });
    }
    if (problems.length > 0)
      throw new Error(
        `What bears this stack's mark and is in no state could not be removed:\n${problems.join("\n")}\nRemove it in the console, or run the same command again.`,
      );
  }

  async removeOne(stray: Stray): Promise<void> {
    const { definition, zone, id } = stray;
    const context = { ...this.#context, importZone: () => zone };
    const state = await definition.read(context, id, undefined);
    if (state === undefined) return;
    context.warn(`${tell(stray)} bears this stack's mark and is in no state: it is removed.`);
    await definition.delete(context, id, { ...state, inputs: { ...state.inputs, mark: this.#mark } });
  }
}

/** E.g. `Eip eip-1234abcd (beijing-0badcafe-1234abcd) of zone pek3a`. */
export function tell({ definition, zone, id, name }: Stray): string {
  return `${definition.type.split(":").at(-1)} ${id} (${name}) of zone ${zone}`;
}
