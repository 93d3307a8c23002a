/** The command that shows and changes the links between zones; the server checks and keeps them. */
import { ask, type HomeOptions, print } from "./commands.ts";
import { Failure } from "./failure.ts";
import { needRunning } from "./running.ts";
import type { ShownLink } from "./services/links/links.ts";
import { table } from "./table.ts";

interface LinkOptions extends HomeOptions {
  readonly rtt?: string;
  readonly mtu?: string;
  readonly mtuBlackhole?: boolean;
  readonly loss?: string;
  readonly seed?: string;
  readonly cut?: boolean;
  readonly reset?: boolean;
}

/** Changes the link between two zones, or prints all links. */
export async function link(zones: readonly string[], options: LinkOptions): Promise<void> {
  const running = await needRunning(options, "the links");
  const { home: _, json: __, ...changes } = options;
  const changed = Object.keys(changes).length > 0;
  if (zones.length === 0 && changed)
    throw new Failure("link: name the two zones, e.g. link gpu1a gpu2a --rtt 30");
  if (changed) {
    const found = await ask<{ readonly link: ShownLink }>(running, "POST", "links", { zones, ...changes });
    print(options, found.link, describe([found.link]));
    return;
  }
  const { links } = await ask<{ readonly links: readonly ShownLink[] }>(running, "GET", "links");
  const wanted = [zones.join(" "), zones.toReversed().join(" ")];
  const shown = zones.length === 0 ? links : links.filter((each) => wanted.includes(each.zones.join(" ")));
  if (shown.length === 0) {
    const known = links.map((each) => each.zones.join(" ")).join(", ");
    throw new Failure(`link ${zones.join(" ")}: must be one of ${known}`);
  }
  print(options, { links: shown }, describe(shown));
}

function describe(links: readonly ShownLink[]): string {
  return table([["zones", "added RTT", "MTU", "loss", "state", "packets"], ...links.map(row)]);
}

function row({
  zones,
  faults,
  rttMs,
  mtu,
  mtuBlackhole,
  lossPercent,
  seed,
  cut,
  passed,
  lost,
}: ShownLink): string[] {
  return [
    zones.join(" "),
    `${rttMs} ms`,
    `${mtu}${mtuBlackhole ? " (black hole)" : ""}`,
    `${lossPercent} %${seed === undefined ? "" : ` (seed ${seed})`}`,
    `${cut ? "cut" : "open"}${faults === undefined ? "" : ` (with ${faults.join(", ")})`}`,
    passed === undefined ? "" : `${passed} passed, ${lost} lost`,
  ];
}
