/** Charts as SVG, by ECharts; without a script, so that the page needs none. */
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, MarkAreaComponent, TitleComponent } from "echarts/components";
import { type EChartsCoreOption, init, setPlatformAPI, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { type BarPanel, black, type LinePanel, type Panel, type Point } from "./series.ts";

const textSize = 12;
use([BarChart, GridComponent, LegendComponent, LineChart, MarkAreaComponent, SVGRenderer, TitleComponent]);

/** Of most characters of the widest fonts, as a part of the size: without a screen nobody measures text. */
const characterWidth = 0.58;
setPlatformAPI({
  measureText(text, font = "12px") {
    const size = Number(/(\d+(?:\.\d+)?)px/.exec(font)?.[1] ?? textSize);
    // ECharts takes a Chinese character for the height of a line.
    const wide = text.match(/[\u2e80-\uffff]/g)?.length ?? 0;
    return { width: (wide + (text.length - wide) * characterWidth) * size };
  },
});

export interface Drawing {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

const height = 290;
const [grey, lightGrey, red] = ["#57606a", "#e4e7eb", "#b3261e"];
const legendGap = 10;
const legendRow = 15 + legendGap;
/** A line's sign and the gaps around it. */
const legendSign = 30 + legendGap;

/** @param width pixels */
export function drawPanel(panel: Panel, width: number): Drawing {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption(panel.kind === "bars" ? barOption(panel, width) : lineOption(panel, width));
    return { svg: chart.renderToSVGString(), width, height };
  } finally {
    chart.dispose();
  }
}

function frame({ title, x, y }: Panel, names: readonly string[], width: number) {
  const text = { color: grey, fontSize: textSize };
  const axis = {
    silent: true,
    nameLocation: "middle",
    nameTextStyle: text,
    axisLabel: { ...text, hideOverlap: true },
    axisLine: { show: true, onZero: false, lineStyle: { color: grey } },
    splitLine: { lineStyle: { color: lightGrey } },
  };
  const rows = legendRows(names, width);
  return {
    animation: false,
    textStyle: { fontFamily: "sans-serif" },
    title: { text: title, left: 0, top: 0, padding: 0, textStyle: { color: black, fontSize: 15 } },
    legend: {
      data: [...new Set(names)],
      silent: true,
      selectedMode: false,
      left: 0,
      top: 24,
      padding: 0,
      itemGap: legendGap,
      itemHeight: 8,
      textStyle: { color: black, fontSize: textSize },
    },
    grid: { left: 62, right: 18, top: 30 + rows * legendRow, bottom: 46, outerBoundsMode: "none" },
    xAxis: { ...axis, ...range(x), name: x.name, nameGap: 28 },
    yAxis: { ...axis, ...range(y), name: y.name, nameGap: 44, type: "value", scale: y.min === undefined },
  };
}

function range({ min, max }: Panel["x"]) {
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}

function legendRows(names: readonly string[], width: number): number {
  let [rows, used] = [1, 0];
  for (const name of new Set(names)) {
    const needed = legendSign + name.length * textSize * characterWidth;
    if (used > 0 && used + needed > width) [rows, used] = [rows + 1, 0];
    used += needed;
  }
  return rows;
}

function lineOption(panel: LinePanel, width: number): EChartsCoreOption {
  const { series, level, band } = panel;
  const xs = [
    ...series.flatMap(({ points }) => [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0]),
    ...(band === undefined ? [] : [band.from, band.to]),
  ];
  const [first, last] = [Math.min(0, ...xs), Math.max(...xs)];
  const levelPoints: Point[] = level === undefined ? [] : [first, last].map((x) => [x, level.value]);
  const names = [...series.map(({ name }) => name), ...(level === undefined ? [] : [level.name])];
  const { xAxis, ...rest } = frame(panel, names, width);
  const area = (isStacked: boolean) => ({ opacity: isStacked ? 0.8 : 0.15 });
  return {
    ...rest,
    xAxis: {
      ...xAxis,
      type: "value",
      min: first,
      max: last === first ? first + 1 : last,
      axisLabel: {
        ...xAxis.axisLabel,
        showMinLabel: Number.isInteger(first),
        showMaxLabel: Number.isInteger(last),
      },
    },
    series: [
      ...series.map(({ name, colour, points, width: stroke = 1.4, isDotted, isStacked, isFilled }) => ({
        type: "line",
        silent: true,
        name,
        data: points,
        color: colour,
        lineStyle: { width: stroke },
        showSymbol: isDotted === true || points.length === 1,
        symbolSize: 5,
        symbol: "circle",
        ...(isStacked ? { stack: "all" } : {}),
        ...(isFilled ? { areaStyle: area(isStacked === true) } : {}),
        // As many points as pixels.
        ...(isDotted || isStacked ? {} : { sampling: "lttb" }),
      })),
      ...(level === undefined
        ? []
        : [
            {
              type: "line",
              silent: true,
              name: level.name,
              data: levelPoints,
              color: red,
              lineStyle: { width: 1.4, type: "dashed" },
              symbol: "none",
            },
          ]),
      ...(band === undefined ? [] : [bandSeries(band)]),
    ],
  };
}

function bandSeries({ name, from, to }: NonNullable<LinePanel["band"]>) {
  return {
    type: "line",
    silent: true,
    data: [],
    markArea: {
      silent: true,
      itemStyle: { color: "#8c959f", opacity: 0.16 },
      label: { color: grey, fontSize: 11, position: "insideTop" },
      data: [[{ name, xAxis: from }, { xAxis: to }]],
    },
  };
}

function barOption(panel: BarPanel, width: number): EChartsCoreOption {
  const { xAxis, ...rest } = frame(
    panel,
    panel.series.map(({ name }) => name),
    width,
  );
  return {
    ...rest,
    xAxis: { ...xAxis, type: "category", data: [...panel.categories], axisTick: { alignWithLabel: true } },
    series: panel.series.map(({ name, colour, values }) => ({
      type: "bar",
      silent: true,
      name,
      data: [...values],
      color: colour,
      stack: "all",
      barMaxWidth: 48,
    })),
  };
}
