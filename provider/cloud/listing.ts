/** Everything that a Describe action lists: it answers at most 100 a page. */
import type { Action, RequestOf, ResponseOf } from "../../qingcloud/action.ts";
import type { Context } from "../resource.ts";

const pageSize = 100;

/** A Describe action whose answer has a set of this name. */
type Listing<Key extends string> = Action & {
  readonly response: { readonly _zod: { readonly output: { readonly [K in Key]: readonly unknown[] } } };
};

/** @param key the set's name in the answer, e.g. `eip_set` */
export async function listAll<Key extends string, A extends Listing<Key>>(
  context: Context,
  action: A,
  zone: string,
  request: RequestOf<A>,
  key: Key,
): Promise<ResponseOf<A>[Key][number][]> {
  const all: ResponseOf<A>[Key][number][] = [];
  for (;;) {
    const asked = { ...request, limit: pageSize, offset: all.length } as RequestOf<A>;
    const answer = (await context.session.call(action, zone, asked, context)) as {
      readonly [K in Key]: readonly ResponseOf<A>[Key][number][];
    } & { readonly total_count: number };
    all.push(...answer[key]);
    if (answer[key].length === 0 || all.length >= answer.total_count) return all;
  }
}

/** The search for what has a word in its name; for everything where the word is empty. */
export function searchFor(word: string): { readonly search_word?: string } {
  return word === "" ? {} : { search_word: word };
}

const goneStatuses: ReadonlySet<string> = new Set(["ceased", "deleted", "released", "terminated"]);

/** What is gone is still listed for a while. Source: the lists of status of DescribeEips, -Instances, -Routers, -Volumes. */
export function isThere({ status }: { readonly status: string }): boolean {
  return !goneStatuses.has(status);
}
