/** The steps that all parts of the story share. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type Outputs, outputsOf } from "../../harness/outputs.ts";
import type { Place } from "../../harness/place.ts";
import { type Ended, root, waitFor } from "../../harness/process.ts";

/** The stack's place, once it exists. */
export type Stack = () => Place;

/** The settings of the local cloud's images. */
export const ready = "img-deeplearning";
export const bare = "img-bare";
/** Two GPUs. */
export const twoGpus = { instanceType: "g2ntp100.8xlarge.r4" };

/**
 * The CLI saves the state in the end alone: to save it after each step of each resource takes longer than the rest, and is
 * for a CLI that is killed, which none is here.
 */
export const environment = { PULUMI_SKIP_CHECKPOINTS: "true" };

/** An `up` that must succeed; what it printed. */
export async function up(place: Place): Promise<string> {
  const { code, text } = await place.up();
  expect(code, text).toBe(0);
  return text;
}

/** As `up`, of a configuration that trains to the end. */
export async function trained(place: Place): Promise<Outputs & { readonly text: string }> {
  const text = await up(place);
  return { text, ...outputsOf(place) };
}

/**
 * Starts an `up` and waits for something that is seen while it runs.
 * @returns how it will end
 * @throws Error with its output where it ends before
 */
export async function upUntil(
  place: Place,
  what: string,
  isSeen: () => boolean,
): Promise<{ readonly ended: Promise<Ended> }> {
  const ended = place.up();
  let early: Ended | undefined;
  void ended.then((end) => {
    early = end;
  });
  await waitFor(
    what,
    () => {
      if (early !== undefined) throw new Error(`the up ended without ${what}:\n${early.text}`);
      return isSeen();
    },
    200,
  );
  return { ended };
}

export function sha256Of(script: string): string {
  return createHash("sha256")
    .update(readFileSync(join(root, "scripts", "train", script)))
    .digest("hex");
}

/** Paths of the checkpoints of all runs on the nodes' disks; few folders are looked into, since this is asked often. */
export function checkpointsOf(place: Place): string[] {
  const nodes = join(place.cloudHome, "nodes");
  const below = (folder: string) =>
    existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return below(nodes)
    .flatMap((node) => below(join(node, "upper", "home", "ubuntu", ".crosszone", "runs")))
    .flatMap((run) => below(join(run, "checkpoints")))
    .flatMap(below)
    .filter((file) => file.endsWith(".pt"));
}
