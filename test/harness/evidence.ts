/** After a failure: what a place's cloud, stack and nodes have noted, kept where the failure's message says. */
import { cpSync, existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Workspace } from "../../scripts/dev/workspace.ts";

/** @returns the folder that holds it */
export function keepEvidence(workspace: Workspace): string {
  const folder = mkdtempSync(join(tmpdir(), "crosszone-failed-"));
  const keep = (from: string, name: string) => {
    if (existsSync(from)) cpSync(from, join(folder, name), { recursive: true });
  };
  for (const name of ["log", "calls.jsonl", "logs"]) keep(join(workspace.cloud, name), name);
  keep(join(workspace.pulumi, "state"), "state");
  keep(join(workspace.pulumi, `Pulumi.${workspace.stack}.yaml`), `Pulumi.${workspace.stack}.yaml`);
  for (const path of runFiles(join(workspace.cloud, "nodes"))) {
    keep(join(workspace.cloud, "nodes", path), join("nodes", path));
  }
  return folder;
}

/** Logs and states of ranks, and what they have measured, on the disks of all nodes. */
function runFiles(nodes: string): string[] {
  if (!existsSync(nodes)) return [];
  return readdirSync(nodes, { recursive: true, encoding: "utf8" }).filter((path) =>
    /\.crosszone\/runs\/[^/]+\/(rank-\d+\/[^/]+|metrics\/[^/]+)$/.test(path),
  );
}
