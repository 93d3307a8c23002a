/** Zones that are renamed in a way that would make what they have a second time, next to the first. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { describe } from "../../provider/strays.ts";
import { logicalNameOf } from "../../provider/urn.ts";
import { knownIds, marksInState, readState, type StoredState } from "./state-file.ts";
import { lookAtAccount, sweepCommand } from "./strays.ts";
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

/** @returns what to do, for the user; empty where no zone was renamed without `formerly` */
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

/**
 * Zones that are about to get their new name: something in the state, or in a create that a killed run has left
 * unfinished, bears the former one.
 */
export function zonesToRename(zones: Zones, { resources = [], pending_operations = [] }: StoredState): Zones {
  const urns = [...resources, ...pending_operations.map(({ resource }) => resource)].map(({ urn }) => urn);
  return zones.filter((zone) => urns.some((urn) => hasFormerName(logicalNameOf(urn), zone, zones)));
}

/** Whether a name that was made of a zone's holds the zone's former one. */
export function hasFormerName(name: string, { formerly }: Zones[number], zones: Zones): boolean {
  if (formerly === undefined) return false;
  // The longest first: a zone may be called `gpu` and another `gpu-2`.
  const names = [formerly, ...zones.map((zone) => zone.name)].sort((one, other) => other.length - one.length);
  const parts = name.matchAll(
    new RegExp(`(?<![a-z0-9])(${names.map(RegExp.escape).join("|")})(?![a-z0-9])`, "g"),
  );
  return [...parts].some(([part]) => part === formerly);
}

/** @throws Error before anything is made */
export async function refuseRenamed(workspace: Workspace, configFile: string): Promise<void> {
  const zones =
    configured.safeParse(parse(readFileSync(configFile, "utf8"))).data?.config["crosszone:zones"] ?? [];
  const state = readState(workspace) ?? {};
  const problems = renamedZones(zones, state);
  const renamed = problems.length > 0 ? [] : zonesToRename(zones, state);
  if (renamed.length > 0) problems.push(...(await leftOfFormerName(workspace, configFile, renamed, zones)));
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

/** A resource in no state is found by its name alone: under another name the next run would miss it. */
async function leftOfFormerName(
  workspace: Workspace,
  configFile: string,
  renamed: Zones,
  zones: Zones,
): Promise<string[]> {
  const marks = marksInState(workspace);
  if (marks.length === 0) return [];
  const left = await lookAtAccount(workspace, configFile, marks, knownIds(workspace));
  return renamed.flatMap((zone) => {
    const ofZone = left.filter(({ name }) => hasFormerName(name, zone, zones));
    if (ofZone.length === 0) return [];
    return [
      `Zone "${zone.name}" was "${zone.formerly}" until now, and a run that was killed has left what bears the former name and is in no state: ${ofZone.map(describe).join(", ")}. Under the new name it would be made a second time. Give the zone the name "${zone.formerly}" again and run \`up\` once, which goes on with it, or remove it: ${sweepCommand(workspace, "--yes")}. Then rename the zone.`,
    ];
  });
}
