/** `npm run train -- report`: the training run of a stack as one HTML file and one picture. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { reportsFolder, type Workspace } from "../workspace.ts";
import { exportState } from "./state.ts";

export interface Reported {
  readonly runId: string;
  /** What it says of the steps over the link, see `RunData`. */
  readonly link: string | undefined;
  /** Paths of the files. */
  readonly html: string;
  readonly png: string;
  /** What could not be found out. */
  readonly missing: readonly string[];
}

/** Where the report of a run is written where nobody says otherwise. */
function reportFolder(workspace: Workspace, runId: string): string {
  return join(reportsFolder(workspace), runId);
}

/** The page that was written for a run; undefined where there is none. */
function writtenReport(workspace: Workspace, runId: string): string | undefined {
  const path = join(reportFolder(workspace, runId), "report.html");
  return existsSync(path) ? path : undefined;
}

/**
 * Asks the nodes and the cloud, and writes the report.
 * @param stateText what `pulumi stack export --show-secrets` prints, of a stack with a run
 * @param output folder; default one of the run's own
 * @throws Error where the folder can not be written
 */
export async function makeReport(
  workspace: Workspace,
  stateText: string,
  output?: string,
): Promise<Reported> {
  // Here, because the libraries that draw take half a second to load.
  const [{ collect }, { writeReport }] = await Promise.all([
    import("../report/collect.ts"),
    import("../report/write.ts"),
  ]);
  const data = await collect(workspace, stateText);
  const folder = resolve(output ?? reportFolder(workspace, data.runId));
  return { runId: data.runId, link: data.link, ...writeReport(data, folder) };
}

const outputs = z.object({
  training: z.object({ runId: z.string(), state: z.string() }).nullish(),
});

/**
 * After an `up` that has succeeded: the report of the run that it has waited for, made if it is not there.
 * @param stackOutputs what `pulumi stack output --json` prints
 * @param isChanged whether the run may be another than the one of the report that is there
 * @returns a line that says where it is, or why it is not; undefined where no run has ended
 */
export async function reportOfEndedRun(
  workspace: Workspace,
  environment: NodeJS.ProcessEnv,
  stackOutputs: unknown,
  isChanged: boolean,
): Promise<string | undefined> {
  const { training } = outputs.parse(stackOutputs);
  if (training?.state !== "succeeded") return undefined;
  const written = isChanged ? undefined : writtenReport(workspace, training.runId);
  return written === undefined ? reportOfRun(workspace, environment, true) : `report  ${written}`;
}

/**
 * Makes the report of the stack's run. A run is none the worse for one that can not be made.
 * @param hasEnded whether it has succeeded: then what its steps took is put beside what they should
 * @returns as `reportOfEndedRun`
 */
export async function reportOfRun(
  workspace: Workspace,
  environment: NodeJS.ProcessEnv,
  hasEnded = false,
): Promise<string | undefined> {
  try {
    const stateText = await exportState(workspace, environment);
    if (stateText === undefined) return undefined;
    const { html, link } = await makeReport(workspace, stateText);
    const plan = hasEnded && link !== undefined ? [`plan    ${link}. More: npm run train -- plan`] : [];
    return [...plan, `report  ${html}`].join("\n");
  } catch (error) {
    return `report  not made: ${(error as Error).message}. Try again: npm run train -- report`;
  }
}
