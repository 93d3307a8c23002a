/** How a command meets a fault at one of its API calls, or is interrupted or killed there. */
import { existsSync, readFileSync } from "node:fs";
import type { FaultRequest } from "../../../local-cloud/services/faults/settings.ts";
import type { Running } from "../../harness/process.ts";
import { descendantsOf } from "../../harness/stack.ts";
import { isProvider, realNow, realPause } from "./clock.ts";
import type { Finding } from "./findings.ts";
import type { Lab, Outcome, OwnProcess } from "./lab.ts";
import type { FaultName } from "./matrix.ts";

/** The answer that Ctrl-C meets comes so many seconds later, by the machine's clock. */
const heldSeconds = 0.5;
const longestHoldSeconds = 20;
const endSeconds = 20;

export interface Met {
  readonly outcome: Outcome;
  /** Whether a call met the fault. */
  readonly isMet: boolean;
  /** Processes that should have ended and go on. */
  readonly findings: readonly Finding[];
}

/** @param where the call, as the cloud's faults name it */
export async function meetFault(
  lab: Lab,
  args: readonly string[],
  fault: FaultName,
  where: FaultRequest,
): Promise<Met> {
  await lab.cloud.fault({ ...where, ...settingsOf(fault) });
  const findings: Finding[] = [];
  const outcome = await lab.run(args, ownIn(fault), async (running) => {
    if (ownIn(fault).length > 0) findings.push(...(await interrupt(lab, fault, running)));
  });
  const [left] = await lab.cloud.faults();
  const isMet = left === undefined || (left as { times?: number }).times === 0;
  await lab.cloud.clearFaults();
  return { outcome, isMet, findings };
}

/** Signals once the call has been done, and is not answered yet. */
async function interrupt(lab: Lab, fault: FaultName, running: Running): Promise<Finding[]> {
  let hasEnded = false;
  void running.ended.then(() => {
    hasEnded = true;
  });
  while ((await lab.cloud.faults()).length > 0) {
    if (hasEnded) return [];
    await realPause(10);
  }
  const cli = running.child.pid;
  if (cli === undefined) throw new Error("the command was not started");
  const all = descendantsOf(cli);
  const providers = all.filter((pid) => isProvider(textOf(pid)));
  if (fault === "sigint") process.kill(cli, "SIGINT");
  if (fault === "kill-provider" || fault === "kill-both")
    for (const pid of providers) process.kill(pid, "SIGKILL");
  if (fault === "kill-cli" || fault === "kill-both") process.kill(cli, "SIGKILL");
  if (fault === "sigint") return [];
  if (providers.length === 0) return [{ kind: "bench", detail: "there was no provider to be killed" }];
  await Promise.race([running.ended, realPause(endSeconds * 1000)]);
  const deadline = realNow() + endSeconds * 1000;
  const living = () => all.filter((pid) => existsSync(`/proc/${pid}/exe`));
  while (living().length > 0 && realNow() < deadline) await realPause(20);
  return living().map((pid): Finding => ({ kind: "left", detail: `a process goes on: ${textOf(pid)}` }));
}

/** What has to be a process for a fault: Ctrl-C makes the language host end the program. */
function ownIn(fault: FaultName): readonly OwnProcess[] {
  if (fault === "kill-provider") return ["provider"];
  if (fault === "sigint") return ["program"];
  return fault.startsWith("kill-") ? ["provider", "program"] : [];
}

function settingsOf(fault: FaultName): FaultRequest & { kind: string } {
  const [kind = "", code] = fault.split("-") as [string, string?];
  if (kind === "refuse") return { kind, code: Number(code), message: "a fault of the matrix" };
  if (kind === "http") return { kind, code: Number(code) };
  if (kind === "sigint") return { kind: "delay", seconds: heldSeconds };
  if (kind === "kill") return { kind: "delay", seconds: longestHoldSeconds };
  return { kind: fault };
}

function textOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
