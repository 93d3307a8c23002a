import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunData } from "../../../../scripts/dev/report/data.ts";
import { bytes, duration, escapeMarkup, ranges } from "../../../../scripts/dev/report/format.ts";
import { describe as describeRun, stateOf } from "../../../../scripts/dev/report/model.ts";
import { pictureWidth, zoom } from "../../../../scripts/dev/report/picture.ts";
import { writeReport } from "../../../../scripts/dev/report/write.ts";
import { openPages, type Seen, trainingCharts } from "../../../browser.ts";
import { sampleRun, twoZones } from "./samples.ts";

const folder = mkdtempSync(join(tmpdir(), "report-"));
afterAll(() => rmSync(folder, { recursive: true }));

function written(data: RunData, into = join(folder, "made", "here")) {
  const { html, png, missing } = writeReport(data, into);
  return { path: html, html: readFileSync(html, "utf8"), png: readFileSync(png), missing };
}

const fourZones = { ...twoZones, zones: ["beijing", "tianjin", "shanghai", "guangdong"], nodesPerZone: 6 };
/** Reports that several tests look at. */
let ofTwoRanks: ReturnType<typeof written>;
let of24Ranks: ReturnType<typeof written>;
beforeAll(() => {
  ofTwoRanks = written(sampleRun(), join(folder, "two ranks"));
  of24Ranks = written(sampleRun(fourZones), join(folder, "24 ranks"));
}, 60_000);

/** The words of a page or drawing. */
const textOf = (markup: string) =>
  markup
    .replace(/<style[\s\S]*?<\/style>/g, "")
    .replace(/<[^>]+>/g, "\n")
    .replace(/\n+/g, "\n");

const blocksOf = (data: RunData) => describeRun(data).sections.flatMap(({ blocks }) => blocks);
const factsOf = (data: RunData) =>
  Object.fromEntries(blocksOf(data).flatMap((block) => (block.kind === "facts" ? block.items : [])));

/** Width and height that a PNG says it has. */
const sizeOf = (png: Buffer) => [png.readUInt32BE(16), png.readUInt32BE(20)];

test("the result is the run's own, in numbers for people", () => {
  expect(factsOf(sampleRun())).toEqual({
    accuracy: "0.7500",
    loss: "0.6667",
    epochs: "3",
    steps: "12",
    "time of a step": "100 ms",
    communication: "40 %",
    "sent a step": "178 kB",
    ranks: "2",
    parameters: "38,282",
  });
});

test("what a step takes over the link is below its ranks, and nothing of it where nothing tells", () => {
  const ranksOf = (data: RunData) =>
    describeRun(data).sections.find(({ title }) => title === "Ranks")?.blocks;
  const data = sampleRun();
  expect(ranksOf(data)?.[1]).toEqual({ kind: "text", lines: ["a step should take 110 ms, and took 100 ms"] });
  expect(ranksOf({ ...data, link: undefined })).toHaveLength(1);
});

test("a run that goes on tells how far it is", () => {
  const data = sampleRun();
  const ranks = data.ranks.map((rank) => {
    const { steps, epochs } = rank.metrics;
    return {
      ...rank,
      metrics: { ...rank.metrics, steps: steps.slice(0, 9), epochs: epochs.slice(0, 2), result: undefined },
    };
  });
  expect(factsOf({ ...data, ranks })).toMatchObject({
    epochs: "2 of 3",
    steps: "9",
    accuracy: "0.6667",
    loss: "1.0000",
  });
});

test("without metrics the result is what the ranks said last, and the page says what it lacks", () => {
  const data = sampleRun(twoZones, () => []);
  const launches = data.launches.map((launch, rank) => ({
    ...launch,
    summary: launch.summary && {
      ...launch.summary,
      results: [{ rank, accuracy: 0.9, finalLoss: 0.5, event: "x" }],
    },
  }));
  expect(factsOf({ ...data, launches })).toMatchObject({ accuracy: "0.9000", loss: "0.5000", steps: "–" });
  const { missing, html } = written({ ...data, launches });
  expect(missing).toHaveLength(1);
  expect(missing[0]).toMatch(/^Loss, accuracy and step times of ranks 0, 1: /);
  expect(textOf(html)).toContain("METRICS_DIR");
  expect(textOf(html)).not.toContain("Loss over steps");
});

test("a failed rank is told with its reason and last lines, and makes the run a failed one", () => {
  const data = sampleRun();
  const lines = ["Traceback", "ValueError: <odd>"];
  const launches = data.launches.map((launch, index) => ({
    ...launch,
    summary: launch.summary && {
      ...launch.summary,
      ...(index === 1 ? { state: "failed" as const, exitCode: 1, reason: "it broke", lines } : {}),
    },
  }));
  expect(stateOf({ launches })).toBe("failed");
  const { html } = written({ ...data, launches });
  expect(html).toContain(
    "rank 1 on shanghai-1 failed with exit code 1: it broke\n  Traceback\n  ValueError: &lt;odd&gt;",
  );
});

test("the state of a run is the worst of its launches'", () => {
  const of = (...states: ("running" | "succeeded" | "stopped" | undefined)[]) =>
    stateOf({
      launches: sampleRun().launches.map((launch, index) => {
        const state = states[index];
        return { ...launch, summary: state && { state, attempt: 1, lines: [], results: [] } };
      }),
    });
  expect(of("succeeded", "succeeded")).toBe("succeeded");
  expect(of("running", "succeeded")).toBe("running");
  expect(of("stopped", "running")).toBe("stopped");
  expect(of("running", undefined)).toBe("unknown");
});

