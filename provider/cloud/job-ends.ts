/** Waiting for what an earlier run has begun. */
import { DescribeJobs } from "../../qingcloud/actions.ts";
import type { Context } from "../resource.ts";
import { untilJob } from "./waiting.ts";

/** Waits until no job that is at work names the resource. */
export async function untilItsJobsEnd(context: Context, zone: string, id: string): Promise<void> {
  const jobs = await context.session.shared(`jobs ${zone}`, async () => {
    const request = { status: ["pending", "working"] as ("pending" | "working")[], limit: 100 };
    const { job_set } = await context.session.call(DescribeJobs, zone, request, context);
    return job_set;
  });
  for (const { job_id, resource_ids } of jobs) {
    if (!resource_ids.split(" ").includes(id)) continue;
    // How it ends shows in what is read then.
    await untilJob(context, zone, job_id).catch(() => context.signal.throwIfAborted());
  }
}
