/** Looks up what the zones have already: by their ids, or by those that Terraform's outputs hold. */
import { getProject, getStack } from "@pulumi/pulumi";
import { z } from "zod";
import { logicalNameIn, markIn, physicalName } from "../../provider/cloud/naming.ts";
import { getEip, getEipHolder, getVpc, getVxnet } from "../../provider/index.ts";
import { messageOf } from "../../qingcloud/errors.ts";
import { type Existing, type Found, join, joinProblems, type Own } from "./join.ts";
import { type Made, readMade } from "./made.ts";
import { type ByKind, type ExistingConfig, existing, idForms, type Kind, kinds } from "./schema.ts";
import { readOutputs, stateProblem } from "./terraform.ts";

export interface Joins {
  /** By zone name. */
  readonly zones: ReadonlyMap<string, Existing>;
  /** In the form of configuration problems: `crosszone:KEY: what is wrong`. */
  readonly problems: readonly string[];
}

/** What is needed of a zone's settings; all else is the configuration schema's. */
const joining = z.object({
  name: z.string(),
  formerly: z.string().optional(),
  zoneId: z.string(),
  network: z.string(),
  bandwidthMbps: z.unknown().optional(),
  existing,
});

interface Wanted {
  /** `crosszone:zones[0]` */
  readonly key: string;
  readonly settings: z.output<typeof joining>;
  readonly ids: ByKind;
}

/**
 * Nothing in the cloud is changed. Zones of an impossible form, or that the account does not have, are left to others.
 * @param zones the configuration's `zones` as given
 * @param zoneIds those that the account has
 */
export async function findExisting(zones: unknown, zoneIds: readonly string[]): Promise<Joins> {
  const resolved = await Promise.all(
    (Array.isArray(zones) ? zones : []).flatMap((raw: unknown, index) => {
      const { data: settings } = joining.safeParse(raw);
      return settings === undefined ? [] : [resolve(`crosszone:zones[${index}]`, settings)];
    }),
  );
  const { made, problems } = await madeBefore(resolved);
  const looked = await Promise.all(
    resolved
      .filter(({ settings }) => zoneIds.includes(settings.zoneId))
      .map((wanted) => lookAt(wanted, ownOf(wanted.settings, made))),
  );
  return {
    zones: new Map(looked.map(({ name, existing }) => [name, existing])),
    problems: [...resolved, { problems: sharedIds(resolved) }, { problems }, ...looked].flatMap(
      ({ problems }) => problems,
    ),
  };
}

/** Asked only where a zone has something already. */
async function madeBefore(wanted: readonly Wanted[]): Promise<{ made: Made; problems: string[] }> {
  const nothing: Made = { digits: undefined, joined: new Map() };
  if (!wanted.some(({ ids }) => kinds.some((kind) => ids[kind] !== undefined)))
    return { made: nothing, problems: [] };
  try {
    return { made: await readMade(), problems: [] };
  } catch (error) {
    const problem = `crosszone:zones: what the stack has made could not be read from its state, so \`existing\` cannot be checked: ${providersWords(error)}`;
    return { made: nothing, problems: [problem] };
  }
}

async function resolve(key: string, settings: Wanted["settings"]) {
  const { ids, problems } = await resolveIds(settings.existing);
  return { key, settings, ids, problems: problems.map((problem) => `${key}.existing.${problem}`) };
}

async function lookAt({ key, settings, ids }: Wanted, own: Own) {
  const { found, problems } = await lookUp(settings.zoneId, ids);
  const refused = joinProblems(settings, found, own).map(([setting, message]) => `${setting}: ${message}`);
  return {
    name: settings.name,
    existing: join(found, own),
    problems: [...problems.map((problem) => `existing.${problem}`), ...refused].map(
      (problem) => `${key}.${problem}`,
    ),
  };
}

interface Resolved {
  readonly ids: ByKind;
  readonly problems: readonly string[];
}

async function resolveIds({ terraformState, outputs, ...ids }: ExistingConfig): Promise<Resolved> {
  if (terraformState === undefined || outputs === undefined) return { ids, problems: [] };
  const problem = stateProblem(terraformState);
  if (problem !== undefined) return { ids, problems: [`terraformState: ${problem}`] };
  try {
    return idsFrom(await readOutputs(terraformState), outputs);
  } catch (error) {
    return { ids, problems: [`terraformState: could not be read: ${providersWords(error)}`] };
  }
}

