/** The picture of zones, routers, nodes and the tunnels between them, with their addresses. Pure. */
import type { Drawing } from "./draw.ts";
import { escapeMarkup } from "./format.ts";
import { black, colour } from "./series.ts";
import type { NetworkFacts, NodeFacts, TunnelFacts, ZoneFacts } from "./state.ts";
import type { Traffic } from "./traffic.ts";

interface Shown extends NetworkFacts {
  /** Ranks of each node, by its name. */
  readonly ranksOf: (node: string) => string;
  readonly traffic: readonly Pick<Traffic, "zone" | "rateMbps" | "eipId">[];
}

const gap = 24;
const mostInRow = 4;
/** Of more tunnels the picture would be lines alone: the table has them all. */
const mostTunnels = 10;
const mostNodes = 12;
const tunnelRow = 26;
const line = 18;
const headerHeight = 106;
const nodeHeight = 44;
/** Mean, as a part of the size. */
const characterWidth = 0.6;
const [grey, paper] = ["#57606a", "#f6f8fa"];

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** @param width pixels */
export function drawTopology(shown: Shown, width: number): Drawing {
  const { zones, tunnels } = shown;
  const inRow = Math.min(mostInRow, Math.max(1, zones.length));
  const boxWidth = Math.min(380, (width - (inRow - 1) * gap) / inRow);
  const drawn = zones.length <= inRow && tunnels.length <= mostTunnels ? tunnels : [];
  const top = drawn.length * tunnelRow + (drawn.length > 0 ? 10 : 0);
  const boxes: Box[] = [];
  let [y, rowHeight] = [top, 0];
  zones.forEach((zone, index) => {
    if (index > 0 && index % inRow === 0) [y, rowHeight] = [y + rowHeight + gap, 0];
    const height = headerHeight + Math.min(zone.nodes.length, mostNodes + 1) * nodeHeight + 8;
    rowHeight = Math.max(rowHeight, height);
    boxes.push({ x: (index % inRow) * (boxWidth + gap), y, width: boxWidth, height });
  });
  const height = y + rowHeight + 2;
  const places = { zones, boxes, top };
  // Short ones below, so that few lines cross.
  const brackets = drawn
    .map((tunnel) => ({
      tunnel,
      ends: tunnel.zones.map((name) => zones.findIndex((zone) => zone.name === name)),
    }))
    .sort((one, other) => spanOf(one.ends) - spanOf(other.ends))
    .map(({ tunnel }, level) => drawTunnel(tunnel, level, places, drawn.length === 1));
  const parts = [
    ...brackets.map(({ path }) => path),
    ...brackets.map(({ label }) => label),
    ...zones.map((zone, index) => drawZone(zone, colour(index), boxes[index], shown)),
  ];
  return {
    width,
    height,
    svg: `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif">\n${parts.join("\n")}\n</svg>`,
  };
}

function spanOf(ends: readonly number[]): number {
  return Math.max(...ends) - Math.min(...ends);
}

interface Places {
  readonly zones: readonly ZoneFacts[];
  readonly boxes: readonly Box[];
  readonly top: number;
}

/** A bracket over the zones that it joins; each at a place of its own, so that they do not lie upon each other. */
function drawTunnel(tunnel: TunnelFacts, level: number, { zones, boxes, top }: Places, isAlone: boolean) {
  const [from = 0, to = 0] = tunnel.zones
    .map((name) => boxes[zones.findIndex((zone) => zone.name === name)])
    .map((box) => (box === undefined ? 0 : box.x + Math.min(24 + level * 18, box.width - 24)))
    .sort((one, other) => one - other);
  const y = top - 14 - level * tunnelRow;
  const words = tunnelLabel(tunnel, isAlone);
  const width = words.length * 12 * characterWidth;
  const dash = tunnel.kind === "gre" ? ' stroke-dasharray="5 4"' : "";
  return {
    path: `<path d="M${from} ${top}V${y}H${to}V${top}" fill="none" stroke="${grey}" stroke-width="1.6"${dash}/>`,
    label: [
      `<rect x="${from + 6}" y="${y - 17}" width="${width + 4}" height="15" fill="#fff"/>`,
      text(from + 8, y - 5, words, { size: 12, fill: grey }),
    ].join("\n"),
  };
}

