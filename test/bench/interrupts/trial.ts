/** One trial: a command meets a fault; from what it leaves, each follow-up has to come to an end. */
import { existsSync, readFileSync } from "node:fs";
import type { FaultRequest } from "../../../local-cloud/services/faults/settings.ts";
import type { Running } from "../../harness/process.ts";
import { descendantsOf } from "../../harness/stack.ts";
import { isProvider, realNow, realPause, setSpeed } from "./clock.ts";
import {
  compare,
  compareWithNothing,
  countsOf,
  type Finding,
  findInWords,
  findWait,
  idsOf,
} from "./findings.ts";
import type { Lab, Outcome, OwnProcess } from "./lab.ts";
import { type FollowUp, followUpsOf, type Operation, type Trial } from "./matrix.ts";
import { begin, destroy, preview, up, usual } from "./operations.ts";

const usualSpeed = 20;
/** A hanging job is waited for for ten minutes. */
const hangingSpeed = 100;
/** The answer that Ctrl-C meets comes so many seconds later, by the machine's clock. */
const heldSeconds = 0.5;
const longestHoldSeconds = 20;
const endSeconds = 20;

export interface Result {
  readonly followUp: FollowUp;
  /** Whether a call met the fault. */
  readonly isMet: boolean;
  readonly findings: readonly Finding[];
  /** By the machine's clock; the faulted command's are in the first one. */
  readonly seconds: number;
  /** What the commands said. */
  readonly transcript: string;
}

export class Trials {
  readonly #lab: Lab;
  #before: readonly string[] = [];
  /** How many there are of each kind of id in the whole stack: every operation but `destroy` ends with as many. */
  #counts: Readonly<Record<string, number>> = {};
  /** Of an `up` without a fault; no operation takes longer. */
  #usualSeconds = 0;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Makes the moments that operations begin with. */
  async prepare(): Promise<void> {
    setSpeed(usualSpeed);
    const lab = this.#lab;
    await lab.prepare();
    await lab.startCloud();
    this.#before = await idsOf(lab);
    lab.configure(usual);
    await lab.keep("empty");
    await lab.putBack("empty");
    const outcome = await lab.run(up);
    this.#mustSucceed("up", outcome);
    this.#usualSeconds = outcome.seconds;
    this.#counts = countsOf(await idsOf(lab));
    await lab.keep("whole");
  }

  #mustSucceed(what: string, { code, text }: Outcome): void {
    if (code !== 0) throw new Error(`${what} ended with ${code} without a fault:\n${text}`);
  }

  /** An operation without a fault. @returns its calls */
  async record(operation: Operation) {
    const lab = this.#lab;
    const args = await begin(lab, operation);
    this.#mustSucceed(operation, await lab.run(args));
    return lab.calls();
  }

  async run(trial: Trial, wanted: readonly FollowUp[]): Promise<Result[]> {
    const lab = this.#lab;
    let started = realNow();
    lab.transcript = "";
    const args = await begin(lab, trial.operation);
    const { outcome, isMet, findings } = await this.#meetFault(trial, args);
    await lab.keep("left");
    const first = lab.transcript;
    const results: Result[] = [];
    for (const followUp of followUpsOf(trial).filter((each) => wanted.includes(each))) {
      await lab.putBack("left");
      lab.transcript = first;
      const more =
        followUp === "destroy" || trial.operation === "destroy"
          ? await this.#destroy("destroy")
          : await this.#again(args, outcome.code === 0);
      const seconds = (realNow() - started) / 1000;
      const { transcript } = lab;
      results.push({ followUp, isMet, findings: [...findings, ...more], seconds, transcript });
      started = realNow();
    }
    await lab.stopCloud();
    return results;
  }

  /** @param isDone whether the faulted command has succeeded: the same one has nothing to do */
  async #again(args: readonly string[], isDone: boolean): Promise<Finding[]> {
    const lab = this.#lab;
    const findings: Finding[] = [];
    if (!isDone) {
      const outcome = await lab.run(args);
      findings.push(...findInWords("the same command", outcome, false));
      findings.push(...findWait("the same command", outcome, usualSpeed, this.#usualSeconds));
      if (outcome.code !== 0) return findings;
    }
    findings.push(...(await compare(lab, this.#before, this.#counts)));
    const next = await lab.run(preview);
    const [problem] = findInWords("the next preview", next, false);
    if (problem !== undefined) findings.push({ kind: "unsettled", detail: problem.detail });
    return [...findings, ...(await this.#destroy("the last destroy"))];
  }

  async #destroy(what: string): Promise<Finding[]> {
    const outcome = await this.#lab.run(destroy);
    const findings = [
      ...findInWords(what, outcome, false),
      ...findWait(what, outcome, usualSpeed, this.#usualSeconds),
    ];
    return outcome.code === 0
      ? [...findings, ...(await compareWithNothing(this.#lab, this.#before))]
      : findings;
  }

  async #meetFault({ fault, position }: Trial, args: readonly string[]) {
    const lab = this.#lab;
    const speed = fault === "hang-job" ? hangingSpeed : usualSpeed;
    setSpeed(speed);
    const where = {
      action: position.action,
      nth: position.nth,
      ...(position.zone && { zone: position.zone }),
    };
    await lab.cloud.fault({ ...where, ...settingsOf(fault) });
    const isKill = fault.startsWith("kill-");
    const findings: Finding[] = [];
    const outcome = await lab.run(args, ownIn(fault), async (running) => {
      if (fault === "sigint" || isKill) findings.push(...(await this.#interrupt(fault, running)));
    });
    const [left] = await lab.cloud.faults();
    const isMet = left === undefined || (left as { times?: number }).times === 0;
    await lab.cloud.clearFaults();
    setSpeed(usualSpeed);
    findings.push(...findInWords("the command", outcome, true));
    findings.push(...findWait("the command", outcome, speed, this.#usualSeconds));
    return { outcome, isMet, findings };
  }

  /** Signals once the call has been done, and is not answered yet. */
  async #interrupt(fault: string, running: Running): Promise<Finding[]> {
    let hasEnded = false;
    void running.ended.then(() => {
      hasEnded = true;
    });
    while ((await this.#lab.cloud.faults()).length > 0) {
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
}

/** What has to be a process for a fault: Ctrl-C makes the language host end the program. */
function ownIn(fault: string): readonly OwnProcess[] {
  if (fault === "kill-provider") return ["provider"];
  if (fault === "sigint") return ["program"];
  return fault.startsWith("kill-") ? ["provider", "program"] : [];
}

function settingsOf(fault: string): FaultRequest & { kind: string } {
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
