/** The files of a report. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunData } from "./data.ts";
import { drawPanel } from "./draw.ts";
import { ranges } from "./format.ts";
import { describe } from "./model.ts";
import { pageOf } from "./page.ts";
import { chartWidth, contentWidth, pictureOf, toPng } from "./picture.ts";
import { drawTopology } from "./topology.ts";

export interface Written {
  readonly html: string;
  readonly png: string;
  /** What the report says that it lacks. */
  readonly missing: readonly string[];
}

/** @throws Error where the folder can not be written */
export function writeReport(data: RunData, folder: string): Written {
  const report = describe(data);
  const blocks = report.sections.flatMap((section) => section.blocks);
  const drawings = {
    charts: blocks
      .flatMap((block) => (block.kind === "charts" ? block.panels : []))
      .map((panel) => drawPanel(panel, chartWidth)),
    topology: drawTopology({ ...data.network, traffic: data.traffic, ranksOf: ranksOn(data) }, contentWidth),
  };
  const missing = blocks.flatMap((block) => (block.kind === "notes" ? block.lines : []));
  const written = { html: join(folder, "report.html"), png: join(folder, "report.png"), missing };
  try {
    mkdirSync(folder, { recursive: true });
    replace(written.html, pageOf(report, drawings));
    replace(written.png, toPng(pictureOf(report, drawings)));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    throw new Error(
      `the report can not be written to ${folder} (${code}); give another folder: --output FOLDER`,
    );
  }
  return written;
}

/** A browser that shows the last report never sees half of the next. */
function replace(path: string, content: string | Buffer): void {
  writeFileSync(`${path}.part`, content);
  renameSync(`${path}.part`, path);
}

function ranksOn({ ranks }: RunData) {
  return (node: string): string => {
    const own = ranks.filter((rank) => rank.node === node).map(({ rank }) => rank);
    return own.length === 0 ? "" : `${own.length === 1 ? "rank" : "ranks"} ${ranges(own)}`;
  };
}
