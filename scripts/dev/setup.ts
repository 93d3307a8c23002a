/** What a fresh machine needs before anything else runs. */
import { debianStep, mainJobPackages } from "./debian.ts";
import { digitsStep } from "./digits.ts";
import { cliStep, isOfficial } from "./pulumi-cli.ts";
import { pluginsStep } from "./pulumi-plugins.ts";
import { runSteps } from "./steps.ts";
import type { Workspace } from "./workspace.ts";

/**
 * @param morePackages Debian packages in addition to those of the main job
 * @throws Error that names each step that failed, with the program's own words
 */
export async function setUp(
  workspace: Workspace,
  print: (line: string) => void,
  morePackages: readonly string[] = [],
): Promise<void> {
  await runSteps([cliStep(workspace), debianStep([...mainJobPackages, ...morePackages])], print);
  await runSteps([pluginsStep(workspace, isOfficial(workspace)), digitsStep(workspace)], print);
}
