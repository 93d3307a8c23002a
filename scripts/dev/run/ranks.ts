/** The ranks of a stack's run, as its state has them: also while an `up` is at work. */
import { z } from "zod";
import { type Connection, connectionInput } from "../../../provider/link/ssh.ts";
import { resourcesIn, revealed } from "./state.ts";

/** What a node's agent has started: a rank, or torchrun with the ranks of its node. */
export interface RankOnNode {
  /** The first of its ranks: by this one its agent knows it. */
  readonly rank: number;
  readonly ranks: readonly number[];
  /** Name of its node. */
  readonly node: string;
  readonly runId: string;
  readonly connection: Connection;
  /** Of its first attempt: milliseconds since 1970. */
  readonly launchedAt: number | undefined;
  /** What its agent is launched with. */
  readonly launch: Readonly<Record<string, unknown>>;
}

/** Of a connection of `@pulumi/command`, what we dial with. */
const endpoint = connectionInput.omit({ proxy: true }).strip();
const connection = endpoint.extend({ proxy: endpoint.optional() });
const launchCommand = z.object({ connection, stdin: z.string() });
const launchArguments = z.looseObject({
  runId: z.string(),
  rank: z.number(),
  /** Absent in a state of before there was torchrun. */
  ranks: z.array(z.number()).min(1).optional(),
});

/** @param stateText what `pulumi stack export --show-secrets` prints */
export function readRanks(stateText: string): RankOnNode[] {
  return resourcesIn(stateText)
    .flatMap(({ urn, type, inputs, modified }) => {
      const [, node] = /::(?:.+\$)?command:remote:Command::(.+)-rank-\d+$/.exec(urn) ?? [];
      if (type !== "command:remote:Command" || node === undefined) return [];
      const given = launchCommand.parse(revealed(inputs));
      const launch = launchArguments.parse(JSON.parse(given.stdin));
      const { rank, ranks = [rank], runId } = launch;
      const launchedAt = modified === undefined ? undefined : Date.parse(modified);
      return [{ rank, ranks, node, runId, connection: given.connection, launchedAt, launch }];
    })
    .sort((one, other) => one.rank - other.rank);
}
