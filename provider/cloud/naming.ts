/** Physical names, and creating by name so that a lost answer never makes a second resource. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { abortableDelay, requestLifetimeMs } from "../../qingcloud/client.ts";
import { QingCloudError } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";

export const zoneInput = z.string().min(1).describe("Zone id, e.g. `pek3a`.");

/** Inputs of every resource that has a name. */
export const named = {
  zone: zoneInput,
  name: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe(
      "Name in the console. By default made of `mark` and the URN, so that a lost resource is found again.",
    ),
  mark: z.string().optional().describe("Id of the stack's StackMark."),
};

/** The name that identifies the resource in the cloud: unique to stack and URN, and the same in every run. */
export function physicalName(
  urn: string,
  inputs: { name?: string | undefined; mark?: string | undefined },
): string {
  if (inputs.name !== undefined) return inputs.name;
  const logicalName = urn.slice(urn.lastIndexOf("::") + 2);
  const hash = createHash("sha256").update(urn).digest("hex").slice(0, 8);
  return [logicalName, inputs.mark, hash].filter((part) => part !== undefined).join("-");
}

/** The inputs of `named` as a read finds them: a name that was made, not given, stays out. */
export function namedAsRead(
  known: { mark?: string | undefined; name?: string | undefined } | undefined,
  zone: string,
  found: string,
): { zone: string; name?: string; mark?: string } {
  return {
    zone,
    ...(known?.mark === undefined ? {} : { mark: known.mark }),
    ...(known !== undefined && known.name === undefined ? {} : { name: found }),
  };
}

const lookPauseMs = 2_000;

/**
 * Makes a resource, or adopts the one that an interrupted run made under the same name.
 * A call whose answer was lost may still take effect until its time stamp expires; so it is looked for until then, and
 * only then is the failure final.
 * @param find looks for the exact name: ids of what exists
 * @returns the id, and whether it had existed before
 */
export async function createOnce(
  context: Context,
  what: string,
  find: () => Promise<readonly string[]>,
  create: () => Promise<string | undefined>,
): Promise<{ id: string; adopted: boolean }> {
  const before = context.halfMadeId ?? (await findOne(what, find));
  if (before !== undefined) return announce(context, before, true);
  const sentAt = Date.now();
  try {
    const id = await create();
    if (id === undefined) throw new Error(`${what}: the cloud accepted the call but answered no id.`);
    return announce(context, id, false);
  } catch (error) {
    if (!(error instanceof QingCloudError) || error.outcome !== "unknown") throw error;
    context.progress(`the answer was lost; looking for ${what}`);
    for (;;) {
      const found = await findOne(what, find).catch(() => undefined);
      if (found !== undefined) return announce(context, found, true);
      if (Date.now() > Math.min(sentAt + requestLifetimeMs, context.deadline)) throw error;
      await abortableDelay(lookPauseMs, context.signal);
    }
  }
}

function announce(context: Context, id: string, adopted: boolean): { id: string; adopted: boolean } {
  context.made(id);
  return { id, adopted };
}

async function findOne(what: string, find: () => Promise<readonly string[]>): Promise<string | undefined> {
  const found = await find();
  if (found.length > 1) {
    throw new Error(
      `${what} exists ${found.length} times (${found.join(", ")}). Import the right one by \`pulumi import\` or delete the others, then run again.`,
    );
  }
  return found[0];
}
