/** The link between two zones: what a tunnel carries, how much of it training uses, and what each way to average costs. */
import {
  ddpRates,
  goodputRates,
  type Kind,
  kinds,
  type SyncMode,
  syncModes,
  syncRates,
} from "./link-metrics.ts";
import { LinkedNodes, type Trained } from "./link-nodes.ts";
import { mean, median, type Order, type Samples } from "./measuring.ts";

const goodputRuns = 5;
/** Of the link's use: steps that are measured, and those before, in which processes and connections find their pace. */
const useSteps = { measured: 30, before: 5 };
/** About 1 M parameters that are averaged in every step, and next to nothing to compute. */
const tinyBatch = ["--batch-size", "1", "--context", "16"];

const seeds = [1, 2, 3];
/** Steps between two averagings of local-sgd and diloco, and rounds of so many that are trained. */
const every = 50;
const rounds = 5;
/** Modes that average in every step have the same pace in all of them. */
const stepsAtRate: Readonly<Record<SyncMode, number>> = {
  ddp: 30,
  fp16: 30,
  powersgd: 60,
  "local-sgd": every * rounds,
  diloco: every * rounds,
};
const options: Readonly<Record<SyncMode, readonly string[]>> = {
  ddp: [],
  fp16: [],
  powersgd: [],
  "local-sgd": ["--sync-every", String(every)],
  // 0.9 is for long runs.
  diloco: ["--sync-every", String(every), "--sync-precision", "int8", "--outer-momentum", "0.5"],
};

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
    const { steps: all } = await nodes.train(charLm(["--max-steps", String(steps), ...tinyBatch]));
    const measured = all.slice(useSteps.before);
    const seconds = median(measured.map((step) => step.seconds));
    const [first] = measured;
    if (first === undefined) throw new Error(`char_lm.py wrote ${all.length} of ${steps} steps`);
    samples[`link.ddp.${rate}.use`] = [(first.gradientBytes * 8) / 1e6 / goodput / seconds];
  }
  return samples;
}

/**
 * The loss after the same steps is the same at every rate, so that all seeds are trained on an unlimited link, and one
 * at each rate.
 */
async function measureModes({ nodes, order }: Link): Promise<Samples> {
  const train = async (mode: SyncMode, seed: number, steps: number, where: string): Promise<Trained> => {
    order.signal.throwIfAborted();
    order.say(`link: ${mode}, seed ${seed}, ${steps} steps ${where}`);
    const args = ["--sync", mode, ...options[mode], "--seed", String(seed), "--max-steps", String(steps)];
    return await nodes.train(charLm(args));
  };
  await nodes.setRate();
  const unlimited = new Map<SyncMode, Trained[]>();
  for (const mode of syncModes) {
    const trained: Trained[] = [];
    for (const seed of seeds) trained.push(await train(mode, seed, every * rounds, "without a limit"));
    unlimited.set(mode, trained);
  }
  const samples: Samples = {};
  for (const rate of syncRates) {
    await nodes.setRate(rate);
    for (const mode of syncModes) {
      const [seed = 1] = seeds;
      const steps = stepsAtRate[mode];
      const limited = await train(mode, seed, steps, `at ${rate} Mbit/s`);
      const free = unlimited.get(mode) ?? [];
      const secondsOf = (run: Trained | undefined) =>
        mean((run?.steps ?? []).slice(0, steps).map(({ seconds }) => seconds));
      const name = `link.${mode}.${rate}` as const;
      samples[`${name}.secondsPerStep`] = [secondsOf(limited)];
      samples[`${name}.bytesPerStep`] = [mean(limited.steps.map(({ sentBytes }) => sentBytes))];
      samples[`${name}.slowdown`] = [secondsOf(limited) / secondsOf(free[0])];
      samples[`${name}.loss`] = [mean(free.map(({ heldOutLoss }) => heldOutLoss))];
    }
  }
  return samples;
}

function charLm(args: readonly string[]) {
  return { script: "char_lm.py", args };
}
