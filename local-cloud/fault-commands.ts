/** The commands that add faults to a running cloud, list and clear them; the server checks and keeps them. */
import { ask, type HomeOptions, print } from "./commands.ts";
import { Failure } from "./failure.ts";
import { Home } from "./home.ts";
import { type PidRecord, readRunning } from "./pid-record.ts";
import type { Fault, FaultRequest } from "./services/faults.ts";

type AddOptions = HomeOptions & FaultRequest;

/** Adds a fault that the next calls of an action meet. */
export async function addFault(options: AddOptions): Promise<void> {
  const { home: _, json: __, ...request } = options;
  const { fault } = await ask<{ readonly fault: Fault }>(needRunning(options), "POST", "faults", request);
  print(options, fault, describe(fault));
}

/** Prints the faults that are still to be met. */
export async function listFaults(options: HomeOptions): Promise<void> {
  const record = needRunning(options);
  const { faults } = await ask<{ readonly faults: readonly Fault[] }>(record, "GET", "faults");
  print(options, { faults }, faults.map(describe).join("\n") || "There are no faults.");
}

/** Takes all faults back. */
export async function clearFaults(options: HomeOptions): Promise<void> {
  const found = await ask<{ readonly faults: readonly Fault[] }>(needRunning(options), "DELETE", "faults");
  print(options, found, "There are no faults any more.");
}

function needRunning({ home }: HomeOptions): PidRecord {
  const running = readRunning(new Home(home).pid);
  if (running !== undefined) return running;
  throw new Failure(
    `the local cloud of ${home} is not running, and faults live in its memory: start it first (npm run cloud -- start)`,
  );
}

function describe(fault: Fault): string {
  const calls = fault.times === 1 ? "The next call" : `The next ${fault.times} calls`;
  const what = fault.action === "*" ? "any action" : fault.action;
  return `${calls} of ${what} in ${fault.zone ?? "any zone"}: ${effectOf(fault)}.`;
}

function effectOf(fault: Fault): string {
  switch (fault.kind) {
    case "refuse":
      return `refused with ret_code ${fault.code}, ${fault.message}`;
    case "lose-request":
      return "the connection is closed before anything is done";
    case "lose-answer":
      return "done, then the connection is closed without an answer";
    case "delay":
      return `answered after ${fault.seconds} s`;
    case "fail-job":
      return `the job ends failed with ${fault.code}, ${fault.message}`;
    case "http":
      return `answered with HTTP status ${fault.code}`;
  }
}
