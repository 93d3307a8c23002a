/** Resources that an interrupted run left between their first call and their last. */
import { isDeepStrictEqual } from "node:util";
import { type Difference, diffInputs, secretsOf, splitState } from "./checks.ts";
import { updatingAs } from "./cloud/known-ids.ts";
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

/** A resource in the state whose last update did not end. */
export interface CutOff {
  /** The inputs that the last run wanted. */
  readonly last: Properties;
  /** Those that it had before. */
  readonly before: Properties;
  readonly outputs: Properties;
  readonly urn: string;
}

/** @param properties of the state @returns undefined where the last update has ended */
export function cutOffOf(
  definition: AnyResource,
  last: Properties,
  properties: Properties,
): CutOff | undefined {
  const urn = properties[updatingAs];
  if (typeof urn !== "string") return undefined;
  const { inputs: before, outputs } = splitState(definition, properties);
  return { last, before, outputs, urn };
}

/** Kept in the state instead of what it had: the cloud may have any part of what was wanted. */
export function cutOff(
  definition: AnyResource,
  id: string,
  { last, before, outputs, urn }: CutOff,
  reason: string,
): InitFailedError {
  const secrets = new Set([...secretsOf(definition, last), ...secretsOf(definition, before)]);
  const properties = { ...before, ...outputs, [updatingAs]: urn };
  return new InitFailedError(id, toStruct(properties, secrets), toStruct(last, secrets), reason);
}

/** A change takes a replacement only where it does from what was before, too: what the cloud has is not known. */
export function withoutReplacing(
  definition: AnyResource,
  urn: string,
  { before, outputs }: CutOff,
  news: Properties,
  differences: readonly Difference[],
): Difference[] {
  const fromBefore = diffInputs(definition, urn, { inputs: before, outputs }, news);
  const isReplaced = (name: string) => fromBefore.some((each) => each.property === name && each.replace);
  return differences.map((each) => ({ ...each, replace: each.replace && isReplaced(each.property) }));
}

/** @param inputs what the API may not tell */
export async function readCutOff(
  definition: AnyResource,
  context: Context,
  id: string,
  { last, outputs, urn }: CutOff,
  inputs = last,
): ReturnType<AnyResource["read"]> {
  const { name: _, ...unnamed } = outputs;
  return (
    (await definition.read(context, id, { inputs, outputs })) ??
    // A list of rules is found by its name, which may be the new one.
    (await definition.read({ ...context, urn }, id, { inputs: last, outputs: unnamed }))
  );
}

/**
 * Does what is wanted now after an update that did not end: from what the cloud has, and for what it does not tell from
 * whatever is not wanted, so that this is said again. What is as wanted may not be in effect: that is done at the end.
 */
export async function endUpdate(
  definition: AnyResource,
  context: Context,
  id: string,
  cut: CutOff,
  news: Properties,
): Promise<Properties> {
  const { update } = definition;
  const { last, before, outputs } = cut;
  const inputs = Object.fromEntries(
    Object.keys(definition.inputs.shape).flatMap((name) => {
      const isWanted = name in definition.outputs.shape || isDeepStrictEqual(before[name], news[name]);
      const value = isWanted ? last[name] : before[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const found = await readCutOff(definition, context, id, cut, inputs);
  if (found === undefined || update === undefined)
    throw new Error(`${id}, which an earlier run began to change, is gone: run \`up --refresh\`.`);
  refuseForced(definition, context, id, found, news);
  const noted = (definition.bookkeeping ?? []).filter((name) => name in outputs);
  const kept = Object.fromEntries(noted.map((name) => [name, outputs[name]]));
  const change = { olds: found.inputs, news, outputs: { ...found.outputs, ...kept } };
  const updated = await update(context, id, change);
  return { ...updated, ...(await definition.create(context, news)).outputs };
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
    `An interrupted run left ${id} with another ${forced.join(" and ")}, which the cloud cannot change. Give the program what it has, or replace it: \`up --replace '${urn}'\`.`,
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
