/** docs/performance.md: a section for each group of benchmarks, each with the machine and the day it was measured on. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { markdownTable } from "../../scripts/dev/markdown.ts";
import { linkSection, modesSection } from "./link-section.ts";
import { type MetricName, metricNames, metricOf } from "./metrics.ts";
import { machine, type Result, targetOf } from "./report.ts";

const head = `# Performance

Made by \`npm run bench -- NAME… --document\`, a section for each group that was measured; do not edit. What each value is:
\`npm run bench -- --list\`. Targets are those of two quiet cores.
`;

/** Sections that are more than a list. */
const sections: Readonly<Record<string, (results: readonly Result[]) => string>> = {
  link: linkSection,
  "link: sync modes": modesSection,
};

function sectionOf(metric: MetricName): string {
  const [group = ""] = metric.split(".");
  return metricOf(metric).isLong ? `${group}: sync modes` : group;
}

/** @throws Error where only a part of a section is to be measured: the rest of it would be lost */
export function checkSections(names: readonly MetricName[]): void {
  const touched = new Set(names.map(sectionOf));
  const lacking = metricNames.filter((name) => touched.has(sectionOf(name)) && !names.includes(name));
  if (lacking.length === 0) return;
  throw new Error(`--document writes whole sections of the page; measure these too: ${lacking.join(" ")}`);
}

/** @param path of the page; sections of groups that have no results stay as they are */
export function writePage(path: string, results: readonly Result[], date: Date): void {
  const old = existsSync(path) ? readFileSync(path, "utf8") : "";
  writeFileSync(path, pageOf(old, results, date));
}

/** The page, of what it was before and the new results. */
export function pageOf(old: string, results: readonly Result[], date: Date): string {
  const written = sectionsOf(old);
  const { cores, cpu, kernel } = machine();
  for (const [name, ofSection] of Map.groupBy(results, ({ metric }) => sectionOf(metric))) {
    const measured = `Measured on ${date.toISOString().slice(0, 10)}: ${cores} cores of ${cpu}, Linux ${kernel}.`;
    written.set(name, `${measured}\n\n${(sections[name] ?? plainSection)(ofSection)}`);
  }
  const parts = [...written]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([name, text]) => `## ${name}\n\n${text.trim()}\n`);
  return [head, ...parts].join("\n");
}

function sectionsOf(page: string): Map<string, string> {
  const [, ...parts] = page.split(/^## /m);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf("\n");
      return [part.slice(0, end), part.slice(end + 1)];
    }),
  );
}

function plainSection(results: readonly Result[]): string {
  const rows = results.map(({ metric, value, unit }) => [
    `\`${metric}\``,
    `${value} ${unit}`,
    targetOf(metricOf(metric)),
    metricOf(metric).what,
  ]);
  return markdownTable([["metric", "value", "target", "what"], ...rows]);
}

/** Puts a text into a page, between its lines `<!-- NAME -->` and `<!-- end of NAME -->`. @throws Error where it has none */
export function writeBetween(page: string, name: string, text: string): void {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const whole = readFileSync(page, "utf8");
  const [from, to] = [whole.indexOf(begin), whole.indexOf(end)];
  if (from < 0 || to < from)
    throw new Error(`${page} has no lines ${begin} and ${end}, between which the text goes`);
  writeFileSync(page, `${whole.slice(0, from)}${begin}\n${text}\n${whole.slice(to)}`);
}
