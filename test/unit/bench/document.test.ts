import { expect, test } from "vitest";
import { checkSections, pageOf } from "../../bench/document.ts";
import { metricOf, selectMetrics } from "../../bench/metrics.ts";
import { resultsOf } from "../../bench/report.ts";

const date = new Date(Date.UTC(2026, 10, 24));
const provider = resultsOf({ "provider.start.seconds": [0.2] });
const link = resultsOf({
  "link.ipsec.10.goodput": [0.91],
  "link.gre.300.goodput": [0.94],
  "link.ddp.10.use": [0.9],
});
const modes = resultsOf(
  Object.fromEntries(
    selectMetrics(["link"])
      .filter((name) => metricOf(name).isLong)
      .map((name) => [name, [name.endsWith("bytesPerStep") ? 20_040 : 1.5]]),
  ),
);

const rowsOf = (page: string) => page.split("\n").filter((line) => line.startsWith("| "));

test("a group's section has each metric with its value, target and meaning", () => {
  const page = pageOf("", provider, date);
  expect(page).toMatch(/^# Performance\n/);
  expect(page).toMatch(/^## provider\n\nMeasured on 2026-11-24: \d+ cores of .+, Linux \d/m);
  expect(rowsOf(page)).toEqual([
    "| metric | value | target | what |",
    "| --- | --- | --- | --- |",
    "| `provider.start.seconds` | 0.2 s | at most 0.2 | the provider's process, from its start to its port on standard output |",
  ]);
});

test("the link's section has a row for each kind of tunnel, and one of DDP's use", () => {
  expect(rowsOf(pageOf("", link, date))).toEqual([
    "| Mbit/s | 2 | 10 | 50 | 100 | 300 |",
    "| --- | --- | --- | --- | --- | --- |",
    "| ipsec |  | 0.91 |  |  |  |",
    "| gre |  |  |  |  | 0.94 |",
    "| Mbit/s | 10 | 100 |",
    "| --- | --- | --- |",
    "| ddp | 0.9 |  |",
  ]);
});

test("the section of the sync modes has a row for each mode at each rate", () => {
  const rows = rowsOf(pageOf("", modes, date));
  expect(rows[0]).toBe("| sync | Mbit/s | s a step | kB a step | slowdown | loss |");
  expect(rows.slice(2)).toEqual(
    ["ddp", "fp16", "powersgd", "local-sgd", "diloco"].flatMap((mode) =>
      [10, 100].map((rate) => `| ${mode} | ${rate} | 1.5 | 20 | 1.5 | 1.5 |`),
    ),
  );
});

test("a part of a section is refused, with what else is to be measured", () => {
  expect(() => checkSections(selectMetrics(["link.ipsec", "link.gre", "link.ddp.10.use"]))).toThrow(
    "--document writes whole sections of the page; measure these too: link.ddp.100.use",
  );
  expect(() => checkSections(selectMetrics(["plan", "link"]))).not.toThrow();
  expect(() => checkSections(selectMetrics([]))).not.toThrow();
});

test("a group that is measured again takes the place of its section; the others stay as they are", () => {
  const both = pageOf(pageOf("", provider, date), link, date);
  const again = pageOf(
    both,
    resultsOf({ "provider.start.seconds": [0.1] }),
    new Date(Date.UTC(2026, 10, 25)),
  );
  expect(again.match(/^## .*$/gm)).toEqual(["## link", "## provider"]);
  expect(again.slice(0, again.indexOf("## provider"))).toBe(both.slice(0, both.indexOf("## provider")));
  expect(again).toContain("| 0.1 s |");
  expect(again).not.toContain("| 0.2 s |");
});
