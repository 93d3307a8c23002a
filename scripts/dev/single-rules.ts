/**
 * Firewall rules that an earlier version has left in the state as a resource each. A list takes them over, and a whole `up`
 * forgets their resources at its end. A command that leaves resources untouched, e.g. by --target, would break the state:
 * what is untouched keeps its dependencies, and the CLI refuses a state in which one of these is not registered.
 */
import { isPartial } from "../../provider/engine-command.ts";
import { readState } from "./state-file.ts";
import type { Workspace } from "./workspace.ts";

const type = "qingcloud:cloud:SecurityGroupRule";

/** Environment by which the program keeps the rules' resources; empty where the command is for the whole stack. */
export function keptSingleRules(args: readonly string[], workspace: Workspace): Record<string, string> {
  if (!isPartial(args)) return {};
  const names = (readState(workspace)?.resources ?? [])
    .filter((resource) => resource.type === type)
    .map(({ urn }) => urn.slice(urn.lastIndexOf("::") + 2));
  return names.length === 0 ? {} : { CROSSZONE_SINGLE_RULES: names.join(" ") };
}
