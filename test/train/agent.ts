/** The node's agent as a test calls it: a home of its own, arguments as JSON, the answer from the last line. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { z } from "zod";
import { type Ended, Python } from "./python.ts";

export const agent = new URL("../../scripts/node/agent", import.meta.url).pathname;

export function begin(
  home: string,
  subcommand: string,
  given: unknown,
  env: Readonly<Record<string, string | undefined>> = {},
): Python {
  return new Python(agent, [subcommand], { stdin: JSON.stringify(given), env: { ...env, HOME: home } });
}

/** A call that must succeed without a word on standard error. */
export async function succeed(...call: Parameters<typeof begin>): Promise<Ended> {
  const ended = await begin(...call).ended;
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  return ended;
}

export async function ask(...call: Parameters<typeof begin>): Promise<Record<string, unknown>> {
  return lastLine(await succeed(...call));
}

export function lastLine({ stdout }: Pick<Ended, "stdout">): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
}

const noted = z.object({
  endedAt: z.number().nullish(),
  supervisor: z.object({ pid: z.number() }).nullish(),
});

/** What the agent keeps of a rank, read without a process; undefined before its launch. */
export function noteOf(home: string, { runId, rank }: { runId: string; rank: number }) {
  const file = join(home, ".crosszone/runs", runId, `rank-${rank}`, "state.json");
  if (!existsSync(file)) return undefined;
  const { endedAt, supervisor } = noted.parse(JSON.parse(readFileSync(file, "utf8")));
  return {
    hasEnded: typeof endedAt === "number",
    isSupervised: typeof supervisor?.pid === "number" && existsSync(`/proc/${supervisor.pid}`),
  };
}
