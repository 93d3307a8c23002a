/** A test that cannot run on a machine fails with the reason: it is never skipped. */
import { checkPrerequisites } from "../local-cloud/network/machine/prerequisites.ts";

/** @throws Error that lists what the machine lacks for network namespaces and the data plane */
export function requireDataPlane(): void {
  const problems = checkPrerequisites();
  if (problems.length > 0)
    throw new Error(`This test needs the data plane:\n${problems.map((line) => `  - ${line}`).join("\n")}`);
}
