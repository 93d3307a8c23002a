/** pytest's JUnit XML: how many tests passed, and what each file took. */
import type { Outcome } from "./test-parts.ts";

/** The tests that pytest runs. */
export const pytestFolder = "test/train/python";

/**
 * A skipped test, and a file that could not be loaded, count as failed.
 * @param code pytest's exit code: one that is not 0 without a failed test counts as a failure
 * @throws Error if the report has no counts
 */
export function outcomeOfPytest(xml: string, code: number): Outcome {
  const suite = /<testsuite ([^>]*)>/.exec(xml)?.[1] ?? "";
  const count = (name: string) => {
    const found = new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1];
    if (found === undefined) throw new Error(`pytest's report has no ${name}: ${xml.slice(0, 200)}`);
    return Number(found);
  };
  const failed = count("failures") + count("errors") + count("skipped");
  return {
    passed: count("tests") - failed,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    files: secondsByFile(xml),
  };
}

/** The class of a test begins with its module: `test.train.python.test_sync.TestModes`. */
function secondsByFile(xml: string): Outcome["files"] {
  const seconds = new Map<string, number>();
  for (const [, attributes = ""] of xml.matchAll(/<testcase ([^>]*)>/g)) {
    const module = /\bclassname="(?:[\w.]*\.)?(test_\w+)/.exec(attributes)?.[1];
    const time = /\btime="([\d.]+)"/.exec(attributes)?.[1];
    if (module === undefined || time === undefined) continue;
    const file = `${pytestFolder}/${module}.py`;
    seconds.set(file, (seconds.get(file) ?? 0) + Number(time));
  }
  return [...seconds].map(([file, total]) => ({ file, seconds: total }));
}
