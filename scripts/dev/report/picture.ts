/** The report as one picture: the same blocks as the page's, one below the other. */

import { fileURLToPath } from "node:url";
import { Resvg } from "@resvg/resvg-js";
import type { Drawing } from "./draw.ts";
import { escapeMarkup as escaped } from "./format.ts";
import type { Block, Report } from "./model.ts";
import type { Drawings } from "./page.ts";

/** Pixels of the drawing; the picture has `zoom` times as many. */
export const contentWidth = 1152;
export const chartGap = 16;
export const chartWidth = (contentWidth - chartGap) / 2;
const margin = 24;
export const pictureWidth = contentWidth + 2 * margin;
export const zoom = 1.5;

const [black, grey, border] = ["#1f2328", "#57606a", "#d0d7de"];
const stateColours: Readonly<Record<string, string>> = {
  succeeded: "#1a7f37",
  running: "#0969da",
  failed: "#b3261e",
};
/** Mean widths of a character, as parts of the size of its text. */
const [proportional, boldWidth] = [0.56, 0.67];
const longestLine = 150;

/** A part of the picture at its place, and how high it is. */
interface Placed {
  readonly svg: string;
  readonly height: number;
}

export function pictureOf(report: Report, drawings: Drawings): Drawing {
  const charts = [...drawings.charts];
  const parts: string[] = [];
  let y = margin;
  const place = ({ svg, height }: Placed) => {
    parts.push(`<g transform="translate(${margin} ${y})">${svg}</g>`);
    y += height;
  };
  place(header(report));
  for (const { title, blocks } of report.sections) {
    place(heading(title));
    for (const block of blocks) place(draw(block, charts, drawings.topology));
  }
  const height = Math.ceil(y + margin);
  return {
    width: pictureWidth,
    height,
    svg: `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${pictureWidth}" height="${height}" font-family="sans-serif">\n<rect width="100%" height="100%" fill="#fff"/>\n${parts.join("\n")}\n</svg>`,
  };
}

/** No font of the machine is needed: it may have none. */
export function toPng({ svg }: Drawing): Buffer {
  const font = (name: string) => fileURLToPath(import.meta.resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`));
  const picture = new Resvg(svg, {
    fitTo: { mode: "zoom", value: zoom },
    font: {
      loadSystemFonts: false,
      fontFiles: ["DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono"].map(font),
      defaultFontFamily: "DejaVu Sans",
      sansSerifFamily: "DejaVu Sans",
    },
  });
  return picture.render().asPng();
}

function draw(block: Block, charts: Drawing[], topology: Drawing): Placed {
  switch (block.kind) {
    case "facts":
      return drawFacts(block.items);
    case "table":
      return drawTable([block.head, ...block.rows]);
    case "charts":
      return drawCharts(charts.splice(0, block.panels.length));
    case "topology":
      return { svg: topology.svg, height: topology.height + 8 };
    case "text":
      return drawText(block.lines);
    case "notes":
      return drawText(block.lines.map((line) => `• ${line}`));
  }
}

function header({ title, state, subtitle }: Report): Placed {
  const size = 22;
  const chip = Math.round(title.length * size * boldWidth) + 16;
  const width = state.length * 8 + 20;
  return {
    height: 52,
    svg: [
      text(0, 22, title, { size, isBold: true }),
      `<rect x="${chip}" y="3" width="${width}" height="23" rx="11.5" fill="${stateColours[state] ?? grey}"/>`,
      text(chip + 10, 19, state, { size: 13, fill: "#fff" }),
      text(0, 46, subtitle, { size: 12, fill: grey }),
    ].join("\n"),
  };
}

function heading(title: string): Placed {
  return {
    height: 52,
    svg: `${text(0, 28, title, { size: 17, isBold: true })}<path d="M0 37.5H${contentWidth}" stroke="${border}"/>`,
  };
}

function drawFacts(items: readonly (readonly [string, string])[]): Placed {
  const [gap, height] = [10, 56];
  const width = (contentWidth - gap * (items.length - 1)) / items.length;
  const cells = items.map(([label, value], index) => {
    const x = index * (width + gap);
    return [
      `<rect x="${x + 0.5}" y="0.5" width="${width - 1}" height="${height - 1}" rx="8" fill="none" stroke="${border}"/>`,
      text(x + 10, 18, label, {
        size: Math.min(10.5, (width - 16) / (label.length * proportional)),
        fill: grey,
      }),
      text(x + 10, 43, value, {
        size: Math.min(18, (width - 16) / (value.length * boldWidth)),
        isBold: true,
      }),
    ].join("\n");
  });
  return { svg: cells.join("\n"), height: height + 4 };
}

function drawTable(rows: readonly (readonly string[])[]): Placed {
  const [size, rowHeight, gap] = [12, 24, 14];
  const widths = (rows[0] ?? []).map(
    (_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)) * size * 0.6 + gap,
  );
  const total = widths.reduce((sum, width) => sum + width, 0);
  const scale = Math.min(1, contentWidth / total);
  const lines = rows.map((cells, index) => {
    const y = index * rowHeight;
    let x = 0;
    const shown = cells.map((cell, column) => {
      const at = x;
      x += (widths[column] ?? 0) * scale;
      const fill = index === 0 ? grey : black;
      return text(at, y + 16, cell, { size: size * scale, fill, isBold: index === 0 });
    });
    return `${shown.join("")}<path d="M0 ${y + rowHeight - 0.5}H${contentWidth}" stroke="${border}"/>`;
  });
  return { svg: lines.join("\n"), height: rows.length * rowHeight + 12 };
}

function drawCharts(drawings: readonly Drawing[]): Placed {
  const rowHeight = Math.max(0, ...drawings.map(({ height }) => height)) + chartGap;
  const placed = drawings.map(
    ({ svg }, index) =>
      `<g transform="translate(${(index % 2) * (chartWidth + chartGap)} ${Math.floor(index / 2) * rowHeight})">${svg}</g>`,
  );
  return { svg: placed.join("\n"), height: Math.ceil(drawings.length / 2) * rowHeight };
}

function drawText(lines: readonly string[]): Placed {
  const [size, lineHeight, padding] = [11.5, 17, 12];
  const wrapped = lines.flatMap((line) => wrap(line, longestLine));
  const height = wrapped.length * lineHeight + 2 * padding;
  const shown = wrapped.map((line, index) =>
    text(16, padding + 12 + index * lineHeight, line, { size, isMono: true }),
  );
  const paper = `<rect width="${contentWidth}" height="${height}" rx="8" fill="#f6f8fa"/>`;
  return { svg: [paper, ...shown].join("\n"), height: height + 12 };
}

/** At spaces where there are any. */
function wrap(line: string, most: number): string[] {
  if (line.length <= most) return [line];
  const space = line.lastIndexOf(" ", most);
  const cut = space > most / 2 ? space : most;
  return [line.slice(0, cut), ...wrap(`    ${line.slice(cut).trimStart()}`, most)];
}

function text(
  x: number,
  y: number,
  words: string,
  {
    size,
    fill = black,
    isBold = false,
    isMono = false,
  }: { size: number; fill?: string; isBold?: boolean; isMono?: boolean },
): string {
  const weight = isBold ? ' font-weight="bold"' : "";
  const family = isMono ? ' font-family="DejaVu Sans Mono"' : "";
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}"${weight}${family} xml:space="preserve">${escaped(words)}</text>`;
}
