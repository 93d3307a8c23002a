/** What a fresh machine needs before anything else runs. */
import type { Privilege } from "../../local-cloud/privilege.ts";
import { debianStep, mainJobPackages } from "./debian.ts";
import { digitsStep } from "./digits.ts";
import { programsStep } from "./programs.ts";
import type { Progress } from "./progress.ts";
import { cliStep, isOfficial } from "./pulumi-cli.ts";
import { pluginsStep } from "./pulumi-plugins.ts";
import { runSteps } from "./steps.ts";
import type { Workspace } from "./workspace.ts";

interface Options {
  /** Debian packages in addition to those of the main job. */
  readonly morePackages?: readonly string[];
  /** Undefined where this user cannot become root. */
  readonly privilege: Privilege | undefined;
}

/** @throws Error that names each step that failed, with the program's own words */
export async function setUp(
  workspace: Workspace,
  shown: Progress,
  { morePackages = [], privilege }: Options,
): Promise<void> {
  const packages = debianStep([...mainJobPackages, ...morePackages], privilege);
  await runSteps([cliStep(workspace), packages, programsStep(workspace)], shown);
  await runSteps([pluginsStep(workspace, isOfficial(workspace)), digitsStep(workspace)], shown);
}
