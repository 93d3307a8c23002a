import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { versionOf } from "../../bench/interrupts/results.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "code-version-"));
  mkdirSync(join(folder, "infra"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("results stand for the code: other comments, types and line breaks are the same code, other words are not", () => {
  const versionWith = (text: string) => {
    writeFileSync(join(folder, "infra", "a.ts"), text);
    return versionOf(folder);
  };
  const version = versionWith('export const sum = (a: number) => a + 1; // "one"\n');
  expect(versionWith("/** Adds. */\nexport const sum = (\n  a: bigint,\n) => a + 1;\n")).toBe(version);
  expect(versionWith("export const sum = (a: number) => a + 2;\n")).not.toBe(version);
  writeFileSync(join(folder, "Pulumi.yaml"), "name: a\n");
  expect(versionWith('export const sum = (a: number) => a + 1; // "one"\n')).not.toBe(version);
});
