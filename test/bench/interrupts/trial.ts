/** One trial: a command meets a fault; from what it leaves, each follow-up has to come to an end. */
import { realNow, setSpeed } from "./clock.ts";
import {
  compare,
  compareWithNothing,
  countsOf,
  type Finding,
  findInWords,
  findWait,
  idsOf,
} from "./findings.ts";
import { meetFault } from "./interrupting.ts";
import type { Lab, Outcome } from "./lab.ts";
import { type FollowUp, faults, followUpsOf, type Operation, type Trial } from "./matrix.ts";
import { begin, destroy, preview, takeBack, up, usual } from "./operations.ts";

const usualSpeed = 20;
/** A hanging job is waited for for ten minutes. */
const hangingSpeed = 100;

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
    // As `npm start` does; every other fault without it.
    const look = faults.indexOf(trial.fault) % 2 === 1 ? ["--refresh"] : [];
    // A refresh takes out of the state what a replacement has deleted: nobody could name it then.
    const again = look.length === 0 ? args : up;
    const results: Result[] = [];
    for (const followUp of followUpsOf(trial).filter((each) => wanted.includes(each))) {
      await lab.putBack("left");
      lab.transcript = first;
      const more =
        followUp === "back"
          ? await this.#then([...takeBack(lab, trial.operation), ...look], "the change taken back")
          : followUp === "destroy" || trial.operation === "destroy"
            ? await this.#destroy("destroy")
            : await this.#then(outcome.code === 0 ? undefined : [...again, ...look], "the same command");
      const seconds = (realNow() - started) / 1000;
      const { transcript } = lab;
      results.push({ followUp, isMet, findings: [...findings, ...more], seconds, transcript });
      started = realNow();
    }
    await lab.stopCloud();
    return results;
  }

  /** @param args absent where there is nothing to do: the faulted command has succeeded */
  async #then(args: readonly string[] | undefined, what: string): Promise<Finding[]> {
    const lab = this.#lab;
    const findings: Finding[] = [];
    if (args !== undefined) {
      const outcome = await lab.run(args);
      findings.push(...findInWords(what, outcome, false));
      findings.push(...findWait(what, outcome, usualSpeed, this.#usualSeconds));
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

  async #meetFault({ fault, position: { action, nth, zone } }: Trial, args: readonly string[]) {
    const speed = fault === "hang-job" ? hangingSpeed : usualSpeed;
    setSpeed(speed);
    const where = { action, nth, ...(zone && { zone }) };
    const { outcome, isMet, findings } = await meetFault(this.#lab, args, fault, where);
    setSpeed(usualSpeed);
    const said = findInWords("the command", outcome, true);
    const waits = findWait("the command", outcome, speed, this.#usualSeconds);
    return { outcome, isMet, findings: [...findings, ...said, ...waits] };
  }
}
