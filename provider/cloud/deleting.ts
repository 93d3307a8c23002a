/** Deleting: leases before, dependents told, and what is gone already counts as deleted. */
import { abortableDelay } from "../../qingcloud/delay.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import type { Context, Named, Users } from "../resource.ts";
import { leaseOf } from "./lease.ts";
import { adviceAbout } from "./left-behind.ts";
import { pauses, until } from "./waiting.ts";

/** What depended in this stack is deleted already, so only its last traces are waited for. */
const tracesMs = 60_000;

export interface Present {
  /** The cloud is at work on it: that passes. */
  readonly isBusy?: boolean;
  /** Ids of what still uses it; empty where the API does not tell. */
  readonly users?: readonly string[];
}

export interface Deletion {
  /** For messages, e.g. `VPC router`. */
  readonly kind: string;
  readonly zone: string;
  readonly id: string;
  /** How its users depend on it; default: they can do without it. */
  readonly users?: Users;
  /** Without an active lease it cannot be deleted. */
  readonly isLeased?: boolean;
  /** Undefined where it is gone. */
  look(): Promise<Present | undefined>;
  /** Ends when it is gone. */
  remove(): Promise<void>;
}

/**
 * Deletes, with the strays that use it; waits while the cloud says that something depends on the resource or that its state
 * forbids it (1400, 5400): for what is at work until the deadline, for dependents a minute. What is already gone counts as
 * deleted.
 * @throws Error that names what still depends
 */
export async function deleteWhenFree(context: Context, deletion: Deletion): Promise<void> {
  const { kind, zone, id, look, remove } = deletion;
  const found = await look();
  if (found === undefined) return;
  if (found.users !== undefined && found.users.length > 0)
    await context.strays?.remove(zone, found.users, deletion.users ?? "any");
  if (deletion.isLeased === true) await untilLeased(context, deletion);
  const started = Date.now();
  let idleSince = started;
  for (const pause of pauses()) {
    try {
      return await remove();
    } catch (error) {
      if (hasRetCode(error, retCodes.notFound)) return;
      if (!hasRetCode(error, retCodes.permissionDenied, retCodes.dependencyExists)) throw error;
      const present = await look();
      if (present === undefined) return;
      if (present.isBusy === true) idleSince = Date.now();
      const seconds = Math.round((Date.now() - started) / 1000);
      if (Date.now() + pause > Math.min(context.deadline, idleSince + tracesMs)) {
        const { users = [] } = present;
        const all = users.length === 0 ? [] : await markedIn(context, zone);
        const own = all.filter((each) => users.some((user) => user.split(" ")[0] === each.id));
        const still =
          users.length === 0
            ? ""
            : ` Still used by ${users.join(", ")}: delete or detach these first.${adviceAbout(context, own)}`;
        const told = `${kind} ${id} of zone ${zone} cannot be deleted after ${seconds} s: ${error.message}${still}`;
        throw new Error(told, { cause: error });
      }
      context.progress(`waiting to delete ${kind} ${id} ${seconds} s: ${error.message}`);
      await abortableDelay(pause, context.signal);
    }
  }
}

/** The stack's resources in a zone; where they cannot be listed, the failure keeps the reason that it has. */
async function markedIn({ strays, signal }: Context, zone: string): Promise<readonly Named[]> {
  try {
    return (await strays?.find([zone])) ?? [];
  } catch {
    signal.throwIfAborted();
    return [];
  }
}

async function untilLeased(context: Context, { zone, id, look }: Deletion): Promise<void> {
  await until(context, `the lease of ${id}`, async () => {
    const lease = await leaseOf(context, zone, id);
    if (lease === undefined) return (await look()) === undefined ? true : undefined;
    return lease.isActive ? true : undefined;
  });
}
