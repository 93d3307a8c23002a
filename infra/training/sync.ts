/** How the ranks of a run bring what they have learnt together: the modes of scripts/train/sync.py and their settings. */
import { z } from "zod";
import { decimal } from "./values.ts";

export const sync = z.enum(["ddp", "fp16", "bf16", "powersgd", "local-sgd", "diloco"]);
export type Sync = z.output<typeof sync>;

export const syncOptions = z.strictObject({
  /** Steps between two averagings. */
  every: z.number().int().min(1).default(20),
  /** Of what diloco averages. */
  precision: z.enum(["fp32", "fp16", "int8"]).default("fp16"),
  /** That diloco trains on while what it averages is under way. */
  overlapSteps: z.number().int().min(0).default(0),
  rank: z.number().int().min(1).default(4),
  /** Steps of plain ddp at the start. */
  warmupSteps: z.number().int().min(0).default(0),
  outerLr: decimal.pipe(z.number().positive()).default(0.7),
  outerMomentum: decimal.pipe(z.number().min(0).lt(1)).default(0.9),
});
export type SyncOptions = z.output<typeof syncOptions>;
const defaults = syncOptions.parse({});
type Option = keyof SyncOptions;

const usedBy: Record<Sync, readonly Option[]> = {
  ddp: [],
  fp16: [],
  bf16: [],
  powersgd: ["rank", "warmupSteps"],
  "local-sgd": ["every", "warmupSteps"],
  diloco: ["every", "precision", "overlapSteps", "outerLr", "outerMomentum"],
};
const flags = {
  every: "--sync-every",
  precision: "--sync-precision",
  overlapSteps: "--sync-overlap",
  rank: "--powersgd-rank",
  warmupSteps: "--sync-warmup",
  outerLr: "--outer-lr",
  outerMomentum: "--outer-momentum",
} satisfies Record<Option, string>;

/** Options that are other than by default and that the mode does not use, each with what is wrong. */
export function unusedOptions(mode: Sync, given: SyncOptions) {
  return syncOptions
    .keyof()
    .options.filter((option) => given[option] !== defaults[option] && !usedBy[mode].includes(option))
    .map((option) => {
      const users = sync.options.filter((other) => usedBy[other].includes(option));
      const own = usedBy[mode].length === 0 ? "has no options" : `has ${usedBy[mode].join(", ")}`;
      const message = `is of sync ${users.join(" and ")}; sync ${mode} ${own}. Leave it out, or change training.sync`;
      return { option, message };
    });
}

/** Nothing for ddp: scripts that know no other mode go on as they are. */
export function syncFlags(mode: Sync, given: SyncOptions): [string, string | number][] {
  if (mode === "ddp") return [];
  return [
    ["--sync", mode],
    ...usedBy[mode].map((option): [string, string | number] => [flags[option], given[option]]),
  ];
}

const bytesOf = { fp32: 4, fp16: 2, int8: 1 } as const;

/**
 * What a rank hands to the group in a step, bytes, the mean of all steps, and in which part of the steps it does.
 * Undefined for powersgd: that depends on the shapes of the model's layers.
 */
export function payloadOf(
  mode: Sync,
  { every, precision }: Pick<SyncOptions, "every" | "precision">,
  parameters: number,
): { bytes: number; averagings: number } | undefined {
  const rarely = (bytes: number) => ({ bytes: (bytes * parameters) / every, averagings: 1 / every });
  if (mode === "ddp") return { bytes: bytesOf.fp32 * parameters, averagings: 1 };
  if (mode === "fp16" || mode === "bf16") return { bytes: bytesOf.fp16 * parameters, averagings: 1 };
  if (mode === "local-sgd") return rarely(bytesOf.fp32);
  return mode === "diloco" ? rarely(bytesOf[precision]) : undefined;
}
