import { expect, test } from "vitest";
import { runSteps, type Step } from "../../../scripts/dev/steps.ts";

const step = (name: string, found: string | undefined, make: Step["make"] = async () => "made"): Step => ({
  name,
  present: async () => found,
  make,
});
const run = async (...steps: Step[]) => {
  const lines: string[] = [];
  await runSteps(steps, (line) => lines.push(line.replace(/\(\d+\.\d s\)$/, "(TIME)")));
  return lines;
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
  const lines: string[] = [];
  const steps = [
    step("one", undefined, () => Promise.reject(new Error("no network"))),
    step("two", undefined, () => Promise.reject("no disk")),
    step("three", undefined, async () => await new Promise((resolve) => setImmediate(resolve, "late"))),
  ];
  await expect(runSteps(steps, (line) => lines.push(line))).rejects.toThrow(
    "The set-up did not finish.\none: no network\ntwo: no disk",
  );
  expect(lines.at(-1)).toMatch(/^three: late \(/);
});
