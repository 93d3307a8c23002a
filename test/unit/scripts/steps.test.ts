import { expect, test } from "vitest";
import { Progress } from "../../../scripts/dev/progress.ts";
import { runSteps, type Step } from "../../../scripts/dev/steps.ts";

const step = (name: string, found: string | undefined, make: Step["make"] = async () => "made"): Step => ({
  name,
  present: async () => found,
  make,
});
const run = async (...steps: Step[]) => {
  const { lines, progress } = shown();
  await runSteps(steps, progress);
  return lines;
};
/** The lines that a pipe gets, with a word for times. */
const shown = () => {
  const lines: string[] = [];
  const write = (text: string) => lines.push(text.trimEnd().replace(/\(\d+\.\d s\)$/, "(TIME)"));
  return { lines, progress: new Progress({ write }) };
};

test("a step whose result is there is not done, and says what was found and how long it took", async () => {
  const never = () => Promise.reject(new Error("done all the same"));
  expect(await run(step("tools", "3.256.0 of PATH", never))).toEqual(["tools: 3.256.0 of PATH (TIME)"]);
});

test("a step that is done says so before and after", async () => {
  expect(await run(step("data", undefined, async () => "written"))).toEqual([
    "data: working …",
    "data: written (TIME)",
  ]);
});

test("steps run at the same time", async () => {
  const meet = Promise.withResolvers<string>();
  const waits = step("one", undefined, () => meet.promise);
  const meets = step("two", undefined, async () => {
    meet.resolve("met");
    return "there";
  });
  expect(await run(waits, meets)).toContain("one: met (TIME)");
});

test("all failures are told by their steps, when the others have ended", async () => {
  const { lines, progress } = shown();
  const steps = [
    step("one", undefined, () => Promise.reject(new Error("no network"))),
    step("two", undefined, () => Promise.reject("no disk")),
    step("three", undefined, async () => await new Promise((resolve) => setImmediate(resolve, "late"))),
  ];
  await expect(runSteps(steps, progress)).rejects.toThrow(
    "The set-up did not finish.\none: no network\ntwo: no disk",
  );
  expect(lines.at(-1)).toMatch(/^three: late \(TIME\)$/);
});

test("what the work needs is asked for before any work begins, of the steps that have something to do", async () => {
  const order: string[] = [];
  const asking = (name: string, found: string | undefined): Step => ({
    ...step(name, found, async () => {
      order.push(`make ${name}`);
      return "made";
    }),
    prepare: async (print) => {
      order.push(`ask ${name}`);
      print(`as root: ${name}`);
    },
  });
  const plain = step("plain", undefined, async () => {
    order.push("make plain");
    return "made";
  });
  const lines = await run(
    plain,
    asking("one", undefined),
    asking("two", undefined),
    asking("there", "found"),
  );
  expect(order).toEqual(["ask one", "ask two", "make plain", "make one", "make two"]);
  expect(lines.slice(0, 2)).toEqual(["as root: one", "as root: two"]);
});

test("where it cannot be had, no step begins", async () => {
  const never = () => Promise.reject(new Error("done all the same"));
  const refused = {
    ...step("packages", undefined, never),
    prepare: () => Promise.reject(new Error("python3-torch is not in the package sources")),
  };
  await expect(run(step("build", undefined, never), refused)).rejects.toThrow(
    "The set-up cannot be done.\npackages: python3-torch is not in the package sources",
  );
});
