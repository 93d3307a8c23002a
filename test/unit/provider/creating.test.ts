import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createOnce, withQuota } from "../../../provider/cloud/creating.ts";
import type { Names } from "../../../provider/cloud/naming.ts";
import type { Context } from "../../../provider/resource.ts";
import type { Session } from "../../../provider/session.ts";
import { QingCloudError } from "../../../qingcloud/errors.ts";
import { contextOf, type TestContext } from "./contexts.ts";

const lost = () => new QingCloudError("the answer was lost", { action: "CreateRouters", outcome: "unknown" });
const refused = () =>
  new QingCloudError("no quota", { action: "CreateRouters", retCode: 2500, outcome: "refused" });

const mark = { mark: "0badcafe" };

/** @param what of messages */
function once(
  context: TestContext,
  what: string,
  find: (context: Context) => Promise<readonly string[]>,
  create: () => Promise<string | undefined>,
  names: Names = mark,
) {
  return createOnce(context, { what, names, find, create });
}

describe("createOnce", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("makes what is not there, once, and says its id at once", async () => {
    const context = contextOf();
    const create = vi.fn(async () => "rtr-1");
    const made = await once(context, "VPC", async () => [], create);
    expect(made).toEqual({ id: "rtr-1", adopted: false });
    expect(context.ids).toEqual(["rtr-1"]);
    expect(create).toHaveBeenCalledTimes(1);
  });

  test("adopts what an interrupted run made under the name", async () => {
    const context = contextOf();
    const create = vi.fn(async () => "rtr-2");
    expect(await once(context, "VPC", async () => ["rtr-1"], create)).toEqual({
      id: "rtr-1",
      adopted: true,
    });
    expect(context.ids).toEqual(["rtr-1"]);
    expect(create).not.toHaveBeenCalled();
  });

  test("finishes the half-made one of the state without looking for it", async () => {
    const [find, create] = [vi.fn(async () => []), vi.fn(async () => "rtr-2")];
    const context = contextOf({ halfMadeId: "rtr-half" });
    expect(await once(context, "VPC", find, create)).toEqual({ id: "rtr-half", adopted: true });
    expect([find.mock.calls, create.mock.calls]).toEqual([[], []]);
  });

  test("does not choose between two of the same name, and names both", async () => {
    const create = vi.fn(async () => "rtr-3");
    await expect(once(contextOf(), 'VPC "x"', async () => ["rtr-1", "rtr-2"], create)).rejects.toThrow(
      'VPC "x" exists 2 times (rtr-1, rtr-2). Import the right one by `pulumi import` or delete the others, then run again.',
    );
    expect(create).not.toHaveBeenCalled();
  });

  test("after a lost answer looks until it is found, and never creates twice", async () => {
    const found: string[][] = [[], [], [], [], ["rtr-1"]];
    const find = vi.fn(async () => found.shift() ?? []);
    const create = vi.fn(() => Promise.reject(lost()));
    const context = contextOf();
    const made = once(context, "VPC", find, create);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await made).toEqual({ id: "rtr-1", adopted: true });
    expect(create).toHaveBeenCalledTimes(1);
    expect(find).toHaveBeenCalledTimes(5);
    expect(context.ids).toEqual(["rtr-1"]);
    expect(context.told).toEqual(["the answer was lost; looking for VPC"]);
  });

  test("goes on looking when a look itself fails", async () => {
    const looks = [async () => [], () => Promise.reject(lost()), async () => ["rtr-1"]];
    const find = () => (looks.shift() ?? (async () => []))();
    const made = once(contextOf(), "VPC", find, () => Promise.reject(lost()));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await made).toMatchObject({ id: "rtr-1" });
  });

  test("what a lost request has not made when the cloud would not accept it any more, after 60 s, is asked for again", async () => {
    const [started, sentAt] = [Date.now(), [] as number[]];
    const answers = [() => Promise.reject(lost()), async () => "rtr-1"];
    const create = vi.fn(() => {
      sentAt.push(Date.now() - started);
      return (answers.shift() ?? (() => Promise.reject(lost())))();
    });
    const context = contextOf();
    const made = once(context, 'VPC "x"', async () => [], create);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(await made).toEqual({ id: "rtr-1", adopted: false });
    expect(sentAt).toEqual([0, expect.closeTo(62_000, -4)]);
    expect(sentAt[1]).toBeGreaterThan(60_000);
    expect(context.told).toEqual([
      'the answer was lost; looking for VPC "x"',
      'VPC "x" was not made; asking for it again',
    ]);
  });

  test("gives up after three such requests", async () => {
    const create = vi.fn(() => Promise.reject(lost()));
    const made = once(contextOf(), "VPC", async () => [], create);
    const told = expect(made).rejects.toThrow(
      /^the answer was lost\. VPC was looked for and is not there after 6\d s\. Run/,
    );
    await vi.advanceTimersByTimeAsync(200_000);
    await told;
    expect(create).toHaveBeenCalledTimes(3);
  });

  test("a look that fails is no absence: nothing is asked for again, and that is what is told", async () => {
    const create = vi.fn(() => Promise.reject(lost()));
    const looks = [async () => []];
    const find = () =>
      (
        looks.shift() ??
        (() =>
          Promise.reject(
            new QingCloudError("HTTP status 502", { action: "DescribeRouters", outcome: "unknown" }),
          ))
      )();
    const context = contextOf({ deadline: Date.now() + 300_000 });
    const told = expect(once(context, 'VPC "x"', find, create)).rejects.toThrow(
      'the answer was lost. Whether VPC "x" is there could not be found out in 302 s: HTTP status 502. Run the same command again: it makes nothing twice.',
    );
    await vi.advanceTimersByTimeAsync(310_000);
    await told;
    expect(create).toHaveBeenCalledTimes(1);
  });

  test("looks for 60 s after the request that was lost, however long it was refused before", async () => {
    const started = Date.now();
    const create = vi.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100_000));
      throw new QingCloudError("the answer was lost", {
        action: "CreateRouters",
        outcome: "unknown",
        sentAt: Date.now() - 5_000,
      });
    });
    const made = once(contextOf({ deadline: started + 3_600_000 }), 'VPC "x"', async () => [], create);
    const told = expect(made).rejects.toMatchObject({
      outcome: "unknown",
      message: expect.stringMatching(
        /^the answer was lost\. VPC "x" was looked for and is not there after 6[12] s\. Run the same command again: it makes nothing twice\.$/,
      ),
    });
    await vi.advanceTimersByTimeAsync(150_000);
    expect(create).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(create).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(400_000);
    await told;
  });

  test("gives up at the deadline of the resource", async () => {
    const context = contextOf({ deadline: Date.now() + 5_000 });
    const told = expect(
      once(
        context,
        "VPC",
        async () => [],
        () => Promise.reject(lost()),
      ),
    ).rejects.toThrow("the answer was lost");
    await vi.advanceTimersByTimeAsync(10_000);
    await told;
  });

  test("cancelled while it looks, it looks on until what was lost can no longer be made, and asks for nothing", async () => {
    const cancel = new AbortController();
    const create = vi.fn(() => Promise.reject(lost()));
    const signals: boolean[] = [];
    const find = async ({ signal }: Context) => {
      signals.push(signal.aborted);
      return [];
    };
    const made = once(contextOf({ signal: cancel.signal }), "VPC", find, create);
    const told = expect(made).rejects.toThrow("Ctrl-C");
    await vi.advanceTimersByTimeAsync(3_000);
    cancel.abort(new Error("Ctrl-C"));
    await vi.advanceTimersByTimeAsync(50_000);
    const before = signals.length;
    await vi.advanceTimersByTimeAsync(10_000);
    await told;
    expect([create.mock.calls.length, before > 25, signals.length > before]).toEqual([1, true, true]);
    expect(new Set(signals)).toEqual(new Set([false]));
  });

  test("cancelled, a cloud that answers no look is asked 30 s more at most, and what may be there is named", async () => {
    const cancel = new AbortController();
    const create = vi.fn(() => Promise.reject(lost()));
    let isFirst = true;
    const find = () => {
      if (!isFirst) return Promise.reject(lost());
      isFirst = false;
      return Promise.resolve([]);
    };
    const next = once(contextOf({ signal: cancel.signal }), 'VPC "x"', find, create);
    const told = expect(next).rejects.toThrow(
      /Whether VPC "x" is there could not be found out in 9[0-4] s: /,
    );
    await vi.advanceTimersByTimeAsync(3_000);
    cancel.abort(new Error("Ctrl-C"));
    await vi.advanceTimersByTimeAsync(92_000);
    await told;
  });

  test("a refusal is final, and nothing was made", async () => {
    const find = vi.fn(async () => []);
    const context = contextOf();
    await expect(once(context, "VPC", find, () => Promise.reject(refused()))).rejects.toThrow("no quota");
    expect(find).toHaveBeenCalledTimes(1);
    expect(context.ids).toEqual([]);
  });

  test("an answer without an id is told", async () => {
    await expect(
      once(
        contextOf(),
        "VPC",
        async () => [],
        async () => undefined,
      ),
    ).rejects.toThrow("VPC: the cloud accepted the call but answered no id.");
  });
});

