import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createOnce, namedAsRead, physicalName } from "../../../provider/cloud/naming.ts";
import { QingCloudError } from "../../../qingcloud/errors.ts";
import { contextOf } from "./contexts.ts";

const urn = "urn:pulumi:dev::crosszone::crosszone:network:Zone$qingcloud:cloud:Vpc::beijing-router";
const lost = () => new QingCloudError("the answer was lost", { action: "CreateRouters", outcome: "unknown" });
const refused = () =>
  new QingCloudError("no quota", { action: "CreateRouters", retCode: 2500, outcome: "refused" });

describe("a physical name", () => {
  test("is the one that was given", () => {
    expect(physicalName(urn, { name: "mine", mark: "0badcafe" })).toBe("mine");
  });

  test("is made of the logical name, the mark and a hash of the URN, and is the same in every run", () => {
    expect(physicalName(urn, { mark: "0badcafe" })).toMatch(/^beijing-router-0badcafe-[0-9a-f]{8}$/);
    expect(physicalName(urn, {})).toMatch(/^beijing-router-[0-9a-f]{8}$/);
    expect(physicalName(urn, { mark: "0badcafe" })).toBe(physicalName(urn, { mark: "0badcafe" }));
  });

  test("differs where the URN or the mark differs", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.stringMatching(/^[0-9a-f]{2}$/),
        fc.stringMatching(/^[0-9a-f]{2}$/),
        (a, b, markA, markB) => {
          const [one, other] = [
            physicalName(urn + a, { mark: markA }),
            physicalName(urn + b, { mark: markB }),
          ];
          expect(one === other).toBe(a === b && markA === markB);
        },
      ),
    );
  });
});

describe("the name as a read finds it", () => {
  test("stays out where it was made, is drift where it was given, and is taken by an import", () => {
    expect(namedAsRead({ mark: "m" }, "z", "found")).toEqual({ zone: "z", mark: "m" });
    expect(namedAsRead({ name: "given" }, "z", "found")).toEqual({ zone: "z", name: "found" });
    expect(namedAsRead(undefined, "z", "found")).toEqual({ zone: "z", name: "found" });
  });
});

describe("createOnce", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("makes what is not there, once, and says its id at once", async () => {
    const context = contextOf();
    const create = vi.fn(async () => "rtr-1");
    const made = await createOnce(context, "VPC", async () => [], create);
    expect(made).toEqual({ id: "rtr-1", adopted: false });
    expect(context.ids).toEqual(["rtr-1"]);
    expect(create).toHaveBeenCalledTimes(1);
  });

  test("adopts what an interrupted run made under the name", async () => {
    const context = contextOf();
    const create = vi.fn(async () => "rtr-2");
    expect(await createOnce(context, "VPC", async () => ["rtr-1"], create)).toEqual({
      id: "rtr-1",
      adopted: true,
    });
    expect(context.ids).toEqual(["rtr-1"]);
    expect(create).not.toHaveBeenCalled();
  });

  test("finishes the half-made one of the state without looking for it", async () => {
    const [find, create] = [vi.fn(async () => []), vi.fn(async () => "rtr-2")];
    const context = contextOf({ halfMadeId: "rtr-half" });
    expect(await createOnce(context, "VPC", find, create)).toEqual({ id: "rtr-half", adopted: true });
    expect([find.mock.calls, create.mock.calls]).toEqual([[], []]);
  });

  test("does not choose between two of the same name, and names both", async () => {
    const create = vi.fn(async () => "rtr-3");
    await expect(createOnce(contextOf(), 'VPC "x"', async () => ["rtr-1", "rtr-2"], create)).rejects.toThrow(
      'VPC "x" exists 2 times (rtr-1, rtr-2). Import the right one by `pulumi import` or delete the others, then run again.',
    );
    expect(create).not.toHaveBeenCalled();
  });

  test("after a lost answer looks until it is found, and never creates twice", async () => {
    const found: string[][] = [[], [], [], [], ["rtr-1"]];
    const find = vi.fn(async () => found.shift() ?? []);
    const create = vi.fn(() => Promise.reject(lost()));
    const context = contextOf();
    const made = createOnce(context, "VPC", find, create);
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
    const made = createOnce(contextOf(), "VPC", find, () => Promise.reject(lost()));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await made).toMatchObject({ id: "rtr-1" });
  });

  test("gives up only when the cloud would not accept the lost request any more: after 60 s", async () => {
    const create = vi.fn(() => Promise.reject(lost()));
    const started = Date.now();
    let endedAt = 0;
    const made = createOnce(contextOf(), "VPC", async () => [], create).finally(() => {
      endedAt = Date.now();
    });
    const told = expect(made).rejects.toThrow("the answer was lost");
    await vi.advanceTimersByTimeAsync(120_000);
    await told;
    expect(endedAt - started).toBeGreaterThanOrEqual(60_000);
    expect(endedAt - started).toBeLessThan(65_000);
    expect(create).toHaveBeenCalledTimes(1);
  });

  test("gives up at the deadline of the resource", async () => {
    const context = contextOf({ deadline: Date.now() + 5_000 });
    const told = expect(
      createOnce(
        context,
        "VPC",
        async () => [],
        () => Promise.reject(lost()),
      ),
    ).rejects.toThrow("the answer was lost");
    await vi.advanceTimersByTimeAsync(10_000);
    await told;
  });

  test("ends at once when it is cancelled while it looks", async () => {
    const cancel = new AbortController();
    const made = createOnce(
      contextOf({ signal: cancel.signal }),
      "VPC",
      async () => [],
      () => Promise.reject(lost()),
    );
    const told = expect(made).rejects.toThrow("Ctrl-C");
    await vi.advanceTimersByTimeAsync(3_000);
    cancel.abort(new Error("Ctrl-C"));
    await told;
  });

  test("a refusal is final, and nothing was made", async () => {
    const find = vi.fn(async () => []);
    const context = contextOf();
    await expect(createOnce(context, "VPC", find, () => Promise.reject(refused()))).rejects.toThrow(
      "no quota",
    );
    expect(find).toHaveBeenCalledTimes(1);
    expect(context.ids).toEqual([]);
  });

  test("an answer without an id is told", async () => {
    await expect(
      createOnce(
        contextOf(),
        "VPC",
        async () => [],
        async () => undefined,
      ),
    ).rejects.toThrow("VPC: the cloud accepted the call but answered no id.");
  });
});