/**
 * The ids that the named outputs hold. What else they hold is not shown: it may be secret.
 * @param outputs all of a Terraform state
 */
export function idsFrom(outputs: Readonly<Record<string, unknown>>, names: ByKind): Resolved {
  const ids: { [kind in Kind]?: string } = {};
  const problems: string[] = [];
  for (const kind of kinds) {
    const name = names[kind];
    if (name === undefined) continue;
    if (!Object.hasOwn(outputs, name)) {
      const there = Object.keys(outputs).sort().join(", ") || "none";
      problems.push(
        `outputs.${kind}: must be an output of the state; there are: ${there} (given: "${name}")`,
      );
      continue;
    }
    const { data: id, error } = idForms[kind].safeParse(outputs[name]);
    if (id !== undefined) ids[kind] = id;
    else {
      const what = error.issues[0]?.code === "invalid_format" ? error.issues[0].message : "must be a text";
      problems.push(`outputs.${kind}: what the output holds ${what} (given: "${name}")`);
    }
  }
  return { ids, problems };
}

/** Two zones cannot share: their port forwards, tunnels and nodes' addresses would meet. */
function sharedIds(wanted: readonly Wanted[]): string[] {
  return kinds.flatMap((kind) =>
    wanted.flatMap(({ key, ids }, index) => {
      const id = ids[kind];
      const other = wanted.slice(0, index).find((each) => id !== undefined && each.ids[kind] === id);
      if (other === undefined) return [];
      return [
        `${key}.existing.${kind}: zone "${other.settings.name}" has it too, and every zone needs its own (given: "${id}")`,
      ];
    }),
  );
}

async function lookUp(zone: string, ids: ByKind): Promise<{ found: Found; problems: string[] }> {
  const problems: string[] = [];
  const look = async <Answer>(kind: Kind, ask: (id: string) => Promise<Answer>) => {
    const id = ids[kind];
    if (id === undefined) return undefined;
    try {
      return await ask(id);
    } catch (error) {
      problems.push(`${kind}: ${providersWords(error)}`);
      return undefined;
    }
  };
  const [vpc, vxnet, eip] = await Promise.all([
    look("vpcId", async (id) => {
      const { eipId, ...router } = await getVpc({ zone, id });
      return eipId === undefined ? router : { ...router, eip: await getEip({ zone, id: eipId }) };
    }),
    look("vxnetId", (id) => getVxnet({ zone, id })),
    look("eipId", async (id) => ({ ...(await getEip({ zone, id })), ...(await getEipHolder({ zone, id })) })),
  ]);
  return {
    found: {
      ...(vpc === undefined ? {} : { vpc }),
      ...(vxnet === undefined ? {} : { vxnet }),
      ...(eip === undefined ? {} : { eip }),
    },
    problems,
  };
}

/**
 * The stack's own EIPs and routers bear its mark, whichever names its zones and the stack had then. Without a mark in the
 * state the names of the zone's own EIP and router are left, whatever the mark in them is.
 */
function ownOf({ name, formerly }: Wanted["settings"], { digits, joined }: Made): Own {
  const zones = formerly === undefined ? [name] : [name, formerly];
  const network = "crosszone:network:Network";
  const isNamed = (type: string, logicalName: string, found: string) => {
    const urn = `urn:pulumi:${getStack()}::${getProject()}::${type}::${logicalName}`;
    const [start = "", end = ""] = physicalName(urn, { mark: "*" }).split("*");
    return found.startsWith(start) && found.endsWith(end);
  };
  const isMarked = (found: string) => digits !== undefined && markIn(found) === digits;
  return {
    isMarked,
    eip: (found) =>
      isMarked(found) || zones.some((zone) => isNamed(`${network}$qingcloud:cloud:Eip`, zone, found)),
    vpc: (found) =>
      zones.some(
        (zone) =>
          (isMarked(found) && logicalNameIn(found) === `${zone}-router`) ||
          isNamed(`${network}$crosszone:network:Zone$qingcloud:cloud:Vpc`, `${zone}-router`, found),
      ),
    otherZone(router, eip) {
      const zone = joined.get(router) ?? (isMarked(eip) ? logicalNameIn(eip) : undefined);
      return zone === undefined || zones.includes(zone) ? undefined : zone;
    },
  };
}

/** The provider's words, without the engine's. */
export function providersWords(error: unknown): string {
  return messageOf(error).replace(/^invocation of \S+ returned an error: /i, "");
}
