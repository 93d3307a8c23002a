/** The report as one HTML file that needs nothing else: no script, no font, no request. Pure. */
import type { Drawing } from "./draw.ts";
import { escapeMarkup as escaped } from "./format.ts";
import type { Block, Report } from "./model.ts";

const style = `
:root { color-scheme: light; }
body { margin: 0 auto; padding: 24px; max-width: 1152px; color: #1f2328; background: #fff;
  font: 14px/1.45 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 32px 0 12px; border-bottom: 1px solid #d0d7de; }
.state { display: inline-block; padding: 1px 10px; border-radius: 12px; color: #fff; background: #57606a; font-size: 14px;
  vertical-align: middle; }
.succeeded { background: #1a7f37; } .running { background: #0969da; } .failed { background: #b3261e; }
.subtitle { color: #57606a; margin: 0; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(110px, 1fr)); gap: 10px; margin: 0; }
.facts div { border: 1px solid #d0d7de; border-radius: 8px; padding: 8px 10px; }
.facts dt { color: #57606a; font-size: 12px; } .facts dd { margin: 0; font-size: 18px; font-weight: 600; white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 20px 16px; }
.charts svg, .topology svg { width: 100%; height: auto; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; margin-top: 12px; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid #d0d7de; white-space: nowrap; }
th { color: #57606a; font-weight: 600; } td { font-variant-numeric: tabular-nums; }
pre { background: #f6f8fa; border-radius: 8px; padding: 12px 16px; overflow-x: auto; font-size: 12px; }
`;

export interface Drawings {
  /** In the order of the report's charts. */
  readonly charts: readonly Drawing[];
  readonly topology: Drawing;
}

export function pageOf(report: Report, drawings: Drawings): string {
  const charts = [...drawings.charts];
  const block = (each: Block): string => {
    switch (each.kind) {
      case "facts":
        return `<dl class="facts">${each.items.map(([label, value]) => `<div><dt>${escaped(label)}</dt><dd>${escaped(value)}</dd></div>`).join("")}</dl>`;
      case "table":
        return `<div class="scroll"><table><thead>${row("th", each.head)}</thead><tbody>${each.rows.map((cells) => row("td", cells)).join("")}</tbody></table></div>`;
      case "charts":
        return `<div class="charts">${charts
          .splice(0, each.panels.length)
          .map((drawing, index) => figure(drawing, each.panels[index]?.title ?? ""))
          .join("\n")}</div>`;
      case "topology":
        return `<div class="topology">${figure(drawings.topology, "Zones, routers, nodes and tunnels")}</div>`;
      case "text":
        return `<pre>${escaped(each.lines.join("\n"))}</pre>`;
      case "notes":
        return `<ul>${each.lines.map((line) => `<li>${escaped(line)}</li>`).join("")}</ul>`;
    }
  };
  const sections = report.sections.map(
    ({ title, blocks }) =>
      `<section>\n<h2>${escaped(title)}</h2>\n${blocks.map(block).join("\n")}\n</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(report.title)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<h1>${escaped(report.title)} <span class="state ${escaped(report.state)}">${escaped(report.state)}</span></h1>
<p class="subtitle">${escaped(report.subtitle)}</p>
${sections.join("\n")}
</body>
</html>
`;
}

function row(tag: "th" | "td", cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
}

function figure({ svg }: Drawing, title: string): string {
  return svg.replace("<svg ", `<svg role="img" aria-label="${escaped(title)}" `);
}
