/** `npm run check`: types, lint and format. */
import { join } from "node:path";
import { capture } from "./process.ts";

const root = join(import.meta.dirname, "..", "..");
const bin = (name: string) => join(root, "node_modules", ".bin", name);

export interface Check {
  readonly name: string;
  readonly passed: boolean;
  readonly said: string;
}

/** Runs the checks at the same time. */
export function runChecks(): Promise<Check[]> {
  const checks = [
    { name: "types (tsc)", command: bin("tsc"), args: ["--noEmit", "-p", root] },
    { name: "lint and format (biome)", command: bin("biome"), args: ["check", root] },
  ];
  return Promise.all(
    checks.map(async ({ name, command, args }) => {
      const { code, stdout, stderr } = await capture(command, args, { cwd: root });
      return { name, passed: code === 0, said: `${stdout}${stderr}`.trim() };
    }),
  );
}

if (import.meta.main) {
  for (const { name, passed, said } of await runChecks()) {
    process.stdout.write(`${passed ? "passed" : "failed"}: ${name}\n${passed ? "" : `${said}\n`}`);
    if (!passed) process.exitCode = 1;
  }
}
