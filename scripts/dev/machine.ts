/** The commands that a machine can run: the data plane needs Linux with Debian's packages, the rest does not. */
import { existsSync } from "node:fs";

export interface Machine {
  readonly platform: string;
  readonly hasApt: boolean;
}

export function thisMachine(): Machine {
  return { platform: process.platform, hasApt: existsSync("/usr/bin/apt-get") };
}

/** The commands that need neither root nor the data plane. */
export const worksWithoutDataPlane = [
  "npm run pulumi -- up --stack prod           a stack on a real account",
  "npm run train -- status                     its training run",
  "npm run cloud -- start --data-plane none    the local cloud's API alone, for QingCloud's clients",
]
  .map((line) => `  ${line}`)
  .join("\n");

/**
 * Why a command that needs the data plane cannot run, and what can; undefined where nothing speaks against it.
 * @param command as the user typed it
 */
export function refusalOf(
  command: string,
  { platform, hasApt }: Machine = thisMachine(),
): string | undefined {
  if (platform === "linux" && hasApt) return undefined;
  const found = platform === "linux" ? "this Linux has no apt-get" : `this is ${platform}`;
  return `${command} needs Linux with Debian's packages, for the local cloud's data plane; ${found}. This works here:\n${worksWithoutDataPlane}`;
}
