/** The one stack and cloud of the whole story. Each test goes on where the one before ended. */
import { test as base } from "vitest";
import { hostNetwork } from "../../harness/machine.ts";
import { secretsOf, zonesOf } from "../../harness/outputs.ts";
import { Place } from "../../harness/place.ts";
import { command, root } from "../../harness/process.ts";

/**
 * `before`: how things were before anything was done; `first`: the first `npm start`, from nothing; `secrets` by what
 * they are, before any key was replaced.
 */
export const test = base
  .extend("before", { scope: "file" }, () => ({ network: hostNetwork(), git: ownFilesInGit() }))
  .extend("place", { scope: "file" }, ({ before: _ }, { onCleanup }) => {
    const place = new Place();
    onCleanup(() => place.remove());
    return place;
  })
  .extend("first", { scope: "file" }, ({ place }) => place.npm(["start"]).ended)
  .extend("secrets", { scope: "file" }, ({ place, first: _ }) => secretsOf(place));

/** The output of git for the files that the commands could write; the rest of the checkout may be edited meanwhile. */
export function ownFilesInGit(): string {
  const paths = [
    ":(glob)Pulumi*",
    "package.json",
    "package-lock.json",
    "scripts/train",
    "infra/node_modules",
  ];
  return command("git", "-C", root, "status", "--porcelain", "--untracked-files=all", "--", ...paths);
}

/** The id of a zone's router. */
export function routerOf(place: Place, zone: string): string {
  return zonesOf(place).find(({ name }) => name === zone)?.vpcId ?? "";
}

/** The modules that the script which trains is made of. */
export const modulesOfTraining = [
  "arguments",
  "checkpoint",
  "data",
  "group",
  "metrics",
  "model",
  "sync",
  "training",
];

/** Parameters of the model that learns the digits. */
export const parameters = 38_282;
/** Steps of a rank in an epoch: 719 samples, 64 at a time. */
export const stepsPerEpoch = 12;
