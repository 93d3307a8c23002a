/** Resources that an interrupted run left between their first call and their last. */
import { diffInputs, secretsOf } from "./checks.ts";
import type { AnyResource, Context, Created } from "./resource.ts";
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
  const differences = diffInputs(definition, context.urn, found, inputs);
  const forced = differences.filter(({ replace }) => replace).map(({ property }) => property);
  if (forced.length > 0) {
    throw new Error(
      `An interrupted run left ${id} with another ${forced.join(" and ")}, which the cloud cannot change. Replace it: \`up --replace '${context.urn}'\`.`,
    );
  }
  if (differences.length === 0 || definition.update === undefined) return created;
  const change = { olds: found.inputs, news: inputs, outputs: found.outputs };
  return { id, outputs: await definition.update(context, id, change) };
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