test("nothing is looked for under a mark that was made in this run", async () => {
  const find = vi.fn(async () => ["rtr-9"]);
  const session = { freshMarks: new Set(["0badcafe"]) } as unknown as Session;
  const made = await once(contextOf({ session }), "VPC", find, async () => "rtr-1");
  expect(made).toEqual({ id: "rtr-1", adopted: false });
  expect(find).not.toHaveBeenCalled();
});

test("what exists under a name that was given is not adopted, and nothing is made beside it", async () => {
  const create = vi.fn(async () => "rtr-2");
  const made = once(contextOf(), 'VPC "mine"', async () => ["rtr-1"], create, { name: "mine" });
  await expect(made).rejects.toThrow(
    'VPC "mine" exists already (rtr-1), made by somebody else or to be replaced by this one. Give another name or none, take it over by `pulumi import`, or, if this stack has it under another URN, name that in an alias.',
  );
  expect(create).not.toHaveBeenCalled();
});

test("what the stack has under another name is not adopted, with what to do", async () => {
  const create = vi.fn(async () => "rtr-2");
  const urn = "urn:pulumi:dev::crosszone::qingcloud:cloud:Vpc::bj-router";
  const session = { freshMarks: new Set(), metAs: () => urn } as unknown as Session;
  const made = once(contextOf({ session }), 'VPC "mine"', async () => ["rtr-1"], create, {});
  await expect(made).rejects.toThrow(
    'VPC "mine" is rtr-1, which the stack has as bj-router: a renaming of that did not end. Take this one out of the program, or give it another name, and run `up`; then it can have this name.',
  );
  expect(create).not.toHaveBeenCalled();
});

