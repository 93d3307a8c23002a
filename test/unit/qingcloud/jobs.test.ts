import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { QingCloudClient } from "../../../qingcloud/client.ts";
import { QingCloudError } from "../../../qingcloud/errors.ts";
import { JobPoller } from "../../../qingcloud/jobs.ts";

interface Job {
  job_id: string;
  job_action: string;
  status: string;
  resource_ids: string;
  error_codes?: string;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A zone whose jobs are as the test says; keeps which jobs each DescribeJobs asked for. */
function zoneOf(jobs: Map<string, Partial<Job>>, fail?: () => unknown) {
  const rounds: string[][] = [];
  const client = {
    async call(action: { name: string }, zone: string, request: { jobs: string[]; limit: number }) {
      expect([action.name, zone, request.limit]).toEqual(["DescribeJobs", "pek3a", 100]);
      rounds.push(request.jobs);
      const error = fail?.();
      if (error !== undefined) throw error;
      const job_set = request.jobs.flatMap((job_id) => {
        const job = jobs.get(job_id);
        const unset = { job_id, job_action: "CreateRouters", resource_ids: "rtr-1", status: "working" };
        return job === undefined ? [] : [{ ...unset, ...job }];
      });
      return { job_set };
    },
  };
  return { rounds, poller: new JobPoller(client as unknown as QingCloudClient, "pek3a") };
}

const deadline = () => Date.now() + 600_000;
const isSettled = async (promise: Promise<unknown>) =>
  await Promise.race([
    promise.then(
      () => true,
      () => true,
    ),
    Promise.resolve().then(() => false),
  ]);

test("all waiters of a zone share one DescribeJobs a round, and those that are done leave", async () => {
  const jobs = new Map<string, Partial<Job>>(
    Array.from({ length: 20 }, (_, index) => [`j-${index}`, { status: "working" }]),
  );
  const { rounds, poller } = zoneOf(jobs);
  const waits = [...jobs.keys()].map((id) => poller.wait(id, { deadline: deadline() }));
  await vi.advanceTimersByTimeAsync(230);
  expect(rounds).toEqual([[...jobs.keys()]]);
  for (const id of [...jobs.keys()].slice(1)) jobs.set(id, { status: "successful" });
  await vi.advanceTimersByTimeAsync(300);
  expect(rounds).toHaveLength(2);
  await Promise.all(waits.slice(1));
  expect(await isSettled(waits[0] ?? Promise.resolve())).toBe(false);
  jobs.set("j-0", { status: "successful" });
  await vi.advanceTimersByTimeAsync(1_000);
  await waits[0];
  expect(rounds.at(-1)).toEqual(["j-0"]);
});

test("two waiters for one job ask for it once", async () => {
  const { rounds, poller } = zoneOf(new Map([["j-1", { status: "successful" }]]));
  const waits = [poller.wait("j-1", { deadline: deadline() }), poller.wait("j-1", { deadline: deadline() })];
  await vi.advanceTimersByTimeAsync(300);
  await Promise.all(waits);
  expect(rounds).toEqual([["j-1"]]);
});

test("nobody is asked while nobody waits, and a later waiter is served", async () => {
  const { rounds, poller } = zoneOf(new Map([["j-1", { status: "successful" }]]));
  for (const round of [1, 2]) {
    const wait = poller.wait("j-1", { deadline: deadline() });
    await vi.advanceTimersByTimeAsync(300);
    await wait;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(rounds).toHaveLength(round);
  }
});

test("looks are seldom for a job that takes long: at most one in 3.3 s after twenty seconds", async () => {
  const { rounds, poller } = zoneOf(new Map([["j-1", { status: "working" }]]));
  const wait = poller.wait("j-1", { deadline: Date.now() + 120_000 });
  wait.catch(() => {});
  await vi.advanceTimersByTimeAsync(21_000);
  const before = rounds.length;
  expect(before).toBeLessThanOrEqual(32);
  await vi.advanceTimersByTimeAsync(33_000);
  expect(rounds.length - before).toBeGreaterThanOrEqual(9);
  expect(rounds.length - before).toBeLessThanOrEqual(13);
  await vi.advanceTimersByTimeAsync(120_000);
});

describe("a job that fails", () => {
  test.each(["failed", "done with failure"])(
    "(%s) rejects with its action, resources and codes",
    async (status) => {
      const jobs = new Map([
        ["j-1", { status, job_action: "RunInstances", resource_ids: "i-1 i-2", error_codes: "5200" }],
        ["j-2", { status: "successful" }],
      ]);
      const { poller } = zoneOf(jobs);
      const bad = poller.wait("j-1", { deadline: deadline() });
      const good = poller.wait("j-2", { deadline: deadline() });
      const told = expect(bad).rejects.toMatchObject({
        name: "QingCloudError",
        outcome: "refused",
        action: "RunInstances",
        message: `Job j-1, RunInstances of i-1 i-2, ended as ${status} (5200).`,
      });
      await vi.advanceTimersByTimeAsync(300);
      await told;
      await good;
    },
  );

  test("by its deadline is unknown, told with its last status and where", async () => {
    const { poller } = zoneOf(new Map([["j-1", { status: "working" }]]));
    const slow = poller.wait("j-1", { deadline: Date.now() + 5_000 });
    const lost = poller.wait("j-2", { deadline: Date.now() + 5_000 });
    const told = Promise.all([
      expect(slow).rejects.toMatchObject({
        outcome: "unknown",
        message: expect.stringMatching(
          /^Job j-1 in zone pek3a is still working after [5-9] s\. It may end later: run the same command again\.$/,
        ),
      }),
      expect(lost).rejects.toThrow("still unknown to the zone"),
    ]);
    await vi.advanceTimersByTimeAsync(12_000);
    await told;
  });
});

test("an error of DescribeJobs reaches every waiter, and the next waiter starts anew", async () => {
  let error: unknown = new QingCloudError("refused", {
    action: "DescribeJobs",
    retCode: 1200,
    outcome: "refused",
  });
  const { poller } = zoneOf(new Map([["j-1", { status: "successful" }]]), () => error);
  const told = Promise.all(
    ["j-1", "j-2"].map((id) => expect(poller.wait(id, { deadline: deadline() })).rejects.toBe(error)),
  );
  await vi.advanceTimersByTimeAsync(300);
  await told;
  error = undefined;
  const later = poller.wait("j-1", { deadline: deadline() });
  await vi.advanceTimersByTimeAsync(300);
  await later;
});

describe("a cloud that cannot be reached", () => {
  const unreachable = new QingCloudError("DescribeJobs: http://cloud cannot be reached (ECONNREFUSED)", {
    action: "DescribeJobs",
    outcome: "refused",
  });
  const lost = new QingCloudError("DescribeJobs: the answer was lost (socket hang up)", {
    action: "DescribeJobs",
    outcome: "unknown",
  });

  test("for a while fails no waiter: it is asked again, and the waiters hear why", async () => {
    const errors = [unreachable, lost, unreachable];
    const jobs = new Map(["j-1", "j-2"].map((id) => [id, { status: "successful" }]));
    const { rounds, poller } = zoneOf(jobs, () => errors.shift());
    const told: string[] = [];
    const progress = (message: string) => told.push(message);
    const waits = ["j-1", "j-2"].map((id) => poller.wait(id, { deadline: deadline(), progress }));
    await vi.advanceTimersByTimeAsync(1_500);
    await Promise.all(waits);
    expect(rounds).toHaveLength(4);
    const [away, gone] = [unreachable, lost].map(({ message }) => `${message}. Asked again soon.`);
    expect(told).toEqual([away, away, gone, gone, away, away]);
  });

  test("fails each waiter at its own deadline, with the reason", async () => {
    const { poller } = zoneOf(new Map(), () => unreachable);
    const began = Date.now();
    const ends: number[] = [];
    const told = Promise.all(
      [5_000, 20_000].map(async (ms) => {
        const wait = poller.wait("j-1", { deadline: began + ms });
        await expect(wait).rejects.toMatchObject({
          name: "QingCloudError",
          action: "DescribeJobs",
          outcome: "unknown",
          message: `Job j-1 in zone pek3a is still pending after ${ms / 1000} s. DescribeJobs: http://cloud cannot be reached (ECONNREFUSED). It may end later: run the same command again.`,
        });
        ends.push(Date.now() - began);
      }),
    );
    await vi.advanceTimersByTimeAsync(30_000);
    await told;
    expect(ends).toEqual([5_000, 20_000]);
  });

  test("is asked in ever longer pauses", async () => {
    const { rounds, poller } = zoneOf(new Map(), () => unreachable);
    const wait = expect(poller.wait("j-1", { deadline: Date.now() + 60_000 })).rejects.toThrow(
      "ECONNREFUSED",
    );
    await vi.advanceTimersByTimeAsync(60_000);
    await wait;
    expect(rounds.length).toBeLessThanOrEqual(50);
  });

  test("and is back is not blamed for a job that takes long", async () => {
    const errors = [unreachable];
    const { poller } = zoneOf(new Map([["j-1", { status: "working" }]]), () => errors.shift());
    const told = expect(poller.wait("j-1", { deadline: Date.now() + 5_000 })).rejects.toThrow(
      /^Job j-1 in zone pek3a is still working after 5 s\. It may end later: run the same command again\.$/,
    );
    await vi.advanceTimersByTimeAsync(5_000);
    await told;
  });
});

test("an aborted waiter leaves at once and the others go on", async () => {
  const abort = new AbortController();
  const { poller, rounds } = zoneOf(new Map([["j-2", { status: "successful" }]]));
  const aborted = poller.wait("j-1", { deadline: deadline(), signal: abort.signal });
  const other = poller.wait("j-2", { deadline: deadline() });
  abort.abort(new Error("Ctrl-C"));
  await expect(aborted).rejects.toThrow("Ctrl-C");
  await expect(poller.wait("j-3", { deadline: deadline(), signal: abort.signal })).rejects.toThrow("Ctrl-C");
  await vi.advanceTimersByTimeAsync(300);
  await other;
  expect(rounds).toEqual([["j-2"]]);
});

test("more than a page of waiters are all served", async () => {
  const ids = Array.from({ length: 250 }, (_, index) => `j-${index}`);
  const { poller, rounds } = zoneOf(new Map(ids.map((id) => [id, { status: "successful" }])));
  const waits = ids.map((id) => poller.wait(id, { deadline: deadline() }));
  await vi.advanceTimersByTimeAsync(2_000);
  await Promise.all(waits);
  expect(rounds.map((round) => round.length)).toEqual([100, 100, 50]);
});
