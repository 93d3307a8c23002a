/** What a fresh machine needs before anything else runs. */
import { debianStep } from "./debian.ts";
import { digitsStep } from "./digits.ts";
import { cliStep, commandPluginStep } from "./pulumi-cli.ts";
import { runSteps } from "./steps.ts";
import type { Workspace } from "./workspace.ts";

/** @throws Error that names each step that failed, with the program's own words */
export async function setUp(workspace: Workspace, print: (line: string) => void): Promise<void> {
  await runSteps([cliStep(workspace), commandPluginStep(workspace), debianStep], print);
  await runSteps([digitsStep(workspace)], print);
}
