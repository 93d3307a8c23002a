/** A random life of a stack: configurations, commands, hand changes and faults, and what must hold after each of them. */
import fc from "fast-check";
import { setSpeed } from "../interrupts/clock.ts";
import { compare, compareWithNothing, type Finding, findInWords, idsOf } from "../interrupts/findings.ts";
import { meetFault } from "../interrupts/interrupting.ts";
import type { Lab, Outcome } from "../interrupts/lab.ts";
import { type FaultName, faults } from "../interrupts/matrix.ts";
import { destroy, preview, up } from "../interrupts/operations.ts";
import { deedNames, doByHand } from "./hand.ts";
import {
  changed,
  changeNames,
  type Draw,
  firstPlan,
  mistakeNames,
  mistaken,
  type Plan,
  settingsOf,
  type TheirsIn,
} from "./plans.ts";

/** A machine that is busy takes its time, which deadlines count too. */
const usualSpeed = 5;
const refreshing = [...up, "--refresh"];

export interface Step {
  readonly kind:
    | "change"
    | "again"
    | "preview"
    | "refresh"
    | "replace"
    | "hand"
    | "fault"
    | "forget"
    | "import"
    | "mistake"
    | "destroy";
  /** What the step draws. */
  readonly numbers: readonly number[];
}

export interface Life {
  readonly first: readonly number[];
  readonly steps: readonly Step[];
}

const numbers = (length: number) => fc.array(fc.nat({ max: 999 }), { minLength: length, maxLength: length });
const weights: Readonly<Record<Step["kind"], number>> = {
  ...{
    change: 8,
    again: 1,
    preview: 1,
    refresh: 1,
    replace: 3,
    hand: 4,
    fault: 4,
    forget: 1,
    import: 1,
    mistake: 1,
    destroy: 1,
  },
};
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    ...Object.entries(weights).map(([kind, weight]) => ({
      weight,
      arbitrary: fc.constant(kind as Step["kind"]),
    })),
  ),
  numbers: numbers(8),
});

export const lifeOf = (mostSteps: number): fc.Arbitrary<Life> =>
  fc.record({
    first: numbers(24),
    steps: fc.array(step, { minLength: Math.min(2, mostSteps), maxLength: mostSteps }),
  });

/** Draws from numbers, again from the first once all are used. */
function drawFrom(given: readonly number[]): Draw {
  let next = 0;
  return (below) => {
    const value = given[next++ % given.length] ?? 0;
    return below === 0 ? 0 : value % below;
  };
}

/** What went wrong, where, and all that was done until then. */
export class LifeFailure extends Error {
  readonly findings: readonly Finding[];
  constructor(history: readonly string[], findings: readonly Finding[], transcript: string) {
    const told = findings.map(({ kind, detail }) => `${kind}: ${detail}`);
    super(
      `${history.map((line, index) => `${index}. ${line}`).join("\n")}\n${told.join("\n")}\n\n${transcript}`,
    );
    this.findings = findings;
  }
}

/**
 * Lives a life in a lab that is at its empty moment, and ends it with `destroy`.
 * @param theirsIn what there is to be joined @throws LifeFailure
 */
export async function live(lab: Lab, theirsIn: TheirsIn, { first, steps }: Life): Promise<number> {
  await lab.putBack("empty");
  setSpeed(usualSpeed);
  lab.transcript = "";
  const life = new Living(lab, theirsIn, await idsOf(lab), firstPlan(drawFrom(first)));
  await life.begin();
  for (const each of steps) await life.step(each.kind, drawFrom(each.numbers));
  await life.end();
  return life.commands;
}

class Living {
  readonly #lab: Lab;
  readonly #theirsIn: TheirsIn;
  readonly #before: readonly string[];
  #plan: Plan;
  #isUp = false;
  readonly #history: string[] = [];
  commands = 0;

  constructor(lab: Lab, theirsIn: TheirsIn, before: readonly string[], plan: Plan) {
    this.#lab = lab;
    this.#theirsIn = theirsIn;
    this.#before = before;
    this.#plan = plan;
  }

  get #settings() {
    return settingsOf(this.#plan, this.#theirsIn);
  }

  async begin(): Promise<void> {
    this.#say(`up: ${JSON.stringify(this.#settings)}`);
    this.#lab.configure(this.#settings);
    await this.#converge(up);
  }

  async end(isRefreshing = false): Promise<void> {
    const args = isRefreshing ? [...destroy, "--refresh"] : destroy;
    this.#say(args.join(" "));
    await this.#mustEnd("destroy", await this.#run(args));
    this.#require(await compareWithNothing(this.#lab, this.#before));
    this.#isUp = false;
  }

  async step(kind: Step["kind"], draw: Draw): Promise<void> {
    if (kind === "destroy") return await this.end(draw(2) === 0);
    if (kind === "change" || !this.#isUp) {
      this.#change(draw);
      return await this.#converge(draw(3) === 0 ? refreshing : up);
    }
    if (kind === "again") return await this.#saying("up --refresh", () => this.#converge(refreshing));
    if (kind === "preview") return await this.#saying("preview", () => this.#preview());
    if (kind === "refresh") return await this.#saying("refresh", () => this.#refresh());
    if (kind === "replace") return await this.#replace(draw);
    if (kind === "hand") return await this.#byHand(draw);
    if (kind === "fault") return await this.#fault(draw);
    if (kind === "forget") return await this.#forget(draw);
    if (kind === "mistake") return await this.#mistake(draw);
    await this.#import();
  }

