import { appendFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BehindFile } from "../../../provider/behind-file.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "behind-file-"));
  path = join(folder, "dev.is-behind");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the file is written before the first change, and the next run knows that it was there", () => {
  const behind = new BehindFile(path);
  expect([behind.wasThere, existsSync(path)]).toEqual([false, false]);
  behind.write();
  behind.write();
  expect([behind.wasThere, existsSync(path), new BehindFile(path).wasThere]).toEqual([false, true, true]);
});

test("where it cannot be written nothing is to be changed; without a path there is none", () => {
  expect(() => new BehindFile(join(folder, "missing", "dev.is-behind")).write()).toThrow("ENOENT");
  const none = new BehindFile(undefined);
  none.write();
  expect(none.wasThere).toBe(false);
});

test("the next run knows the last renaming that was begun, beside one that was cut off in the writing", () => {
  const renaming = (wanted: string) => ({ id: "sg-1/a", urn: "urn:1", last: { name: wanted } });
  const behind = new BehindFile(path);
  behind.write();
  behind.write(renaming("b"));
  expect(behind.renamingOf("sg-1/a")).toBeUndefined();
  appendFileSync(path, '\n{"id":"sg-1/');
  new BehindFile(path).write(renaming("c"));
  const next = new BehindFile(path);
  expect(next.renamingOf("sg-1/a")).toEqual(renaming("c"));
  expect(next.renamingOf("sg-2/a")).toBeUndefined();
});
