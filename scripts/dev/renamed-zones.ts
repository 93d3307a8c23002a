/** Zones that have been renamed without a word: their networks would be made a second time, next to the first. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { readState, type StoredState } from "./state-file.ts";
import type { Workspace } from "./workspace.ts";

const configured = z.object({
  config: z.object({
    "crosszone:zones": z.array(
      z.object({ name: z.string(), network: z.string(), formerly: z.string().optional() }),
    ),
  }),
});
const shown = z.object({ zones: z.array(z.object({ name: z.string(), network: z.string() })) });

type Zones = z.output<typeof configured>["config"]["crosszone:zones"];

/** @returns what to do, for the user; empty where no zone was renamed so */
export function renamedZones(zones: Zones, { resources = [] }: StoredState): string[] {
  const stack = resources.find(({ type }) => type === "pulumi:pulumi:Stack");
  const made = shown.safeParse(stack?.outputs).data?.zones ?? [];
  const names = new Set(
    zones.flatMap(({ name, formerly }) => [name, ...(formerly === undefined ? [] : [formerly])]),
  );
  const gone = made.filter(({ name }) => !names.has(name));
  const isMade = ({ name }: { name: string }) => made.some((each) => each.name === name);
  return zones.flatMap((zone, index) => {
    const before = gone.find(({ network }) => network === zone.network);
    if (before === undefined || isMade(zone)) return [];
    return [
      `Zone "${zone.name}" has the network of "${before.name}" (${zone.network}), which the stack has and the configuration no longer names. If it is the same zone, say so: npm run pulumi -- config set --path 'crosszone:zones[${index}].formerly' ${before.name}. If it is another one, give it another network, or run \`up\` without both first.`,
    ];
  });
}

/** @throws Error before anything is made */
export function refuseRenamed(workspace: Workspace, configFile: string): void {
  const zones = configured.safeParse(parse(readFileSync(configFile, "utf8"))).data?.config["crosszone:zones"];
  const problems = renamedZones(zones ?? [], readState(workspace) ?? {});
  if (problems.length > 0) throw new Error(problems.join("\n"));
}
