/** Changes of zones that are refused: renamings that would make what they have a second time, and networks that move too soon. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { isPartial } from "../../provider/engine-command.ts";
import { describe } from "../../provider/strays.ts";
import { logicalNameOf } from "../../provider/urn.ts";
import { movedNetworks } from "./moved-networks.ts";
import { readState, type StoredState } from "./state-file.ts";
import { leftInAccount, sweepCommand } from "./strays.ts";
import type { Workspace } from "./workspace.ts";
import { madeZones } from "./zones-in-state.ts";

const configured = z.object({
  config: z.object({
    "crosszone:zones": z.array(
      z.object({
        name: z.string(),
        zoneId: z.string().default(""),
        network: z.string(),
        formerly: z.string().optional(),
      }),
    ),
    "crosszone:tunnel": z
      .object({
        kind: z.enum(["ipsec", "gre", "none"]).default("ipsec"),
        topology: z.enum(["mesh", "star"]).default("mesh"),
      })
      .prefault({}),
  }),
});
type Zones = readonly {
  readonly name: string;
  readonly network: string;
  readonly formerly?: string | undefined;
}[];

/** @returns what to do, for the user; empty where no zone was renamed without `formerly` */
export function renamedZones(zones: Zones, state: StoredState): string[] {
  const made = madeZones(state);
  const known = new Set(
    zones.flatMap(({ name, formerly }) => [name, ...(formerly === undefined ? [] : [formerly])]),
  );
  return zones.flatMap((zone, index) => {
    const before = made.find(({ networks }) => networks.includes(zone.network));
    const isOther = made.some((each) => each !== before && each.names.includes(zone.name));
    if (before === undefined || isOther) return [];
    // Of a renaming that was cut off no other zone may have a name.
    const own = before.names.length > 1 ? new Set([zone.name, zone.formerly]) : known;
    const unknown = before.names.filter((name) => !own.has(name));
    if (unknown.length === 0) return [];
    const taken = zones.find((each) => each !== zone && unknown.includes(each.name));
    return [refusalOf(zone, index, before.names, unknown, taken?.name)];
  });
}

function refusalOf(
  { name, network, formerly }: Zones[number],
  index: number,
  names: readonly string[],
  [unknown = ""]: readonly string[],
  taken: string | undefined,
): string {
  const others = names.filter((each) => each !== name);
  if (others.length > 1)
    return `Zone "${name}" has the network of "${names.join('" and "')}" (${network}), which is one zone whose renaming was cut off. End that first: give it the name "${names[0]}" with \`formerly: ${names.find((each) => each !== names[0])}\`, and run \`up\`; then give it another name.`;
  if (taken !== undefined)
    return `Zone "${name}" has the network of "${taken}" (${network}), whose renaming was cut off, and another zone is to be called "${taken}". End that first: give "${name}" \`formerly: ${taken}\`, leave the other one out, and run \`up\`; then put it back.`;
  const instead = formerly === undefined ? "" : `, in place of ${formerly}`;
  return `Zone "${name}" has the network of "${unknown}" (${network}), which the stack has and the configuration no longer names. If it is the same zone, say so${instead}: npm run pulumi -- config set --path 'crosszone:zones[${index}].formerly' ${unknown}. If it is another one, give it another network, or run \`up\` without both first.`;
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

/**
 * @param args the CLI's
 * @throws Error before anything is made
 */
export async function refuseZones(
  workspace: Workspace,
  configFile: string,
  args: readonly string[] = [],
): Promise<void> {
  const config = configured.safeParse(parse(readFileSync(configFile, "utf8"))).data?.config;
  if (config === undefined) return;
  const { "crosszone:zones": zones, "crosszone:tunnel": tunnel } = config;
  const state = readState(workspace) ?? {};
  const problems = [...renamedZones(zones, state), ...movedNetworks(zones, tunnel, state)];
  const known = isPartial(args) ? { resources: state.resources ?? [] } : state;
  const renamed = problems.length > 0 ? [] : zonesToRename(zones, known);
  if (isPartial(args)) problems.push(...renamed.map(refusalOfPart));
  else if (renamed.length > 0)
    problems.push(...(await leftOfFormerName(workspace, configFile, renamed, zones)));
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

/** The CLI would write some of its resources under both names, and could not read that state again. */
function refusalOfPart({ name, formerly }: Zones[number]): string {
  return `Zone "${name}" was "${formerly}" until now, and is renamed as a whole: run \`up\` without --target, --target-replace and --exclude first. If that has been done, take \`formerly\` out.`;
}

/** A resource in no state is found by its name alone: under another name the next run would miss it. */
async function leftOfFormerName(
  workspace: Workspace,
  configFile: string,
  renamed: Zones,
  zones: Zones,
): Promise<string[]> {
  const left = await leftInAccount(workspace, configFile);
  return renamed.flatMap((zone) => {
    const ofZone = left.filter(({ name }) => hasFormerName(name, zone, zones));
    if (ofZone.length === 0) return [];
    return [
      `Zone "${zone.name}" was "${zone.formerly}" until now, and a run that was killed has left what bears the former name and is in no state: ${ofZone.map(describe).join(", ")}. Under the new name it would be made a second time. Remove it: ${sweepCommand(workspace, "--yes")}. Or give the zone the name "${zone.formerly}" again, and all else that it had in that run, and run \`up\` once, which goes on with it. Then rename the zone.`,
    ];
  });
}
