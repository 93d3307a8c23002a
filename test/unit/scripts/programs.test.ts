/** Which file toolchain/start starts: the single file that set-up has made, or the source. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { programsStep } from "../../../scripts/dev/programs.ts";
import { findWorkspace } from "../../../scripts/dev/workspace.ts";

const silent = { say: () => {}, progress: () => {} };
const programs = "node_modules/.cache/programs";
let directory: string;
let checkout: string;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "crosszone-programs-")));
  checkout = join(directory, "checkout");
  const { root } = findWorkspace();
  for (const file of ["node", "program", "start"])
    cpSync(join(root, "toolchain", file), join(checkout, "toolchain", file));
  for (const folder of ["infra", "local-cloud", "qingcloud", "scripts/dev"])
    mkdirSync(join(checkout, folder), { recursive: true });
  write("provider/main.ts", "source");
  write("provider/kept.ts", "source");
  write("package.json", "{}");
  write("node_modules/.package-lock.json", "{}");
  write(`${programs}/provider/main.mjs`, "single file");
  write(`${programs}/made`, `${checkout}\n`);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A program prints its own name, Node's options and its arguments. */
function write(file: string, content: string): void {
  const path = join(checkout, file);
  mkdirSync(dirname(path), { recursive: true });
  const isProgram = /\.m?[jt]s$/.test(file);
  const text = `console.log([${JSON.stringify(content)}, ...process.execArgv, ...process.argv.slice(2)].join());`;
  writeFileSync(path, isProgram ? text : content);
}

/** Writes a file later than the programs were made: the kernel's clock goes on in steps of some milliseconds. */
function change(file: string): void {
  const made = statSync(join(checkout, programs, "made")).mtimeMs;
  do write(file, file.endsWith("json") ? "{}" : "changed");
  while (statSync(join(checkout, file)).ctimeMs <= made);
}

const started = (...args: string[]) =>
  execFileSync(join(checkout, "toolchain", "start"), [...args], { encoding: "utf8" }).trim();

test("the single file is started with Node's options and the arguments", () => {
  expect(started("--stack-size=900", "provider/main.ts", "one", "two words")).toBe(
    "single file,--stack-size=900,one,two words",
  );
});

test.each(["provider/main.ts", "provider/kept.ts", "scripts/dev/new.ts", "toolchain/new.mjs"])(
  "a change of %s counts, also where the file's own time is set back",
  (file) => {
    change(file);
    utimesSync(join(checkout, file), 0, 0);
    expect(started("provider/main.ts")).toBe(file === "provider/main.ts" ? "changed" : "source");
  },
);

test.each(["package.json", "node_modules/.package-lock.json"])("other packages in %s count", (file) => {
  change(file);
  expect(started("provider/main.ts")).toBe("source");
});

test("what no program is made of does not count", () => {
  change("local-cloud/network/__pycache__/one.pyc");
  change("infra/notes.md");
  expect(started("provider/main.ts")).toBe("single file");
});

test("a program that was not made, and one of another checkout, is started from its source", () => {
  write("local-cloud/main.ts", "source");
  write(`${programs}/made`, `${directory}\n`);
  expect(started("provider/main.ts")).toBe("source");
  rmSync(join(checkout, programs), { recursive: true });
  expect(started("local-cloud/main.ts")).toBe("source");
});

test("set-up makes the single files, and finds them the next time", async () => {
  const step = programsStep(findWorkspace());
  if ((await step.present()) === undefined) expect(await step.make(silent)).toBe("single files made");
  expect(await step.present()).toBe("single files there");
}, 300_000);
