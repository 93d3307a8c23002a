/** Leases: they come some seconds after creation, and without an active one nothing can be deleted. */
import { GetLeaseInfo } from "../../qingcloud/actions.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";

export interface Lease {
  readonly isActive: boolean;
  /** CNY; null where the lease names no price, or one for another duration than an hour. */
  readonly perHour: number | null;
}

/** Undefined of what the cloud does not know: what it answers before there is a lease is not documented. */
export async function leaseOf(context: Context, zone: string, resource: string): Promise<Lease | undefined> {
  try {
    const { lease_info: lease } = await context.session.call(GetLeaseInfo, zone, { resource }, context);
    const { price, duration } = lease.contract ?? {};
    return {
      isActive: lease.status === undefined || lease.status === "active",
      perHour: price === undefined || duration !== "1h" ? null : Number(price),
    };
  } catch (error) {
    if (hasRetCode(error, retCodes.notFound)) return undefined;
    throw error;
  }
}