  #change(draw: Draw): void {
    const name = changeNames[draw(changeNames.length)] ?? "";
    this.#plan = changed(name, this.#plan, draw);
    this.#say(`${name}, up: ${JSON.stringify(this.#settings)}`);
    this.#lab.configure(this.#settings);
  }

  async #replace(draw: Draw): Promise<void> {
    const all = this.#lab.checkpoint.resources.filter(({ type }) => /^qingcloud:(cloud|state):/.test(type));
    const { urn } = all[draw(all.length)] ?? {};
    if (urn === undefined) return;
    this.#say(`up --replace ${urn}`);
    await this.#converge([...up, "--replace", urn]);
  }

  async #byHand(draw: Draw): Promise<void> {
    const { cloud, checkpoint } = this.#lab;
    const name = deedNames[draw(deedNames.length)] ?? "";
    const done = await doByHand(name, cloud.client, checkpoint.resources, draw);
    if (done === undefined) return;
    this.#say(`by hand: ${done}; up --refresh`);
    await this.#converge(refreshing);
  }

  /** Each kind but a job that hangs, which is waited for for ten minutes. */
  async #fault(draw: Draw): Promise<void> {
    const kinds = faults.filter((each) => each !== "hang-job");
    const kind = kinds[draw(kinds.length)] as FaultName;
    const where = { action: "*", nth: 1 + draw(60) };
    this.#change(draw);
    this.#say(`with the fault ${kind} at call ${where.nth}`);
    const { outcome, findings } = await meetFault(this.#lab, up, kind, where);
    this.#require([...findings, ...findInWords("up with a fault", outcome, true)]);
    if (draw(3) === 0) return await this.end();
    await this.#converge(up);
  }

  /** A wrong configuration is refused before anything is made; `destroy` does not need a right one. */
  async #mistake(draw: Draw): Promise<void> {
    const name = mistakeNames[draw(mistakeNames.length)] ?? "";
    this.#say(`${name}; up`);
    this.#lab.configure(mistaken(name, this.#settings));
    const [ids, resources] = [await idsOf(this.#lab), this.#lab.checkpoint.resources];
    const outcome = await this.#run(up);
    const problems = findInWords(`up with ${name}`, outcome, true);
    if (outcome.code === 0 || !/The configuration has .*; nothing was made/.test(outcome.text))
      problems.push({ kind: "bench", detail: `up with ${name} ended with ${outcome.code}: ${outcome.text}` });
    const [idsAfter, { resources: stored }] = [await idsOf(this.#lab), this.#lab.checkpoint];
    const urnsOf = (all: typeof resources) => all.map(({ urn, id }) => `${urn} ${id}`).toSorted();
    if (String(ids.toSorted()) !== String(idsAfter.toSorted()))
      problems.push({ kind: "orphan", detail: `up with ${name} changed what there is` });
    if (String(urnsOf(resources)) !== String(urnsOf(stored)))
      problems.push({ kind: "lost", detail: `up with ${name} changed the state` });
    this.#require(problems);
    if (draw(4) === 0) await this.end();
    this.#lab.configure(this.#settings);
  }

  /** The state loses an id: the next `up` finds the resource by its name. */
  async #forget(draw: Draw): Promise<void> {
    const { resources } = this.#lab.checkpoint;
    const needed = new Set(resources.flatMap(({ dependencies = [] }) => dependencies));
    // The CLI does not take out what others depend on.
    const all = resources.filter(
      ({ urn, type }) => /:(PortForward|IpsecTunnel|GreTunnel|Instance)$/.test(type) && !needed.has(urn),
    );
    const { urn } = all[draw(all.length)] ?? {};
    if (urn === undefined) return;
    this.#say(`state delete ${urn}; up`);
    await this.#mustEnd("state delete", await this.#run(["state", "delete", urn, "--force", "--yes"]));
    await this.#converge(up);
  }

  /** Somebody else's EIP becomes the stack's by import, and goes with the next `up`, as the program does not name it. */
  async #import(): Promise<void> {
    const zone = this.#plan.zones[0]?.zoneId ?? "";
    const { eips } = await this.#lab.cloud.client.ok("AllocateEips", { zone, bandwidth: "1" });
    const id = `${zone}/${(eips as string[])[0]}`;
    this.#say(`import ${id}; up`);
    const command = ["import", "qingcloud:cloud:Eip", "extra", id, "--yes", "--skip-preview"];
    const more = ["--generate-code=false", "--protect=false"];
    await this.#mustEnd("import", await this.#run([...command, ...more]));
    await this.#converge(up);
  }

  async #refresh(): Promise<void> {
    await this.#mustEnd("refresh", await this.#run(["refresh", "--yes", "--skip-preview"]));
    await this.#compare();
  }

  async #preview(): Promise<void> {
    const outcome = await this.#run(preview);
    const [problem] = findInWords("the preview", outcome, false);
    if (problem !== undefined) this.#require([{ kind: "unsettled", detail: problem.detail }]);
    await this.#compare();
  }

  /** One `up`, after which state and cloud are one, and a preview is empty. */
  async #converge(args: readonly string[]): Promise<void> {
    await this.#mustEnd(args.join(" "), await this.#run(args));
    this.#isUp = true;
    await this.#compare();
    await this.#preview();
  }

  async #compare(): Promise<void> {
    this.#require(await compare(this.#lab, this.#before));
  }

  async #run(args: readonly string[]): Promise<Outcome> {
    this.commands += 1;
    return await this.#lab.run(args);
  }

  async #mustEnd(what: string, outcome: Outcome): Promise<void> {
    this.#require(findInWords(what, outcome, false));
  }

  async #saying(what: string, work: () => Promise<void>): Promise<void> {
    this.#say(what);
    await work();
  }

  #say(line: string): void {
    this.#history.push(line);
  }

  #require(findings: readonly Finding[]): void {
    if (findings.length > 0) throw new LifeFailure(this.#history, findings, this.#lab.transcript);
  }
}
