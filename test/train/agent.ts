/** The node's agent as a test calls it: a home of its own, arguments as JSON, the answer from the last line. */
import { expect } from "vitest";
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
