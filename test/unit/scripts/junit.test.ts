import { describe, expect, test } from "vitest";
import { outcomeOfPytest } from "../../../scripts/dev/junit.ts";

const xmlOf = (counts: string) =>
  `<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" ${counts} time="6.5" timestamp="2026-01-01T00:00:00.000000" hostname="here"><testcase name="tests=9" /></testsuite></testsuites>`;

describe("pytest's report", () => {
  test("counts a skipped test and one with an error as failed", () => {
    expect(outcomeOfPytest(xmlOf('errors="1" failures="2" skipped="3" tests="10"'), 1)).toMatchObject({
      passed: 4,
      failed: 6,
    });
    expect(outcomeOfPytest(xmlOf('errors="0" failures="0" skipped="0" tests="10"'), 0)).toMatchObject({
      passed: 10,
      failed: 0,
    });
  });

  test("of a run that ended badly is never without a failure", () => {
    expect(outcomeOfPytest(xmlOf('errors="0" failures="0" skipped="0" tests="0"'), 5)).toMatchObject({
      passed: 0,
      failed: 1,
    });
  });

  test("without counts is an error", () => {
    expect(() => outcomeOfPytest("<testsuites/>", 0)).toThrow(
      "pytest's report has no failures: <testsuites/>",
    );
  });

  test("gives each file's seconds, the sum of its tests", () => {
    const cases = [
      '<testcase classname="test.train.python.test_sync.TestModes" name="a" time="1.5" />',
      '<testcase classname="test.train.python.test_sync" name="b" time="0.25"><failure /></testcase>',
      '<testcase classname="test.train.python.test_text" name="c" time="2" />',
    ];
    const xml = xmlOf('errors="0" failures="1" skipped="0" tests="3"').replace(
      /<testcase.*\/>/,
      cases.join(""),
    );
    expect(outcomeOfPytest(xml, 1).files).toEqual([
      { file: "test/train/python/test_sync.py", seconds: 1.75 },
      { file: "test/train/python/test_text.py", seconds: 2 },
    ]);
  });
});
