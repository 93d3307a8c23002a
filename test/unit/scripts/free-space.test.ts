import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { requireSpace } from "../../../scripts/dev/free-space.ts";
import { stateFile } from "../../../scripts/dev/state-file.ts";
import type { Workspace } from "../../../scripts/dev/workspace.ts";

const root = mkdtempSync(join(tmpdir(), "free-space-"));
afterAll(() => rmSync(root, { recursive: true }));
const workspace: Workspace = { root, pulumi: join(root, "p"), cloud: join(root, "c"), stack: "dev" };
const mib = 2 ** 20;
const plenty = {
  type: 0,
  bsize: 4096,
  blocks: 2 ** 30,
  bfree: 0,
  bavail: 2 ** 30,
  files: 2 ** 20,
  ffree: 2 ** 20,
};

function refusal(found: Partial<typeof plenty>): string {
  try {
    requireSpace(workspace, () => ({ ...plenty, ...found }));
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

test("too little space is refused with what is needed and what there is, and enough is not", () => {
  expect(refusal({})).toBe("");
  expect(refusal({ bavail: (32 * mib) / 4096 })).toBe("");
  expect(refusal({ bavail: (3 * mib) / 4096 })).toBe(
    `${workspace.pulumi} holds the state of stack dev, which is written at each step. It needs 32 MiB of free space, and there are 3. Make room on that file system (\`df -h\` and \`df -i\` show it) and run the command again. Nothing has been created or changed`,
  );
  expect(refusal({ ffree: 7 })).toContain("It needs 200 more files, and there is room for 7. ");
});

test("a large state needs more", () => {
  const file = stateFile(workspace);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "");
  truncateSync(file, 10 * mib);
  expect(refusal({ bavail: (79 * mib) / 4096 })).toContain("80 MiB of free space, and there are 79");
  expect(refusal({ bavail: (80 * mib) / 4096 })).toBe("");
});

test("a file system that does not say how large it is, or how many files it takes, is not refused", () => {
  expect(refusal({ blocks: 0, bavail: 0, files: 0, ffree: 0 })).toBe("");
});
