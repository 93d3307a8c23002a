/** Mistakes that a user can make: all are reported at once, and nothing has been made. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { changingActions } from "../harness/calls.ts";
import { Place } from "../harness/place.ts";
import type { Ended } from "../harness/process.ts";

let place: Place;

beforeAll(async () => {
  place = new Place();
  await place.cloudOk("start", "--data-plane", "none", "--port", "0");
});

afterEach(() => {
  expect(changingActions(place.calls())).toEqual([]);
});

afterAll(() => place.remove());

async function refusedPreview(): Promise<Ended> {
  const ended = await place.preview();
  expect(ended.code, ended.text).not.toBe(0);
  return ended;
}

/** The problems that the message lists, each without its bullet. */
function problemsIn({ text }: Ended): string[] {
  const [, ...lines] = text.slice(text.lastIndexOf("The configuration has")).split("\n");
  return lines.filter((line) => /^\s+- /.test(line)).map((line) => line.replace(/^\s+- /, ""));
}

test("npm run train without a run says how to start one", async () => {
  const { code, stderr } = await place.train("status").ended;
  expect(code).toBe(2);
  expect(stderr).toContain("stack dev has no training run. Start one: npm start");
});

test("all problems of a configuration stand in one message, each with its key and the value given", async () => {
  place.configure({
    "zones[0].bandwidthMbps": 0,
    "zones[1].bandwidthMbps": 1001,
    "zones[1].network": "192.168.1.0/24",
    "zones[1].zoneId": "gpu9z",
    "training.script.path": "scripts/train/nowhere.py",
  });
  const problems = problemsIn(await refusedPreview());
  const keys = problems.map((problem) => problem.split(": ")[0]).sort();
  expect(keys).toEqual([
    "crosszone:training.script.path",
    "crosszone:zones[0].bandwidthMbps",
    "crosszone:zones[1].bandwidthMbps",
    "crosszone:zones[1].network",
    "crosszone:zones[1].zoneId",
  ]);
  const given = [
    "(given: 0)",
    "(given: 1001)",
    '"192.168.1.0/24")',
    '"gpu9z")',
    '"scripts/train/nowhere.py")',
  ];
  for (const value of given) {
    expect(problems.filter((problem) => problem.includes(value)).length, value).toBe(1);
  }
  expect(problems.find((problem) => problem.includes("gpu9z"))).toContain("gpu1a, gpu2a");
});

test("a wrong secret key is reported as what it is, with the cloud's code and where the key came from", async () => {
  const file = join(place.cloudHome, "config.yaml");
  const right = readFileSync(file, "utf8");
  place.configure({ zones: undefined, training: undefined });
  try {
    writeFileSync(
      file,
      right.replace(/^(qy_secret_access_key): .*$/m, "$1: 'wrongwrongwrongwrongwrongwrongwrongwrong'"),
    );
    const { text } = await refusedPreview();
    expect(text).toContain("1200");
    expect(text).toContain(file);
    expect(text).not.toContain("wrongwrong");
    expect(text).not.toMatch(/^\s+at .*\.ts:\d+/m);
  } finally {
    writeFileSync(file, right);
  }
});

test("a cloud that is not running is reported with its address", async () => {
  const { endpoint } = await place.status();
  await place.cloudOk("stop");
  const { text } = await refusedPreview();
  expect(text).toContain(new URL(endpoint ?? "").host);
  expect(text).not.toMatch(/^\s+at .*\.ts:\d+/m);
});
