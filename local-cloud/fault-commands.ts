/** The commands that add faults to a running cloud, list and clear them; the server checks and keeps them. */
import { ask, type HomeOptions, print } from "./commands.ts";
import { needRunning } from "./running.ts";
import type { ShownFault } from "./services/faults/faults.ts";

interface Faults {
  readonly faults: readonly ShownFault[];
}

/** Adds a fault; what it takes is checked by the server. */
export async function addFault(options: HomeOptions & Readonly<Record<string, unknown>>): Promise<void> {
  const { home: _, json: __, ...request } = options;
  const { fault } = await ask<{ readonly fault: ShownFault }>(
    await needRunning(options, "the faults"),
    "POST",
    "faults",
    request,
  );
  print(options, fault, line(fault));
}

/** Prints the faults that are there. */
export async function listFaults(options: HomeOptions): Promise<void> {
  const found = await ask<Faults>(await needRunning(options, "the faults"), "GET", "faults");
  print(options, found, found.faults.map(line).join("\n") || "There are no faults.");
}

/** Takes one fault back, or all. */
export async function clearFaults(id: string | undefined, options: HomeOptions): Promise<void> {
  const path = id === undefined ? "faults" : `faults/${encodeURIComponent(id)}`;
  const found = await ask<Faults>(await needRunning(options, "the faults"), "DELETE", path);
  const gone = id === undefined ? "There are no faults any more." : `There is no fault ${id} any more.`;
  print(options, found, [gone, ...found.faults.map(line)].join("\n"));
}

function line({ id, text }: ShownFault): string {
  return `${id}  ${text}`;
}
