/** A process that lives lives, one after the other, with the fast clock in place of its own. */
import fc from "fast-check";
import { installClock, realNow, setSpeed } from "../interrupts/clock.ts";

export interface Task {
  readonly seed: number;
  readonly mostSteps: number;
  /** How long a failing life is made shorter. */
  readonly shrinkSeconds: number;
}
export type Report =
  | { readonly commands: number; readonly failure?: { readonly life: string; readonly told: string } }
  | { readonly error: string };

installClock();
const { Lab } = await import("../interrupts/lab.ts");
const { serve } = await import("../interrupts/serving.ts");
const { live, LifeFailure, lifeOf } = await import("./life.ts");
const { makeTheirs } = await import("./theirs.ts");

const lab = new Lab();
const prepared = prepare();
prepared.catch(() => {});

async function prepare() {
  setSpeed(5);
  await lab.prepare();
  await lab.startCloud();
  lab.configure({ "training.mode": "none" });
  const theirs = await makeTheirs(lab.cloud.client);
  await lab.keep("empty");
  return theirs;
}

/** The life of a seed; one that fails is made shorter while there is time. */
async function reportOf({ seed, mostSteps, shrinkSeconds }: Task): Promise<Report> {
  const theirs = await prepared;
  let commands = 0;
  let isFailing = false;
  const { begin, isOver } = timeFor(shrinkSeconds);
  const property = fc.asyncProperty(lifeOf(mostSteps), async (life) => {
    if (isFailing && isOver()) return;
    try {
      commands += await live(lab, theirs, life);
    } catch (error) {
      isFailing = true;
      begin();
      throw error;
    }
  });
  const result = await fc.check(property, { seed, numRuns: 1 });
  if (!result.failed) return { commands };
  const cause = result.errorInstance;
  if (!(cause instanceof LifeFailure)) throw cause;
  return { commands, failure: { life: JSON.stringify(result.counterexample?.[0]), told: cause.message } };
}

/** Counted from the first `begin` on. */
function timeFor(seconds: number) {
  let since: number | undefined;
  return {
    begin: () => {
      since ??= realNow();
    },
    isOver: () => since !== undefined && realNow() - since > seconds * 1000,
  };
}

serve<Task>(lab, reportOf);
