import { expect, test } from "vitest";
import {
  lastPart,
  longProject,
  outcomeOfVitest,
  parts,
  share,
  slowest,
  sumOf,
} from "../../../scripts/dev/test-parts.ts";
import config from "../../../vitest.config.ts";

const file = (name: string, seconds: number, status = "passed", tests = 1) => ({
  name: `/here/test/${name}`,
  status,
  startTime: 1000,
  endTime: 1000 + seconds * 1000,
  assertionResults: Array.from({ length: tests }, () => ({})),
});
const reportOf = (passed: number, total: number, success: boolean, ...testResults: object[]) =>
  JSON.stringify({ numPassedTests: passed, numTotalTests: total, success, testResults });

test("every project of vitest's configuration runs in exactly one part", () => {
  const projects = (config.test?.projects ?? []) as { test: { name: string } }[];
  const run = [...[...parts, lastPart].flatMap((part) => part.projects), longProject];
  expect(run.toSorted()).toEqual(projects.map((project) => project.test.name).sort());
});

test("a skipped test, a file that could not be loaded, and an error outside any test count as failed", () => {
  expect(outcomeOfVitest(reportOf(3, 4, true, file("a.test.ts", 1, "passed", 4)), "/here")).toMatchObject({
    passed: 3,
    failed: 1,
  });
  expect(
    outcomeOfVitest(reportOf(1, 1, false, file("a.test.ts", 1), file("b.test.ts", 1, "failed", 0)), "/here"),
  ).toMatchObject({
    passed: 1,
    failed: 1,
  });
  expect(outcomeOfVitest(reportOf(1, 1, false, file("a.test.ts", 1)), "/here")).toMatchObject({
    passed: 1,
    failed: 1,
  });
});

test("the slowest files of all parts come first, named from the checkout", () => {
  const one = outcomeOfVitest(reportOf(1, 1, true, file("a.test.ts", 1.25)), "/here");
  const other = outcomeOfVitest(
    reportOf(2, 2, true, file("b.test.ts", 100), file("c.test.ts", 0.1)),
    "/here",
  );
  const both = sumOf([one, other]);
  expect([both.passed, both.failed]).toEqual([3, 0]);
  expect(slowest(both, 2)).toEqual(["  100.0 s  test/b.test.ts", "    1.3 s  test/a.test.ts"]);
});

test("names are shared out to pytest and vitest; without one everything runs", () => {
  expect(share([])).toEqual({ pytest: [], vitest: [], all: true });
  expect(share(["test/train/python/test_sync.py", "test/unit"])).toEqual({
    pytest: ["test/train/python/test_sync.py"],
    vitest: ["test/unit"],
    all: false,
  });
});
