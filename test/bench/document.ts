/** docs/performance.md: a section for each group of benchmarks, each with the machine and the day it was measured on. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { markdownTable } from "../../scripts/dev/markdown.ts";
import { linkSection } from "./link-section.ts";
import { metricOf } from "./metrics.ts";
import { machine, type Result, targetOf } from "./report.ts";

const head = `# Performance

Made by \`npm run bench -- NAME… --document\`, a section for each group that was measured; do not edit. What each value is:
\`npm run bench -- --list\`. Targets are those of two quiet cores.
`;

/** @param path of the page; sections of groups that have no results stay as they are */
export function writePage(path: string, results: readonly Result[], date: Date): void {
  const old = existsSync(path) ? readFileSync(path, "utf8") : "";
  writeFileSync(path, pageOf(old, results, date));
}

/** The page, of what it was before and the new results. */
export function pageOf(old: string, results: readonly Result[], date: Date): string {
  const sections = sectionsOf(old);
  const { cores, cpu, kernel } = machine();
  for (const [group, ofGroup] of Map.groupBy(results, ({ metric }) => metric.split(".")[0] ?? "")) {
    const measured = `Measured on ${date.toISOString().slice(0, 10)}: ${cores} cores of ${cpu}, Linux ${kernel}.`;
    const body = group === "link" ? linkSection(ofGroup) : plainSection(ofGroup);
    sections.set(group, `${measured}\n\n${body}`);
  }
  const parts = [...sections]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([group, text]) => `## ${group}\n\n${text.trim()}\n`);
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
