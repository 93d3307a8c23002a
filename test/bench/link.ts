/** The link between two zones: what a tunnel carries, how much of it training uses, and what each way to average costs. */
import {
  ddpRates,
  goodputRates,
  type Kind,
  kinds,
  type SyncFigure,
  type SyncMode,
  syncFigures,
  syncModes,
  syncRates,
} from "./link-metrics.ts";
import { LinkedNodes, type Trained, type TrainingRun } from "./link-nodes.ts";
import { mean, median, type Order, type Samples } from "./measuring.ts";

const goodputRuns = 5;
/** Of the link's use: steps that are measured, and those before, in which processes and connections find their pace. */
const useSteps = { measured: 30, before: 5 };
/** About 1 M parameters that are averaged in every step, and next to nothing to compute. */
const tinyBatch = ["--batch-size", "1", "--context", "16"];

const seeds = [1, 2, 3];
/** Steps between two averagings of local-sgd and diloco. */
const every = 20;
/**
 * What is compared at each rate. Modes that average in every step have the same pace in all of them. The last average of
 * diloco has no step to hide behind: of few steps it would be a large part.
 */
const stepsAtRate: Readonly<Record<SyncMode, number>> = {
  ddp: 15,
  fp16: 15,
  powersgd: 30,
  "local-sgd": 5 * every,
  diloco: 25 * every,
};
const options: Readonly<Record<SyncMode, readonly string[]>> = {
  ddp: [],
  fp16: [],
  powersgd: [],
  "local-sgd": ["--sync-every", String(every)],
  // An average takes some 5 steps at 10 Mbit/s. Outer momentum 0.9 is for long runs.
  diloco: [
    ...["--sync-every", String(every), "--sync-precision", "int8", "--sync-overlap", "6"],
    ...["--outer-lr", "0.9", "--outer-momentum", "0.5"],
  ],
};

/** After so many the loss is taken. */
const stepsOfLoss = 500;
/** The best of those tried with ddp. */
const lr = "0.0015";

type Rate = (typeof syncRates)[number];

interface Link {
  readonly nodes: LinkedNodes;
  readonly order: Order;
}

export async function measureLink(order: Order): Promise<Samples> {
  const samples: Samples = {};
  for (const kind of kinds) {
    const wanted = [...order.wanted].filter((name) => isMeasuredOver(kind, name));
    if (wanted.length === 0) continue;
    order.signal.throwIfAborted();
    order.say(`link: two zones joined by ${kind}`);
    const nodes = await LinkedNodes.start(kind, order.signal);
    try {
      const link = { nodes, order };
      const isWanted = (end: string) => wanted.some((name) => name.endsWith(end));
      if (isWanted(".goodput")) Object.assign(samples, await measureGoodput(link, kind));
      if (isWanted(".use")) Object.assign(samples, await measureUse(link));
      if (wanted.some((name) => !/\.(goodput|use)$/.test(name))) {
        Object.assign(samples, await measureModes(link));
      }
    } finally {
      await nodes.remove();
    }
  }
  return samples;
}

/** Training is measured over IPSec, the default. */
function isMeasuredOver(kind: Kind, name: string): boolean {
  if (!name.startsWith("link.")) return false;
  return name.startsWith(`link.${kind}.`) || (kind === "ipsec" && !name.startsWith("link.gre."));
}

async function measureGoodput({ nodes, order }: Link, kind: Kind): Promise<Samples> {
  const samples: Samples = {};
  for (const rate of goodputRates.filter((each) => order.wanted.has(`link.${kind}.${each}.goodput`))) {
    await nodes.setRate(rate);
    const shares: number[] = [];
    for (let run = 1; run <= goodputRuns; run += 1) {
      order.signal.throwIfAborted();
      order.say(`link: goodput of ${kind} at ${rate} Mbit/s, run ${run} of ${goodputRuns}`);
      // The bandwidth's burst goes at once: it should be a small part of the whole.
      shares.push((await nodes.goodput(rate < 10 ? 8 : 4)) / rate);
    }
    samples[`link.${kind}.${rate}.goodput`] = shares;
  }
  return samples;
}

