/** What a killed cloud leaves: its namespaces with the processes in them. */

import { deleteNamespaces, listNamespaces } from "./namespaces.ts";

/** Ends and removes all of it; answers how many namespaces there were. */
export async function clearLeftovers(prefix: string): Promise<number> {
  const left = listNamespaces(prefix);
  await deleteNamespaces(left);
  return left.length;
}
