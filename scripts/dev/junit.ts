/** What pytest tells in its JUnit XML, of which the counts are needed alone. */

/** The tests that pytest runs. */
export const pytestFolder = "test/train/python";

/**
 * A skipped test, and a file that could not be loaded, count as failed.
 * @param code pytest's exit code: one that is not 0 without a failed test is told as one
 * @throws Error if the report has no counts
 */
export function countJunit(xml: string, code: number): { passed: number; failed: number } {
  const suite = /<testsuite ([^>]*)>/.exec(xml)?.[1] ?? "";
  const count = (name: string) => {
    const found = new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1];
    if (found === undefined) throw new Error(`pytest's report tells no ${name}: ${xml.slice(0, 200)}`);
    return Number(found);
  };
  const failed = count("failures") + count("errors") + count("skipped");
  return { passed: count("tests") - failed, failed: failed === 0 && code !== 0 ? 1 : failed };
}
