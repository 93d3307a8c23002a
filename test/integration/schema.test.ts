import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { definitions, functions } from "../../provider/definitions.ts";
import { packageSchema } from "../../provider/schema.ts";
import { Stack } from "../harness/stack.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.here();
});
afterAll(async () => await stack?.remove());

test("the CLI reads the schema from the provider's executable, and finds nothing wrong with it", async () => {
  const printed = await stack.ok("package", "get-schema", "./provider/pulumi-resource-qingcloud");
  expect(withoutEmpty(JSON.parse(printed))).toEqual(withoutEmpty(packageSchema(definitions, functions)));
  const file = join(stack.cloud.directory, "schema.json");
  writeFileSync(file, printed);
  await stack.ok("schema", "check", file);
});

/** The CLI leaves out what is empty. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value)
    .map(([name, each]) => [name, withoutEmpty(each)] as const)
    .filter(([, each]) => typeof each !== "object" || each === null || Object.keys(each).length > 0);
  return Object.fromEntries(kept);
}
