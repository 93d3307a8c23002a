import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

const isThere = () => existsSync(path);
const fails = async () => {
  throw new Error("refused");
};

test("the file is there while anything is changed or deleted, and gone once all of it has ended", async () => {
  const behind = new BehindFile(path);
  const first = Promise.withResolvers<void>();
  const changed = behind.changing(() => first.promise);
  await behind.deleting(async () => expect(isThere()).toBe(true));
  expect(isThere()).toBe(true);
  first.resolve();
  await changed;
  expect(isThere()).toBe(false);
});

test("a change that fails is in the state; a deletion that fails is not, so the file stays", async () => {
  const behind = new BehindFile(path);
  await expect(behind.changing(fails)).rejects.toThrow("refused");
  expect(isThere()).toBe(false);
  await expect(behind.deleting(fails)).rejects.toThrow("refused");
  await behind.changing(async () => {});
  expect(isThere()).toBe(true);
});

test("one that an earlier run has left stays, and so does what is said of another resource", async () => {
  writeFileSync(path, "");
  await new BehindFile(path).changing(async () => {});
  expect(isThere()).toBe(true);
  rmSync(path);
  const behind = new BehindFile(path);
  await behind.changing(async () => behind.stay());
  expect(isThere()).toBe(true);
});

test("without a path there is no file, and the work is done", async () => {
  const behind = new BehindFile(undefined);
  behind.stay();
  expect(await behind.changing(async () => 1)).toBe(1);
});
