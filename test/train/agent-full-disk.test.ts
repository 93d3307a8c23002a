/** A node whose disk is full, before a rank starts and while it runs: it is the cause that is named. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { agent } from "./agent.ts";
import { Python } from "./python.ts";

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "full-"));
});

afterAll(() => rm(home, { recursive: true, force: true }));

/** Follows a rank, which it launches, on a disk of 8 MiB that nobody else sees, of which `used` are taken. */
function follow(runId: string, script: string, used: string) {
  const asRoot = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  const inNode = `mount -t tmpfs -o size=8m node ${home} && head -c ${used} /dev/zero > ${home}/used && exec /usr/bin/python3 ${agent} follow`;
  const launch = { argv: ["/bin/sh", "-c", script], directory: home };
  return new Python(
    "-c",
    [
      "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])",
      ...["unshare", ...asRoot, "--mount", "--propagation", "private", "sh", "-c", inNode],
    ],
    {
      stdin: JSON.stringify({ runId, rank: 0, launch }),
      env: { HOME: home },
    },
  ).ended;
}

const advice =
  /: \d+ KiB of 0\.0 GiB are free at \S+\. Delete what is not needed, e\.g\. runs of before in ~\/\.crosszone\/runs/;

test("a rank is not started, and why", async () => {
  const { code, stderr } = await follow("before", "true", "7m");
  expect(code).toBe(1);
  expect(stderr).toMatch(/^agent follow: rank 0 was not started: the disk of this node is full/);
  expect(stderr).toMatch(advice);
});

test("a rank that fills it is lost for that, and its supervisor is not", async () => {
  const script = `echo begins; head -c 20m /dev/zero > ${home}/data || { cat ${home}/data >> ${home}/more; exit 1; }`;
  const { code, stdout, stderr } = await follow("meanwhile", script, "1");
  expect(code).toBe(1);
  expect(stderr).toMatch(/rank 0 failed with exit code 1: the disk of this node is full/);
  expect(stderr).toMatch(advice);
  expect(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
    state: "failed",
    exitCode: 1,
  });
});
