/** Resources that an interrupted run left between their first call and their last. */
import { isDeepStrictEqual } from "node:util";
import type { Renaming } from "./behind-file.ts";
import { type Difference, diffInputs, secretsOf, splitState } from "./checks.ts";
import { listIdOf, ruleListType, updatingAs } from "./cloud/known-ids.ts";
import { type Names, physicalName } from "./cloud/naming.ts";
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

/** The renaming to note before an update that gives a list of rules, found by its name, another one. */
export function renamingOf(
  { type }: AnyResource,
  renaming: Renaming,
  { name }: Properties,
): Renaming | undefined {
  const isRenamed = physicalName(renaming.urn, renaming.last as Names) !== name;
  return type === ruleListType && isRenamed ? renaming : undefined;
}

/** A renaming of a run that was killed: the state has what was before. */
export function cutOffIn(
  renaming: Renaming | undefined,
  { inputs: before, outputs }: AnyState,
): CutOff | undefined {
  return renaming && { last: renaming.last, before, outputs, urn: renaming.urn };
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

/** The resource as an update that did not end has left it. */
export async function readCutOff(
  definition: AnyResource,
  context: Context,
  id: string,
  cut: CutOff,
): ReturnType<AnyResource["read"]> {
  const [found] = await partsOf(definition, context, id, cut);
  return found;
}

/**
 * A list of rules is found by its name, and a renaming that did not end may have given the new one to some of them; anything
 * else is one part.
 * @param inputs what the API may not tell
 */
async function partsOf(
  definition: AnyResource,
  context: Context,
  id: string,
  { last, outputs, urn }: CutOff,
  inputs = last,
): Promise<AnyState[]> {
  const found = await definition.read(context, id, { inputs, outputs });
  if (definition.type !== ruleListType) return found === undefined ? [] : [found];
  const renamed = await definition.read({ ...context, urn }, id, withoutName(last, outputs));
  const parts = [found, renamed].filter((each) => each !== undefined);
  return parts[0]?.outputs.name === parts[1]?.outputs.name ? parts.slice(0, 1) : parts;
}

function withoutName(inputs: Properties, { name: _, ...outputs }: Properties): AnyState {
  return { inputs, outputs };
}

/**
 * Deletes a resource, and where an update of it did not end, what has the name that it was to get.
 * @param isWanted whether the run wants what has this id
 */
export async function deleteWhole(
  definition: AnyResource,
  context: Context,
  id: string,
  state: AnyState,
  { cut, isWanted }: { readonly cut: CutOff | undefined; isWanted(id: string): boolean },
): Promise<void> {
  await definition.delete(context, id, state);
  if (cut === undefined || definition.type !== ruleListType) return;
  const other = listIdOf(String(cut.last.securityGroupId), physicalName(cut.urn, cut.last as Names));
  if (isWanted(other)) return;
  await definition.delete({ ...context, urn: cut.urn }, other, withoutName(cut.last, cut.outputs));
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
  const parts = await partsOf(definition, context, id, cut, inputs);
  if (parts.length === 0 || update === undefined)
    throw new Error(`${id}, which an earlier run began to change, is gone: run \`up --refresh\`.`);
  const noted = (definition.bookkeeping ?? []).filter((name) => name in outputs);
  const kept = Object.fromEntries(noted.map((name) => [name, outputs[name]]));
  let updated: Properties = {};
  for (const found of partsToRename(context, parts, news)) {
    refuseForced(definition, context, id, found, news);
    const change = { olds: found.inputs, news, outputs: { ...found.outputs, ...kept } };
    updated = await update(context, id, change);
  }
  return { ...updated, ...(await definition.create(context, news)).outputs };
}

/** An update takes in what has the wanted name already. */
function partsToRename({ urn }: Context, parts: readonly AnyState[], news: Properties): readonly AnyState[] {
  if (parts.length === 1) return parts;
  return parts.filter(({ outputs }) => outputs.name !== physicalName(urn, news as Names));
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
