/** The commands that add faults to a running cloud, list and clear them; the server checks and keeps them. */
import { ask, type HomeOptions, print } from "./commands.ts";
import { Failure } from "./failure.ts";
import { Home } from "./home.ts";
import { type PidRecord, readRunning } from "./pid-record.ts";
import type { ShownFault } from "./services/faults/faults.ts";

interface Faults {
  readonly faults: readonly ShownFault[];
}

/** Adds a fault; what it takes is checked by the server. */
export async function addFault(options: HomeOptions & Readonly<Record<string, unknown>>): Promise<void> {
  const { home: _, json: __, ...request } = options;
  const { fault } = await ask<{ readonly fault: ShownFault }>(
    needRunning(options),
    "POST",
    "faults",
    request,
  );
  print(options, fault, line(fault));
}

/** Prints the faults that are there. */
export async function listFaults(options: HomeOptions): Promise<void> {
  const found = await ask<Faults>(needRunning(options), "GET", "faults");
  print(options, found, found.faults.map(line).join("\n") || "There are no faults.");
}

/** Takes one fault back, or all. */
export async function clearFaults(id: string | undefined, options: HomeOptions): Promise<void> {
  const path = id === undefined ? "faults" : `faults/${encodeURIComponent(id)}`;
  const found = await ask<Faults>(needRunning(options), "DELETE", path);
  const gone = id === undefined ? "There are no faults any more." : `There is no fault ${id} any more.`;
  print(options, found, [gone, ...found.faults.map(line)].join("\n"));
}

function needRunning({ home }: HomeOptions): PidRecord {
  const running = readRunning(new Home(home).pid);
  if (running !== undefined) return running;
  throw new Failure(
    `the local cloud of ${home} is not running, its server keeps the faults: start it first (npm run cloud -- start)`,
  );
}

function line({ id, text }: ShownFault): string {
  return `${id}  ${text}`;
}
