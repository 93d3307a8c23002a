/** Waiting on conditions of the cloud, always with a deadline and a word on what is waited for. */
import { GetLeaseInfo } from "../../qingcloud/actions.ts";
import { abortableDelay } from "../../qingcloud/client.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";

const firstPauseMs = 200;
const longestPauseMs = 3_000;
const tracesMs = 60_000;

/**
 * Looks until `look` answers something.
 * @param what named in the progress and in the error, e.g. `router rtr-1 to become active`
 */
export async function until<Value>(
  context: Context,
  what: string,
  look: () => Promise<Value | undefined>,
): Promise<Value> {
  const started = Date.now();
  for (let pause = firstPauseMs; ; pause = Math.min(longestPauseMs, pause * 1.5)) {
    const value = await look();
    if (value !== undefined) return value;
    const seconds = Math.round((Date.now() - started) / 1000);
    if (Date.now() > context.deadline) {
      throw new Error(
        `Waited ${seconds} s for ${what}. Look at it in the console, or run the same command again.`,
      );
    }
    context.progress(`waiting for ${what}: ${seconds} s`);
    await abortableDelay(pause * (0.9 + Math.random() / 5), context.signal);
  }
}

/** Waits for a job of `zone`, telling the user which. */
export async function untilJob(context: Context, zone: string, jobId: string): Promise<void> {
  const started = Date.now();
  const tell = () =>
    context.progress(`waiting for job ${jobId}: ${Math.round((Date.now() - started) / 1000)} s`);
  const timer = setInterval(tell, 1_000);
  try {
    await context.session.jobs(zone).wait(jobId, context);
  } finally {
    clearInterval(timer);
  }
}

/** Nothing without an active lease can be deleted; the lease comes some seconds after creation. */
export async function untilLeased(context: Context, zone: string, id: string): Promise<void> {
  await until(context, `the lease of ${id}`, async () => {
    const { lease_info: lease } = await context.session.call(GetLeaseInfo, zone, { resource: id }, context);
    return lease.status === undefined || lease.status === "active" ? true : undefined;
  });
}

/** Does `work`, again while the cloud says that `what` is in a state that forbids it (1400), e.g. in a transition. */
export async function whenIdle(context: Context, what: string, work: () => Promise<void>): Promise<void> {
  await until(context, `${what} to be idle`, async () => {
    try {
      await work();
      return true;
    } catch (error) {
      if (hasRetCode(error, retCodes.permissionDenied) && Date.now() < context.deadline) return undefined;
      throw error;
    }
  });
}

/**
 * Deletes: waits while the cloud says that something depends on the resource (1400, 5400) and counts what is already
 * gone (2100) as deleted. What depended in this stack is deleted already, so only its last traces are waited for; then
 * the cloud's own words say what still depends.
 */
export async function deleteWhenFree(context: Context, remove: () => Promise<void>): Promise<void> {
  const deadline = Math.min(context.deadline, Date.now() + tracesMs);
  for (let pause = firstPauseMs; ; pause = Math.min(longestPauseMs, pause * 1.5)) {
    try {
      return await remove();
    } catch (error) {
      if (hasRetCode(error, retCodes.notFound)) return;
      if (!hasRetCode(error, retCodes.permissionDenied, retCodes.dependencyExists)) throw error;
      if (Date.now() + pause > deadline) throw error;
      context.progress(error.message);
      await abortableDelay(pause, context.signal);
    }
  }
}
