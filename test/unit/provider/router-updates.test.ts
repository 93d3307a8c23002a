import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RouterUpdates } from "../../../provider/cloud/router-updates.ts";
import type { Session } from "../../../provider/session.ts";
import { QingCloudError } from "../../../qingcloud/errors.ts";
import { contextOf } from "./contexts.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

const inTransition = () =>
  new QingCloudError("PermissionDenied", { action: "UpdateRouters", retCode: 1400, outcome: "refused" });

/** A router whose UpdateRouters the test refuses, or lets end. */
function routerOf({
  refuse = () => undefined,
  transition = () => "",
}: {
  refuse?: () => unknown;
  transition?: () => string;
} = {}) {
  const calls: string[] = [];
  const jobs: { end(): void; fail(error: Error): void }[] = [];
  const deadlines: number[] = [];
  const session = {
    async call(
      action: { name: string },
      zone: string,
      request: { routers: string[] },
      options?: { deadline: number },
    ) {
      expect([zone, request.routers]).toEqual(["pek3a", ["rtr-1"]]);
      calls.push(action.name);
      if (action.name === "DescribeRouters") {
        return { router_set: [{ status: "active", transition_status: transition() }] };
      }
      deadlines.push(options?.deadline ?? 0);
      const error = refuse();
      if (error !== undefined) throw error;
      return { job_id: `j-${calls.length}` };
    },
    jobs: () => ({
      wait: () => new Promise<void>((resolve, reject) => jobs.push({ end: resolve, fail: reject })),
    }),
  };
  return {
    updates: new RouterUpdates(session as unknown as Session, "pek3a", "rtr-1"),
    calls,
    jobs,
    deadlines,
  };
}

const later = () => contextOf({ deadline: Date.now() + 600_000 });
const jobCount = (jobs: readonly unknown[], count: number) =>
  vi.waitFor(() => expect(jobs).toHaveLength(count), { timeout: 2_000, interval: 1 });

test("changes made at the same time are applied by one UpdateRouters", async () => {
  const { updates, calls, jobs } = routerOf();
  const applied = Array.from({ length: 50 }, () => updates.apply(later()));
  await jobCount(jobs, 1);
  jobs[0]?.end();
  await Promise.all(applied);
  expect(calls).toEqual(["UpdateRouters"]);
});

test("whoever comes while one is running is applied by a later one, all together: two in all", async () => {
  const { updates, calls, jobs } = routerOf();
  let isFirstDone = false;
  const first = updates.apply(later()).then(() => {
    isFirstDone = true;
  });
  await jobCount(jobs, 1);
  let laterDone = 0;
  const joined = Array.from({ length: 50 }, () =>
    updates.apply(later()).then(() => {
      laterDone += 1;
    }),
  );
  expect(calls).toEqual(["UpdateRouters"]);
  jobs[0]?.end();
  await first;
  await jobCount(jobs, 2);
  expect([isFirstDone, laterDone]).toEqual([true, 0]);
  jobs[1]?.end();
  await Promise.all(joined);
  expect(calls).toEqual(["UpdateRouters", "UpdateRouters"]);
});

test("one is in flight at a time, however many come", async () => {
  const { updates, calls, jobs } = routerOf();
  const all: Promise<void>[] = [];
  for (let round = 1; round <= 4; round++) {
    all.push(updates.apply(later()));
    await jobCount(jobs, round);
    all.push(updates.apply(later()), updates.apply(later()));
    expect(calls).toHaveLength(round);
    jobs[round - 1]?.end();
    await all[all.length - 3];
  }
  await jobCount(jobs, 5);
  jobs[4]?.end();
  await Promise.all(all);
  expect(calls).toHaveLength(5);
});

test("a router in a transition is asked again when it is idle", async () => {
  let left = 5;
  const { updates, calls, jobs } = routerOf({
    refuse: () => (left-- > 0 ? inTransition() : undefined),
    transition: () => "updating",
  });
  const applied = updates.apply(later());
  for (let i = 0; i < 20 && jobs.length === 0; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(300);
  }
  expect(jobs).toHaveLength(1);
  jobs[0]?.end();
  await applied;
  expect(calls.filter((name) => name === "UpdateRouters")).toHaveLength(6);
});

