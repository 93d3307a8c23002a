import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { inTurn } from "../../../provider/link/turns.ts";

/** Work that runs until it is let go. */
function workOf(log: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const work = async () => {
    log.push(`${name} begins`);
    await promise;
    log.push(`${name} ends`);
    return name;
  };
  return { work, letGo: resolve };
}

test("work that shares a thing begins when the earlier one has ended, other work at once", async () => {
  const log: string[] = [];
  const works = ["ab", "bc", "cd", "ef"].map((things) => ({ things, ...workOf(log, things) }));
  const running = works.map(({ things, work }) => inTurn(things.split(""), work));
  await setImmediate();
  expect(log).toEqual(["ab begins", "ef begins"]);
  for (const { letGo } of works) letGo();
  expect(await Promise.all(running)).toEqual(["ab", "bc", "cd", "ef"]);
  const order = log.filter((line) => !line.startsWith("ef"));
  expect(order).toEqual(["ab begins", "ab ends", "bc begins", "bc ends", "cd begins", "cd ends"]);
});

test("two that share two things in opposite order do not wait for each other", async () => {
  const done = [inTurn(["a", "b"], async () => 1), inTurn(["b", "a"], async () => 2)];
  expect(await Promise.all(done)).toEqual([1, 2]);
});

test("a failure is the caller's own, and the next has its turn", async () => {
  const failing = inTurn(["a"], () => Promise.reject(new Error("broken")));
  const next = inTurn(["a"], async () => "next");
  await expect(failing).rejects.toThrow("broken");
  expect(await next).toBe("next");
});
