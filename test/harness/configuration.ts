/** A stack's working configuration, edited in this process instead of by a `pulumi config set` for every value. */
import { readFileSync, writeFileSync } from "node:fs";
import { parseDocument } from "yaml";
import { writeWorkingConfig } from "../../scripts/dev/stack.ts";
import type { Workspace } from "../../scripts/dev/workspace.ts";

/** A value of the configuration; undefined removes it. */
export type Value = string | number | boolean | readonly unknown[] | object | undefined;

/**
 * Sets values of the working configuration as `pulumi config set --path` does.
 * @param settings by path, e.g. `zones[0].bandwidthMbps` (namespace crosszone) or `qingcloud:configFile`
 */
export function configure(workspace: Workspace, settings: Readonly<Record<string, Value>>): void {
  const file = writeWorkingConfig(workspace);
  const document = parseDocument(readFileSync(file, "utf8"));
  for (const [path, value] of Object.entries(settings)) {
    const steps = ["config", ...stepsOf(path)];
    if (value === undefined) document.deleteIn(steps);
    else document.setIn(steps, document.createNode(value));
  }
  writeFileSync(file, document.toString());
}

/** `zones[0].bandwidthMbps` as its key with namespace, an index and a name. */
function stepsOf(path: string): (string | number)[] {
  const [, first = "", rest = ""] = /^([^.[]+)(.*)$/.exec(path) ?? [];
  const steps = [...rest.matchAll(/\.([^.[]+)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index));
  return [first.includes(":") ? first : `crosszone:${first}`, ...steps];
}
