import { describe, expect, test } from "vitest";
import { countJunit } from "../../../scripts/dev/junit.ts";

const xmlOf = (counts: string) =>
  `<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" ${counts} time="6.5" timestamp="2026-01-01T00:00:00.000000" hostname="here"><testcase name="tests=9" /></testsuite></testsuites>`;

describe("pytest's report", () => {
  test("counts a skipped test and one with an error as failed", () => {
    expect(countJunit(xmlOf('errors="1" failures="2" skipped="3" tests="10"'), 1)).toEqual({
      passed: 4,
      failed: 6,
    });
    expect(countJunit(xmlOf('errors="0" failures="0" skipped="0" tests="10"'), 0)).toEqual({
      passed: 10,
      failed: 0,
    });
  });

  test("of a run that ended badly is never without a failure", () => {
    expect(countJunit(xmlOf('errors="0" failures="0" skipped="0" tests="0"'), 5)).toEqual({
      passed: 0,
      failed: 1,
    });
  });

  test("without counts is told", () => {
    expect(() => countJunit("<testsuites/>", 0)).toThrow("pytest's report tells no failures: <testsuites/>");
  });
});
