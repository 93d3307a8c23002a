/** The steps that all parts of the story share. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { z } from "zod";
import { type Outputs, outputsOf, outputsSchema } from "../../harness/outputs.ts";
import type { Place } from "../../harness/place.ts";
import { root } from "../../harness/process.ts";

/** The stack's place, once it exists. */
export type Stack = () => Place;

/** The settings of the local cloud's images. */
export const ready = "img-deeplearning";
export const bare = "img-bare";
/** Two GPUs. */
export const twoGpus = { instanceType: "g2ntp100.8xlarge.r4" };

/** An `up` that must succeed; what it printed. */
export async function up(place: Place): Promise<string> {
  const { code, text } = await place.up();
  expect(code, text).toBe(0);
  return text;
}

/** The outputs of an `up` that trained to the end, and what it printed. */
export type Trained = Outputs & { readonly text: string };

/** As `up`, of a configuration that trains to the end. */
export async function trained(place: Place): Promise<Trained> {
  const text = await up(place);
  return { text, ...outputsOf(place) };
}

const endedSchema = outputsSchema.extend({
  training: outputsSchema.shape.training.extend({
    ranks: z.array(z.looseObject({ rank: z.number(), node: z.string(), exitCode: z.number() })),
  }),
});

/** As `Trained`, of a script that need not say what it has learned. */
export type Ended = z.output<typeof endedSchema> & { readonly text: string };

/** As `up`, of a configuration whose script runs to the end. */
export async function ended(place: Place): Promise<Ended> {
  const text = await up(place);
  return { text, ...endedSchema.parse(place.outputs()) };
}

export function sha256Of(script: string): string {
  return createHash("sha256")
    .update(readFileSync(join(root, "scripts", "train", script)))
    .digest("hex");
}
