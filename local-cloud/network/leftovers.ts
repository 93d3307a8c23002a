/** What a killed cloud leaves: its namespaces with the processes in them, and the devices of its volumes. */

import { deleteNamespaces, listNamespaces } from "./machine/namespaces.ts";
import { detachDevices, devicesOf } from "./volumes/volumes.ts";

/** Whether there is any of it. @param folder of the data plane */
export async function hasLeftovers(prefix: string, folder: string): Promise<boolean> {
  return listNamespaces(prefix).length > 0 || (await devicesOf(folder)).length > 0;
}

/** Ends and removes all of it; answers how many namespaces there were. @param folder of the data plane */
export async function clearLeftovers(prefix: string, folder: string): Promise<number> {
  const left = listNamespaces(prefix);
  await deleteNamespaces(left);
  await detachDevices(folder);
  return left.length;
}
