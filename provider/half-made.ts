/** Resources that an interrupted run left between their first call and their last. */
import { isDeepStrictEqual } from "node:util";
import { type Difference, diffInputs, secretsOf } from "./checks.ts";
import type { AnyResource, AnyState, Context, Created } from "./resource.ts";
import { InitFailedError } from "./rpc/init-failed.ts";
import { type Properties, toStruct } from "./rpc/values.ts";
import { logicalNameOf } from "./urn.ts";

/** What an interrupted run made may be as the program wanted it then: it becomes as the program wants it now. */
export async function settle(
  definition: AnyResource,
  context: Context,
  created: Created<Properties>,
  inputs: Properties,
): Promise<Created<Properties>> {
  const { id, outputs } = created;
  const found = await definition.read(context, id, { inputs, outputs });
  if (found === undefined) return created;
  const differences = refuseForced(definition, context, id, found, inputs);
  if (differences.length === 0 || definition.update === undefined) return created;
  const change = { olds: found.inputs, news: inputs, outputs: found.outputs };
  return { id, outputs: await definition.update(context, id, change) };
}

/** What a state holds of a resource. */
export interface Kept {
  /** The inputs that the last run wanted. */
  readonly last: Properties;
  /** Those that it had before an update that did not end, else the same. */
  readonly before: Properties;
  readonly outputs: Properties;
}

/**
 * Whether the last update did not end, so that the cloud may have any part of it. The state then has what was wanted next to
 * what was before; where these are the same, the engine asks for an update that changes nothing.
 */
export function isCutOff(definition: AnyResource, urn: string, kept: Kept, news: Properties): boolean {
  const { last, before, outputs } = kept;
  const isMixed = Object.keys(definition.inputs.shape).some(
    (name) =>
      !(name in definition.outputs.shape) &&
      !isDeepStrictEqual(before[name] ?? undefined, last[name] ?? undefined),
  );
  return isMixed || diffInputs(definition, urn, { inputs: last, outputs }, news).length === 0;
}

/**
 * Ends an update that was cut off, and does what is wanted now: from what the cloud has, and for what it does not tell from
 * whatever is not wanted, so that this is said again.
 */
export async function endUpdate(
  definition: AnyResource,
  context: Context,
  id: string,
  { last, before, outputs }: Kept,
  news: Properties,
): Promise<Properties> {
  const { update } = definition;
  const inputs = Object.fromEntries(
    Object.keys(definition.inputs.shape).flatMap((name) => {
      const value = isDeepStrictEqual(before[name], news[name]) ? last[name] : before[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const { name: _, ...unnamed } = outputs;
  const found =
    (await definition.read(context, id, { inputs, outputs })) ??
    // A list of rules is found by its name, which may be the new one.
    (await definition.read(context, id, { inputs: last, outputs: unnamed }));
  if (found === undefined || update === undefined)
    throw new Error(`${id}, which an earlier run began to change, is gone: run \`up --refresh\`.`);
  refuseForced(definition, context, id, found, news);
  const noted = (definition.bookkeeping ?? []).filter((name) => name in outputs);
  const known = { ...found.outputs, ...Object.fromEntries(noted.map((name) => [name, outputs[name]])) };
  const updated = await update(context, id, { olds: found.inputs, news, outputs: known });
  // What is as wanted may not be in effect.
  return found.unapplied === undefined ? updated : (await definition.create(context, news)).outputs;
}

function refuseForced(
  definition: AnyResource,
  { urn }: Context,
  id: string,
  found: AnyState,
  inputs: Properties,
): readonly Difference[] {
  const differences = diffInputs(definition, urn, found, inputs);
  const forced = differences.filter(({ replace }) => replace).map(({ property }) => property);
  if (forced.length === 0) return differences;
  throw new Error(
    `An interrupted run left ${id} with another ${forced.join(" and ")}, which the cloud cannot change. Replace it: \`up --replace '${urn}'\`.`,
  );
}

/** Said of a deletion by the engine of what the same run has found, or made, to be the living resource. */
export function keptMessage({ inputs }: AnyResource, id: string, urn: string, wantedBy: string): string {
  if (wantedBy !== urn) return `${id} is kept: ${logicalNameOf(wantedBy)} has it.`;
  const advice = "generation" in inputs.shape ? " For another one, change `generation`." : "";
  return `${id} is kept: what was to take its place is the same one, found by its name.${advice}`;
}

/** Without its outputs, so that the next run sees an unfinished one: a given `name` is an input and an output. */
export function unfinished(
  definition: AnyResource,
  id: string,
  inputs: Properties,
  reason: string,
): InitFailedError {
  const secrets = secretsOf(definition, inputs);
  const properties = Object.fromEntries(
    Object.entries(inputs).filter(([name]) => !(name in definition.outputs.shape)),
  );
  return new InitFailedError(id, toStruct(properties, secrets), toStruct(inputs, secrets), reason);
}
