import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

test("the command starts without a test runner, and lists what it measures", () => {
  const main = join(import.meta.dirname, "..", "..", "bench", "main.ts");
  const listed = execFileSync(process.execPath, [main, "--list"], { encoding: "utf8" });
  for (const name of ["deploy.up.seconds", "nodes24", "provider.start.seconds"]) {
    expect(listed).toMatch(new RegExp(`^${name}`, "m"));
  }
});
