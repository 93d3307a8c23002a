/** Deleting: leases before, dependents told, and what is gone already counts as deleted. */
import { GetLeaseInfo } from "../../qingcloud/actions.ts";
import { abortableDelay } from "../../qingcloud/client.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";
import { pauses, until } from "./waiting.ts";

/** What depended in this stack is deleted already, so only its last traces are waited for. */
const tracesMs = 60_000;

export interface Deletion {
  /** For messages, e.g. `VPC router rtr-1234abcd`. */
  readonly what: string;
  /** Ends when the resource is gone. */
  remove(): Promise<void>;
  /** Ids of what still uses the resource; empty where the API does not tell. */
  users(): Promise<readonly string[]>;
}

/**
 * Deletes; waits while the cloud says that something depends on the resource or that its state forbids it (1400, 5400),
 * and counts what is already gone (2100) as deleted.
 * @throws Error that names what still depends
 */
export async function deleteWhenFree(context: Context, { what, remove, users }: Deletion): Promise<void> {
  const deadline = Math.min(context.deadline, Date.now() + tracesMs);
  const started = Date.now();
  for (const pause of pauses()) {
    try {
      return await remove();
    } catch (error) {
      if (hasRetCode(error, retCodes.notFound)) return;
      if (!hasRetCode(error, retCodes.permissionDenied, retCodes.dependencyExists)) throw error;
      const seconds = Math.round((Date.now() - started) / 1000);
      if (Date.now() + pause > deadline) {
        const using = await users().catch(() => []);
        const still =
          using.length === 0 ? "" : ` Still used by ${using.join(", ")}: delete or detach these first.`;
        throw new Error(`${what} cannot be deleted after ${seconds} s: ${error.message}${still}`, {
          cause: error,
        });
      }
      context.progress(`waiting to delete ${what} ${seconds} s: ${error.message}`);
      await abortableDelay(pause, context.signal);
    }
  }
}

/** Nothing without an active lease can be deleted; the lease comes some seconds after creation. */
export async function untilLeased(context: Context, zone: string, id: string): Promise<void> {
  await until(context, `the lease of ${id}`, async () => {
    const { lease_info: lease } = await context.session.call(GetLeaseInfo, zone, { resource: id }, context);
    return lease.status === undefined || lease.status === "active" ? true : undefined;
  });
}
