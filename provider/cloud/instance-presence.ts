/** Whether an instance is there and runs: somebody may have stopped or terminated it outside Pulumi. */
import type { Context } from "../resource.ts";
import { describeInstances, type FoundInstance, InstanceChanges, listInstances } from "./instance-changes.ts";
import { emptyRecycleBin, isInRecycleBin } from "./instance-removal.ts";
import { isThere } from "./listing.ts";
import { type Names, physicalName } from "./naming.ts";
import { until } from "./waiting.ts";

/** A stopped one is started: somebody has stopped it, or an interrupted run. */
export async function untilRunning(context: Context, zone: string, id: string): Promise<FoundInstance> {
  return await until(context, `instance ${id} to run`, async () => {
    const [found] = await listInstances(context, zone, { instances: [id] });
    // Somebody may be bringing it back.
    if (found !== undefined && found.transition_status !== "") return undefined;
    if (found !== undefined && isInRecycleBin(found)) {
      throw new Error(
        `Instance ${id} (${found.instance_name}) was terminated and lies in the recycle bin of zone ${zone}. Bring it back (console: recycle bin), or have it ceased and made again: \`up --replace '${context.urn}'\`.`,
      );
    }
    if (found === undefined || !isThere(found))
      throw new Error(`Instance ${id} disappeared from zone ${zone} while it was started or changed.`);
    if (found.status === "stopped") await new InstanceChanges(context, zone, id).start();
    return found.status === "running" ? found : undefined;
  });
}

/**
 * Whether an instance in the recycle bin stays in state, to be deleted by its id. One that has the name made of its mark
 * counts as gone: the create that follows finds it by that. One that no state knows is read only to be removed.
 */
export function isKeptInBin(context: Context, found: FoundInstance, known: Names | undefined): boolean {
  if (!isInRecycleBin(found)) return false;
  if (known === undefined) return context.strays !== undefined;
  const { instance_id: id, instance_name: name } = found;
  const isBusy = found.transition_status !== "";
  if (isBusy || !isOwnName(known) || name !== physicalName(context.urn, known)) return true;
  context.warn(
    `Instance ${id} (${name}) was terminated outside Pulumi and lies in the recycle bin. The next \`up\` ceases it and makes another; to keep it, bring it back before (console: recycle bin).`,
  );
  return false;
}

/** Nobody else has a name that holds the mark and the digest of the URN. */
function isOwnName({ name, mark }: Names): boolean {
  return name === undefined && mark !== undefined;
}

interface Known {
  readonly inputs: object;
  readonly outputs: {
    readonly isStoppedForResize?: boolean | undefined;
    readonly unread?: readonly string[] | undefined;
  };
}

/** Says why the next run has to finish it, if it has; one that is being imported may be stopped. */
export function unappliedOf(
  context: Context,
  found: FoundInstance,
  known: Known | undefined,
): string | undefined {
  if (isInRecycleBin(found)) return "it was terminated and lies in the recycle bin";
  if (known === undefined || found.status !== "stopped" || found.transition_status !== "") return undefined;
  const { isStoppedForResize, unread = [] } = known.outputs;
  if (isStoppedForResize === true) return "it was stopped for a resize";
  if (unread.every((name) => name in known.inputs)) return "it is stopped";
  // An unfinished one loses this list, and is replaced when the program says something of these inputs.
  context.warn(
    `Instance ${found.instance_id} is stopped. It was imported, so it is left as it is: start it (console, or API: StartInstances).`,
  );
  return undefined;
}

/** Ids of what exists under the name. Where only the recycle bin has something of that name, it gives back its address. */
export async function findOrMakeRoom(
  context: Context,
  name: string,
  given: Names & { readonly zone: string },
): Promise<string[]> {
  const { zone } = given;
  const living = await describeInstances(context, zone, { search_word: name });
  const found = living.filter((each) => each.instance_name === name);
  if (found.length === 0 && isOwnName(given)) {
    // What is gone is listed only where its status is asked for.
    const all = await listInstances(context, zone, { search_word: name, status: ["terminated"] });
    const recycled = all.filter((each) => each.instance_name === name && isInRecycleBin(each));
    await emptyRecycleBin(context, zone, recycled);
  }
  return found.map((each) => each.instance_id);
}
