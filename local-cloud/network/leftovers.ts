/** What a killed cloud leaves: its namespaces with the processes in them, and the devices of its volumes. */

import { deleteNamespaces, listNamespaces } from "./machine/namespaces.ts";
import { detachDevices } from "./volumes/volumes.ts";

/** Ends and removes all of it; answers how many namespaces there were. @param home folder of the cloud */
export async function clearLeftovers(prefix: string, home: string): Promise<number> {
  const left = listNamespaces(prefix);
  await deleteNamespaces(left);
  await detachDevices(home);
  return left.length;
}
