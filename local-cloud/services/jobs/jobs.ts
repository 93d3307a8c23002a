/** What DescribeJobs answers, and how long jobs take. */
import { readFileSync } from "node:fs";
import type * as actions from "../../../qingcloud/actions.ts";
import { accountId } from "../account/account.ts";
import { type Handler, type Handlers, timestamp } from "../context.ts";
import { page } from "../listing.ts";

/** Seconds that jobs take by action, and that a lease takes to appear. */
export interface Durations {
  of(action: string): number;
  readonly lease: number;
}

/** Ours: the real ones are not documented. */
const realistic: Readonly<Record<string, number>> = {
  CreateRouters: 15,
  JoinRouter: 5,
  UpdateRouters: 5,
  RunInstances: 30,
  ApplySecurityGroup: 3,
  ChangeEipsBandwidth: 2,
  StopInstances: 15,
  StartInstances: 15,
  TerminateInstances: 10,
  LeaveRouter: 5,
  DeleteRouters: 10,
  ReleaseEips: 2,
  lease: 5,
  default: 1,
};

/**
 * Durations of jobs.
 * @param setting `instant`, `realistic`, or the path of a JSON file {action: seconds} where `lease` and `default` may stand too
 */
export function readDurations(setting: string): Durations {
  const table = setting === "instant" ? {} : setting === "realistic" ? realistic : readTable(setting);
  return { of: (action) => table[action] ?? table.default ?? 0, lease: table.lease ?? 0 };
}

function readTable(file: string): Record<string, number> {
  const expected = `--jobs ${file}: must be instant, realistic or a JSON file {"RunInstances": 30, …} of seconds`;
  let table: unknown;
  try {
    table = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`${expected}; ${(error as Error).message}`, { cause: error });
  }
  if (typeof table !== "object" || table === null || Array.isArray(table)) throw new Error(expected);
  for (const [action, seconds] of Object.entries(table)) {
    if (typeof seconds !== "number" || !(seconds >= 0 && seconds <= 86_400)) {
      throw new Error(`${expected}; [${action}] is ${JSON.stringify(seconds)}, allowed: 0 to 86400`);
    }
  }
  return table as Record<string, number>;
}

const describeJobs: Handler<typeof actions.DescribeJobs> = (request, context) => {
  const matches = context.store
    .list("job", context.zone)
    .filter(
      (job) =>
        (request.jobs === undefined || request.jobs.includes(job.id)) &&
        (request.status === undefined || request.status.includes(job.status)) &&
        (request.job_action === undefined || request.job_action === job.work.action),
    );
  const { items, total_count } = page(matches, request);
  return {
    job_set: items.map((job) => ({
      job_id: job.id,
      job_action: job.work.action,
      status: job.status,
      resource_ids: job.resourceIds.join(" "),
      owner: accountId,
      create_time: timestamp(job.createTime),
      status_time: timestamp(job.statusTime),
      error_codes: job.error === undefined ? "" : String(job.error.code),
      ...(job.error === undefined ? {} : { error_message: job.error.message }),
    })),
    total_count,
  };
};

export const jobHandlers = { DescribeJobs: describeJobs } satisfies Partial<Handlers>;
