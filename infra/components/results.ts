/** What the agents on the nodes have said of a run, as the stack's outputs show it. */
import type { remote } from "@pulumi/command";
import { type Output, output } from "@pulumi/pulumi";
import { z } from "zod";
import type { LaunchPlan } from "../plan/training.ts";

const summary = z.object({
  rank: z.number(),
  attempt: z.number(),
  state: z.enum(["running", "succeeded", "failed", "stopped"]),
  exitCode: z.number().nullable(),
  /** What each rank's script told in its last line; one of the user's own may tell less, or nothing. */
  results: z.array(
    z
      .object({
        rank: z.number(),
        backend: z.string(),
        epochs: z.number(),
        finalLoss: z.number(),
        accuracy: z.number(),
        parametersSha256: z.string(),
        secondsPerStep: z.number(),
        samplesSeen: z.number(),
      })
      .partial(),
  ),
});

const fetchedFiles = z.object({ files: z.tuple([z.object({ sha256: z.string() })], z.looseObject({})) });

/** The script is the first of the files that a node fetched or looked at. */
export function hashOfScript(stdout: string): string {
  return fetchedFiles.parse(JSON.parse(stdout)).files[0].sha256;
}

export function rankOutputs(
  { ranks, node }: LaunchPlan,
  follower: remote.Command | undefined,
): Output<object[]> {
  if (follower === undefined) return output(ranks.map((rank) => ({ rank, node })));
  return follower.stdout.apply((text) => {
    const { exitCode, results } = summary.parse(JSON.parse(text.trimEnd().split("\n").at(-1) ?? ""));
    return ranks.map((rank) => {
      // torchrun's ranks share a log; a rank of its own need not name itself.
      const result = ranks.length > 1 ? results.find((each) => each.rank === rank) : results.at(-1);
      return { node, exitCode, ...result, rank };
    });
  });
}
