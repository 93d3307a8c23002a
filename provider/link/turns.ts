/** Work that shares things takes turns; work that shares nothing goes on at the same time. */

/** When the last work that has asked for a thing will have ended. */
const last = new Map<string, Promise<void>>();

/**
 * Runs work when all that asked earlier for one of the same things has ended.
 * @param things names of what the work shares, e.g. addresses
 */
export async function inTurn<Result>(
  things: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  const names = [...new Set(things)];
  const before = names.flatMap((name) => last.get(name) ?? []);
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  // All at once, before anything is awaited: two that share two things can not wait for each other.
  for (const name of names) last.set(name, ended);
  await Promise.all(before);
  try {
    return await work();
  } finally {
    end();
    for (const name of names) if (last.get(name) === ended) last.delete(name);
  }
}
