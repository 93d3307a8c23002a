/** The page in a real browser. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { writeReport } from "../../../../scripts/dev/report/write.ts";
import { openPage } from "../../../browser.ts";
import { sampleRun, twoZones } from "./samples.ts";

const folder = mkdtempSync(join(tmpdir(), "report-"));
afterAll(() => rmSync(folder, { recursive: true }));

const training = [
  "Loss over steps",
  "Loss over time",
  "Accuracy over steps",
  "Accuracy over time",
  "Time of a step, mean of the ranks",
  "Time of a step by rank, mean of all steps",
];
const topology = "Zones, routers, nodes and tunnels";

test("a browser shows every chart, says nothing on its console and asks nobody for anything", async () => {
  const seen = await openPage(writeReport(sampleRun(), folder).html);
  expect(seen.console).toEqual([]);
  // The icon is in the page.
  expect(seen.requests.filter((address) => address !== "data:,")).toEqual([]);
  const eips = ["EIP of beijing, 203.0.113.10", "EIP of shanghai, 203.0.113.11"];
  expect(seen.drawings.map(({ label }) => label)).toEqual([...training, ...eips, topology]);
  for (const { width, height } of seen.drawings) expect(Math.min(width, height)).toBeGreaterThan(150);
  const lines = seen.text.split("\n").map((line) => line.trim());
  for (const words of ["0.7500", "38,282", "Training run 0123456789ab succeeded", "rank 1", "Mbit/s"]) {
    expect(lines).toContain(words);
  }
}, 60_000);

test("24 ranks fit into the window, and so does all on a telephone", async () => {
  const shape = { ...twoZones, zones: ["beijing", "tianjin", "shanghai", "guangdong"], nodesPerZone: 6 };
  const { html } = writeReport(sampleRun(shape), folder);
  for (const width of [1280, 390]) {
    const seen = await openPage(html, width);
    expect(seen.console).toEqual([]);
    expect(seen.overflow).toBe(0);
  }
}, 60_000);