async function measureUse({ nodes, order }: Link): Promise<Samples> {
  const samples: Samples = {};
  for (const rate of ddpRates.filter((each) => order.wanted.has(`link.ddp.${each}.use`))) {
    order.signal.throwIfAborted();
    order.say(`link: its use by ddp at ${rate} Mbit/s`);
    await nodes.setRate(rate);
    const goodput = await nodes.goodput(4);
    const steps = useSteps.before + useSteps.measured;
    const trained = await nodes.train(charLm(steps, tinyBatch));
    const measured = trained.steps.slice(useSteps.before);
    const gradientBytes = mean(measured.map((step) => step.gradientBytes));
    const seconds = median(measured.map((step) => step.seconds));
    samples[`link.ddp.${rate}.use`] = [(gradientBytes * 8) / 1e6 / goodput / seconds];
  }
  return samples;
}

/**
 * The machine's pace changes with the minutes: the same steps at each rate and on an unlimited link are trained right after
 * each other, and with every seed another of them comes first. The loss after the same steps is the same over any link, and
 * ranks on one node are there soonest.
 */
async function measureModes({ nodes, order }: Link): Promise<Samples> {
  const samples: Samples = {};
  for (const mode of syncModes.filter((each) => isWantedOf(each, order))) {
    const trained: { readonly rate: Rate | undefined; readonly run: Trained }[] = [];
    const losses: number[] = [];
    for (const [turn, seed] of seeds.entries()) {
      const train = async (steps: number, where: string, on: (run: TrainingRun) => Promise<Trained>) => {
        order.signal.throwIfAborted();
        order.say(`link: ${mode}, seed ${seed} of ${seeds.length}, ${steps} steps ${where}`);
        return await on(
          charLm(steps, ["--sync", mode, ...options[mode], "--lr", lr, "--seed", String(seed)]),
        );
      };
      const links = [undefined, ...syncRates];
      for (const rate of [...links.slice(turn), ...links.slice(0, turn)]) {
        await nodes.setRate(rate);
        const where = rate === undefined ? "without a limit" : `at ${rate} Mbit/s`;
        trained.push({ rate, run: await train(stepsAtRate[mode], where, (run) => nodes.train(run)) });
      }
      if (!isWantedOf(mode, order, ".loss")) continue;
      const whole = await train(stepsOfLoss, "on one node", (run) => nodes.trainOnOneNode(run));
      losses.push(whole.heldOutLoss);
    }
    const stepsAt = (wanted: Rate | undefined) =>
      trained.filter(({ rate }) => rate === wanted).flatMap(({ run }) => run.steps);
    for (const rate of syncRates) {
      const steps = stepsAt(rate);
      const figures: Record<SyncFigure, number[]> = {
        secondsPerStep: [secondsOf(steps)],
        bytesPerStep: [mean(steps.map(({ sentBytes }) => sentBytes))],
        slowdown: [secondsOf(steps) / secondsOf(stepsAt(undefined))],
        loss: losses.length === 0 ? [] : [mean(losses)],
      };
      for (const figure of syncFigures) samples[`link.${mode}.${rate}.${figure}`] = figures[figure];
    }
  }
  return samples;
}

function isWantedOf(mode: SyncMode, { wanted }: Order, end = ""): boolean {
  return [...wanted].some(
    (name) => name.startsWith(`link.${mode}.`) && name.endsWith(end) && !name.endsWith(".use"),
  );
}

function secondsOf(steps: Trained["steps"]): number {
  return mean(steps.map(({ seconds }) => seconds));
}

function charLm(steps: number, args: readonly string[]): TrainingRun {
  return { script: "char_lm.py", steps, args };
}