/** In full where there is one; else the table of tunnels has the rest. */
function tunnelLabel({ kind, over, rttMs, goodputMbps, mtu }: TunnelFacts, isFull: boolean): string {
  const name = kind === "ipsec" ? "IPSec" : "GRE";
  const speed = goodputMbps === undefined ? [] : [`${goodputMbps.toFixed(1)} Mbit/s`];
  const where = over === "intranet" ? [isFull ? "over the zone's intranet" : "intranet"] : [];
  if (!isFull) return [name, ...where, ...speed].join(" · ");
  const parts = [
    `${name}, ${kind === "ipsec" ? "encrypted" : "not encrypted"}`,
    ...where,
    ...(rttMs === undefined ? [] : [`RTT ${rttMs.toFixed(1)} ms`]),
    ...speed,
    ...(mtu === undefined ? [] : [`MTU ${mtu}`]),
  ];
  return parts.join(" · ");
}

function drawZone(zone: ZoneFacts, stroke: string, box: Box | undefined, shown: Shown): string {
  if (box === undefined) return "";
  const { x, y, width, height } = box;
  const traffic = shown.traffic.find((each) => each.zone === zone.name);
  const rate = traffic === undefined ? "" : ` · ${traffic.rateMbps} Mbit/s`;
  const router = [
    `VPC router ${zone.routerId ?? "not made yet"}`,
    `EIP ${zone.publicIp ?? "not made yet"}${rate}`,
  ];
  const nodes = zone.nodes.slice(0, mostNodes);
  const more = zone.nodes.length - nodes.length;
  return [
    `<rect x="${x + 0.5}" y="${y + 0.5}" width="${width - 1}" height="${height - 1}" rx="8" fill="${paper}" stroke="${stroke}" stroke-width="1.6"/>`,
    text(x + 16, y + 26, `${zone.name} (zone ${zone.zoneId})`, {
      size: 15,
      fill: black,
      width: width - 32,
      isBold: true,
    }),
    `<rect x="${x + 12}" y="${y + 38}" width="${width - 24}" height="52" rx="5" fill="#fff" stroke="${stroke}"/>`,
    ...router.map((words, index) =>
      text(x + 24, y + 59 + index * line, words, { size: 12, fill: black, width: width - 48 }),
    ),
    ...nodes.map((node, index) =>
      drawNode(node, { x: x + 12, y: y + headerHeight + index * nodeHeight, width: width - 24 }, shown),
    ),
    ...(more > 0
      ? [
          text(x + 24, y + headerHeight + nodes.length * nodeHeight + 22, `and ${more} more nodes`, {
            size: 12,
            fill: grey,
          }),
        ]
      : []),
  ].join("\n");
}

function drawNode(node: NodeFacts, box: Omit<Box, "height">, { ranksOf }: Shown): string {
  const ranks = ranksOf(node.name);
  const width = box.width - 24;
  const gpus = node.gpus === undefined ? "" : node.gpus === 1 ? " · 1 GPU" : ` · ${node.gpus || "no"} GPUs`;
  const title = [node.name, node.privateIp, ...(ranks === "" ? [] : [ranks])].join("  ");
  const details = `${node.instanceId} · ${node.shape}${gpus}`;
  return [
    `<rect x="${box.x}" y="${box.y - 8}" width="${box.width}" height="${nodeHeight - 6}" rx="5" fill="#fff" stroke="#d0d7de"/>`,
    text(box.x + 12, box.y + 8, title, { size: 12, fill: black, width, isBold: true }),
    text(box.x + 12, box.y + 23, details, { size: 11, fill: grey, width }),
  ].join("\n");
}

/** @param width that the text must fit into */
function text(x: number, y: number, words: string, { size, fill, width, isBold }: TextStyle): string {
  const weight = isBold ? ' font-weight="bold"' : "";
  const fitting =
    width === undefined
      ? size
      : Math.min(size, width / (words.length * characterWidth * (isBold ? 1.15 : 1)));
  return `<text x="${x}" y="${y}" font-size="${Math.round(fitting * 10) / 10}"${weight} fill="${fill}" xml:space="preserve">${escapeMarkup(words)}</text>`;
}

interface TextStyle {
  readonly size: number;
  readonly fill: string;
  readonly width?: number;
  readonly isBold?: boolean;
}