test("the page holds every chart with its axes and legend, and needs nothing from anywhere", () => {
  const { html } = ofTwoRanks;
  const text = textOf(html);
  for (const words of [
    ["Loss over steps", "Loss over time", "Accuracy over steps", "Accuracy over time"],
    ["Time of a step, mean of the ranks", "Time of a step by rank, mean of all steps"],
    ["EIP of beijing, 203.0.113.10", "EIP of shanghai, 203.0.113.11"],
    ["step", "loss", "accuracy", "ms a step", "Mbit/s", "time since the start [s]"],
    ["rank 0", "rank 1", "all 2 ranks", "compute", "communication", "rate 20 Mbit/s"],
    ["beijing (zone gpu1a)", "VPC router rtr-00000000", "EIP 203.0.113.10 · 20 Mbit/s"],
    ["shanghai-1  192.168.2.2  rank 1", "IPSec, encrypted · RTT 1.1 ms · 18.3 Mbit/s · MTU 1400"],
    ["0.7500", "38,282", "abababababab", "75.0 MB", "2.00 Mbit/s"],
  ].flat()) {
    expect(text.split("\n").map((line) => line.trim())).toContain(words);
  }
  expect(text).toContain("    mode: cross-zone");
  expect(text).toContain("rank 1 on shanghai-1: python train.py --rank 1");
  expect(html).not.toMatch(/<script|<iframe|@import|url\((?!#)|(?:src|href)="(?!data:)/);
}, 60_000);

test("names are text, wherever they stand", () => {
  const odd = `<b>"x"</b>&'`;
  const data = sampleRun({ ...twoZones, zones: [odd, "b"] });
  const { html } = written({
    ...data,
    stack: odd,
    files: [{ name: odd, sha256: undefined }],
    launches: data.launches.map((launch) => ({ ...launch, argv: [odd], problem: odd })),
  });
  expect(html).not.toContain("<b>");
  expect(html).toContain("&lt;b&gt;&quot;x&quot;&lt;/b&gt;&amp;&#39;-1");
  expect(escapeMarkup("a\u0000\ud800b\n")).toBe("a\ufffd\ufffdb\n");
}, 60_000);

test.each([
  ["one rank", () => written(sampleRun({ ...twoZones, zones: ["a"] }))],
  ["24 ranks in 4 zones", () => of24Ranks],
  [
    "9 zones with a tunnel between each two",
    () => written(sampleRun({ ...twoZones, zones: [..."abcdefghi"] })),
  ],
])(
  "the picture of %s has its full width and is not blank",
  (_, made) => {
    const { png } = made();
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    const [width, height = 0] = sizeOf(png);
    expect(width).toBe(pictureWidth * zoom);
    expect(height).toBeGreaterThan(2500);
    // A white one of the size would be a few thousand bytes.
    expect(png.length).toBeGreaterThan(150_000);
  },
  60_000,
);

describe("in a real browser", () => {
  const topology = "Zones, routers, nodes and tunnels";
  let small: Seen;
  let large: readonly Seen[];
  beforeAll(async () => {
    const [first, ...others] = await openPages(
      [ofTwoRanks.path, 1280],
      [of24Ranks.path, 1280],
      [of24Ranks.path, 390],
    );
    [small, large] = [first as Seen, others];
  }, 60_000);

  test("a browser shows every chart, says nothing on its console and asks nobody for anything", () => {
    const seen = small;
    expect(seen.console).toEqual([]);
    // The icon is in the page.
    expect(seen.requests.filter((address) => address !== "data:,")).toEqual([]);
    const eips = ["EIP of beijing, 203.0.113.10", "EIP of shanghai, 203.0.113.11"];
    expect(seen.drawings.map(({ label }) => label)).toEqual([...trainingCharts, ...eips, topology]);
    for (const { width, height } of seen.drawings) expect(Math.min(width, height)).toBeGreaterThan(150);
    const lines = seen.text.split("\n").map((line) => line.trim());
    for (const words of ["0.7500", "38,282", "Training run 0123456789ab succeeded", "rank 1", "Mbit/s"]) {
      expect(lines).toContain(words);
    }
  });

  test("24 ranks fit into the window, and so does all on a telephone", () => {
    expect(large).toHaveLength(2);
    for (const seen of large) {
      expect(seen.console).toEqual([]);
      expect(seen.overflow).toBe(0);
    }
  });
});

test("a folder that can not be written is told with what to do", () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  expect(() => writeReport(sampleRun(), file)).toThrow(
    `the report can not be written to ${file} (EEXIST); give another folder: --output FOLDER`,
  );
}, 60_000);

test("amounts, times and ranges as people write them", () => {
  expect([0, 999, 1000, 178_400, 1_234_567, 9.9e9].map(bytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "178 kB",
    "1.2 MB",
    "9.9 GB",
  ]);
  expect([9.87, 320, 7500].map(duration)).toEqual(["9.9 s", "5 min 20 s", "2 h 5 min"]);
  expect(ranges([0, 1, 2, 3, 5, 7, 8])).toBe("0–3, 5, 7, 8");
});
