/** `npm run train -- report`: the training run of a stack as one HTML file and one picture. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Workspace } from "../workspace.ts";

export interface Reported {
  readonly runId: string;
  /** Paths of the files. */
  readonly html: string;
  readonly png: string;
  /** What could not be found out. */
  readonly missing: readonly string[];
}

/** Where the report of a run is written where nobody says otherwise. */
function reportFolder({ pulumi }: Workspace, runId: string): string {
  return join(pulumi, "reports", runId);
}

/** The page that was written for a run; undefined where there is none. */
export function writtenReport(workspace: Workspace, runId: string): string | undefined {
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
  return { runId: data.runId, ...writeReport(data, folder) };
}
