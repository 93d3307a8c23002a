/** What a rank has written of itself, a JSON object a line (scripts/train/metrics.py). */
import { z } from "zod";

/** Seconds since 1970. */
const time = z.number();
/** Null where it was no number: a loss that diverged. */
const measured = z.number().nullish();

const start = z.object({
  event: z.literal("start"),
  time,
  backend: z.string().nullish(),
  device: z.string().nullish(),
  torch: z.string().nullish(),
  parameters: measured,
  gradientBytes: measured,
  sync: z.string().nullish(),
  /** Of gradients, sent together during the backward pass; null where nothing is. */
  bucketBytes: measured,
  /** That training goes on while an average is under way. */
  overlapSteps: measured,
  epochs: measured,
});
const step = z.object({
  event: z.literal("step"),
  time,
  step: z.number().int(),
  loss: measured,
  seconds: measured,
  /** Of `seconds`, until the own gradients were ready. */
  computeSeconds: measured,
  /** Of `seconds`, what was waited for the other ranks after that. */
  communicationSeconds: measured,
  /** What the rank has handed to the others. */
  gradientBytes: measured,
  /** Of the interface of the rank's node. */
  sentBytes: measured,
  receivedBytes: measured,
});
const epoch = z.object({
  event: z.literal("epoch"),
  time,
  epoch: z.number().int(),
  /** Steps until its end. */
  step: z.number().int().nullish(),
  /** Mean of all ranks. */
  loss: measured,
  accuracy: measured,
});
const result = z.object({
  event: z.literal("result"),
  epochs: measured,
  finalLoss: measured,
  accuracy: measured,
  secondsPerStep: measured,
  parametersSha256: z.string().nullish(),
});
const line = z.discriminatedUnion("event", [start, step, epoch, result]);

export type Start = z.output<typeof start>;
export type Step = z.output<typeof step>;
export type Epoch = z.output<typeof epoch>;
export type Result = z.output<typeof result>;

export interface RankMetrics {
  /** One an attempt. */
  readonly starts: readonly Start[];
  /** In their order; of a step that was done again in a later attempt, the last. */
  readonly steps: readonly Step[];
  readonly epochs: readonly Epoch[];
  readonly result: Result | undefined;
  /** Lines of another form. */
  readonly unreadable: number;
}

export function readMetrics(lines: readonly unknown[]): RankMetrics {
  const starts: Start[] = [];
  const steps = new Map<number, Step>();
  const epochs = new Map<number, Epoch>();
  let [last, unreadable]: [Result | undefined, number] = [undefined, 0];
  for (const each of lines) {
    const { data } = line.safeParse(each);
    if (data === undefined) unreadable += 1;
    else if (data.event === "start") starts.push(data);
    else if (data.event === "step") steps.set(data.step, data);
    else if (data.event === "epoch") epochs.set(data.epoch, data);
    else last = data;
  }
  return {
    starts,
    steps: [...steps.values()].sort((one, other) => one.step - other.step),
    epochs: [...epochs.values()].sort((one, other) => one.epoch - other.epoch),
    result: last,
    unreadable,
  };
}

export function isEmpty({ starts, steps, epochs, result: last }: RankMetrics): boolean {
  return starts.length + steps.length + epochs.length === 0 && last === undefined;
}

/** Mean of what there is; undefined of nothing. */
export function mean(values: readonly (number | null | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** A rank's mean step, in seconds. */
export function meanStep({ steps }: RankMetrics) {
  return {
    seconds: mean(steps.map(({ seconds }) => seconds)),
    compute: mean(steps.map(({ computeSeconds }) => computeSeconds)),
    communication: mean(steps.map(({ communicationSeconds }) => communicationSeconds)),
  };
}