test("an idle router that refuses three times in a row has a reason, which is told", async () => {
  const { updates, calls } = routerOf({ refuse: inTransition });
  const told = expect(updates.apply(later())).rejects.toMatchObject({ retCode: 1400 });
  for (let i = 0; i < 10; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(300);
  }
  await told;
  expect(calls.filter((name) => name === "UpdateRouters")).toHaveLength(3);
});

test("a router that stays in its transition is given up at the deadline", async () => {
  const { updates } = routerOf({ refuse: inTransition, transition: () => "updating" });
  const told = expect(updates.apply(contextOf({ deadline: Date.now() + 3_000 }))).rejects.toMatchObject({
    retCode: 1400,
  });
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(300);
  }
  await told;
});

test("another refusal reaches everyone who shares the call, and the next change is applied anew", async () => {
  let error: unknown = new QingCloudError("no", {
    action: "UpdateRouters",
    retCode: 2100,
    outcome: "refused",
  });
  const { updates, jobs, calls } = routerOf({ refuse: () => error });
  const both = Promise.allSettled([updates.apply(later()), updates.apply(later())]);
  await vi.advanceTimersByTimeAsync(200);
  const outcomes = await both;
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(calls).toHaveLength(1);
  error = undefined;
  const next = updates.apply(later());
  await jobCount(jobs, 1);
  jobs[0]?.end();
  await next;
});

test("a job that fails reaches those who shared it, not those who wait for the next", async () => {
  const { updates, jobs } = routerOf();
  const first = expect(updates.apply(later())).rejects.toThrow("job failed");
  await jobCount(jobs, 1);
  const second = updates.apply(later());
  jobs[0]?.fail(new Error("job failed"));
  await first;
  await jobCount(jobs, 2);
  jobs[1]?.end();
  await second;
});

test("a shared call has the latest deadline of those who share it", async () => {
  const { updates, jobs, deadlines } = routerOf();
  const [early, late] = [Date.now() + 1_000, Date.now() + 9_000];
  const all = [early, late, early].map((deadline) => updates.apply(contextOf({ deadline })));
  await jobCount(jobs, 1);
  jobs[0]?.end();
  await Promise.all(all);
  expect(deadlines).toEqual([late]);
});

test("a join that is on its way comes first, and what is changed meanwhile is applied with the rest", async () => {
  const { updates, calls, jobs } = routerOf();
  const order: string[] = [];
  const { promise: isMade, resolve: make } = Promise.withResolvers<void>();
  const early = updates.apply(later()).then(() => order.push("early"));
  const joined = updates.joining(async (alone) => {
    await isMade;
    await alone(async () => void order.push("joined"));
  });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(calls).toEqual([]);
  const late = updates.apply(later()).then(() => order.push("late"));
  make();
  await joined;
  await jobCount(jobs, 1);
  jobs[0]?.end();
  await Promise.all([early, late]);
  expect(order).toEqual(["joined", "early", "late"]);
  expect(calls).toEqual(["UpdateRouters"]);
});

test("a join that fails lets updates through", async () => {
  const { updates, jobs } = routerOf();
  const failed = expect(updates.joining(async () => Promise.reject(new Error("no vxnet")))).rejects.toThrow(
    "no vxnet",
  );
  const applied = updates.apply(later());
  await failed;
  await jobCount(jobs, 1);
  jobs[0]?.end();
  await applied;
});

test("joins have the router to themselves, one after the other, and not while an update runs", async () => {
  const { updates, calls, jobs } = routerOf();
  const applied = updates.apply(later());
  await jobCount(jobs, 1);
  const order: string[] = [];
  const join = (name: string) =>
    updates.joining((alone) =>
      alone(async () => {
        order.push(`${name} begins`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${name} ends`);
      }),
    );
  const both = Promise.all([join("a"), join("b")]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual([]);
  jobs[0]?.end();
  await Promise.all([applied, both]);
  expect(order).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  expect(calls).toEqual(["UpdateRouters"]);
});

test("who waits hears for what, and for no longer than its own deadline, whoever shares the call", async () => {
  const { updates, jobs } = routerOf();
  const context = contextOf({ deadline: Date.now() + 3_000 });
  const patient = updates.apply(later());
  const told = expect(updates.apply(context)).rejects.toThrow(
    /^Waited \d s for UpdateRouters of rtr-1\. It may end later: run the same command again\.$/,
  );
  await jobCount(jobs, 1);
  await vi.advanceTimersByTimeAsync(5_000);
  await told;
  jobs[0]?.end();
  await patient;
});