describe("2500", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  /** A zone that has so much left of each quota. */
  const sessionWith = (left: Record<string, number>) => {
    const asked: unknown[] = [];
    const call = async (action: { name: string }, zone: string, request: unknown) => {
      asked.push([action.name, zone, request]);
      return {
        quota_left_set: Object.entries(left).map(([resource_type, count]) => ({
          resource_type,
          left: count,
        })),
      };
    };
    return { asked, session: { call, freshMarks: new Set() } as unknown as Session };
  };

  test("for a resource says which quota, how much is wanted and what is left, and is final", async () => {
    const { asked, session } = sessionWith({ eip: 3, eip_bandwidth: 10 });
    const work = vi.fn(() => Promise.reject(refused()));
    const made = withQuota(contextOf({ session }), "pek3a", { eip: 1, eip_bandwidth: 20 }, work);
    await expect(made).rejects.toThrow(
      "The quota of zone pek3a is exhausted: eip_bandwidth (20 wanted, 10 left). Delete what is not needed there, or ask QingCloud for more.",
    );
    expect(asked).toEqual([["GetQuotaLeft", "pek3a", { resource_types: ["eip", "eip_bandwidth"] }]]);
    expect(work).toHaveBeenCalledTimes(1);
    expect(work.mock.calls[0]).toMatchObject([{ isQuotaFinal: true }]);
  });

  test("while the resource's quota is not exhausted is that of calls, and passes", async () => {
    const answers = [() => Promise.reject(refused()), async () => "eip-1"];
    const { session } = sessionWith({ eip: 3 });
    const context = contextOf({ session });
    const made = withQuota(context, "pek3a", { eip: 1 }, () => (answers.shift() ?? (async () => "late"))());
    await vi.advanceTimersByTimeAsync(8_000);
    expect(await made).toBe("eip-1");
    expect(context.told).toEqual([
      "no quota The resource's own quota is not exhausted; waiting for that of calls.",
    ]);
  });

  test("that is told three times while enough is left is final: with the cloud's words, and what is left", async () => {
    const { asked, session } = sessionWith({ eip: 3, eip_bandwidth: 100 });
    const work = vi.fn(() => Promise.reject(refused()));
    const context = contextOf({ session });
    const told = expect(
      withQuota(context, "pek3a", { eip: 1, eip_bandwidth: 20 }, work),
    ).rejects.toMatchObject({
      name: "Error",
      cause: { retCode: 2500 },
      message:
        "no quota. It was refused so 3 times, while other calls were answered. The quota of zone pek3a: eip (1 wanted, 3 left), eip_bandwidth (20 wanted, 100 left). Delete what is not needed there, or ask QingCloud for more.",
    });
    await vi.advanceTimersByTimeAsync(20_000);
    await told;
    expect(work).toHaveBeenCalledTimes(3);
    expect(asked).toHaveLength(3);
    expect(context.told).toHaveLength(2);
  });

  test("for a need that is not known tells what is left of it, and claims nothing meanwhile", async () => {
    const { asked, session } = sessionWith({ instance: 9, cpu: 0, memory: 512 });
    const context = contextOf({ session });
    const wanted = { instance: 1, cpu: undefined, memory: undefined };
    const told = expect(withQuota(context, "pek3a", wanted, () => Promise.reject(refused()))).rejects.toThrow(
      "no quota. It was refused so 3 times, while other calls were answered. The quota of zone pek3a: instance (1 wanted, 9 left), cpu (0 left), memory (512 left). Delete what is not needed there, or ask QingCloud for more.",
    );
    await vi.advanceTimersByTimeAsync(20_000);
    await told;
    expect(asked[0]).toEqual(["GetQuotaLeft", "pek3a", { resource_types: ["instance", "cpu", "memory"] }]);
    const waits =
      "no quota Whether the resource's own quota is exhausted is not known; waiting for that of calls.";
    expect(context.told).toEqual([waits, waits]);
  });

  test.each([
    { random: 0, pause: 2.5, calls: 25 },
    { random: 0.6, pause: 5.5, calls: 11 },
    { random: 0.999, pause: 7.495, calls: 9 },
  ])(
    "is waited for until the deadline, and no longer, where the cloud tells no quota: every $pause s",
    async ({ random, calls }) => {
      vi.spyOn(Math, "random").mockReturnValue(random);
      const { session } = sessionWith({});
      const work = vi.fn(() => Promise.reject(refused()));
      const context = contextOf({ session, deadline: Date.now() + 60_000 });
      const told = expect(withQuota(context, "pek3a", { eip: 1 }, work)).rejects.toThrow(/^no quota$/);
      await vi.advanceTimersByTimeAsync(60_000);
      await told;
      expect(work).toHaveBeenCalledTimes(calls);
    },
  );
});
