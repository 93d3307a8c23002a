/** What the statics of a router have in common: added, changed and deleted, then applied together. */
import { z } from "zod";
import type { ResponseOf } from "../../qingcloud/action.ts";
import {
  AddRouterStatics,
  DeleteRouterStatics,
  DescribeRouterStatics,
  ModifyRouterStaticAttributes,
} from "../../qingcloud/actions.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";
import { createOnce, named, physicalName } from "./naming.ts";

export const staticInputs = { ...named, vpcId: z.string().describe("The VPC router.") };
export const staticOutputs = { name: z.string().describe("Name in the console.") };

export interface Values {
  readonly val1: string;
  readonly val2?: string;
  readonly val3?: string;
  readonly val4?: string;
}

interface Owner {
  readonly zone: string;
  readonly vpcId: string;
  readonly name?: string | undefined;
  readonly mark?: string | undefined;
}

/** @param what for messages, e.g. `port forward` */
export async function createStatic(
  context: Context,
  what: string,
  owner: Owner,
  type: number,
  values: Values,
) {
  const { session } = context;
  const { zone, vpcId } = owner;
  const name = physicalName(context.urn, owner);
  const { id, adopted } = await createOnce(
    context,
    `${what} "${name}" of ${vpcId}`,
    async () =>
      // Statics of a router are made at the same time: one look serves all of them.
      (await session.shared(`statics of ${vpcId}`, () => describeAll(context, zone, vpcId)))
        .filter((found) => found.router_static_name === name)
        .map((found) => found.router_static_id),
    async () => {
      const statics = [{ static_type: type, router_static_name: name, ...values }];
      return (await session.call(AddRouterStatics, zone, { router: vpcId, statics }, context))
        .router_statics[0];
    },
  );
  if (adopted) {
    await session.call(ModifyRouterStaticAttributes, zone, { router_static: id, ...values }, context);
  }
  await session.routerUpdates(zone, vpcId).apply(context.deadline);
  return { id, outputs: { name } };
}

async function describeAll(context: Context, zone: string, vpcId: string) {
  const all: ResponseOf<typeof DescribeRouterStatics>["router_static_set"] = [];
  for (;;) {
    const request = { router: vpcId, limit: 100, offset: all.length };
    const answer = await context.session.call(DescribeRouterStatics, zone, request, context);
    all.push(...answer.router_static_set);
    if (answer.router_static_set.length === 0 || all.length >= answer.total_count) return all;
  }
}

/** Undefined where the static, or its router, is gone. */
export async function readStatic(context: Context, zone: string, vpcId: string | undefined, id: string) {
  const request = { router_statics: [id], ...(vpcId === undefined ? {} : { router: vpcId }) };
  const { router_static_set: found } = await context.session
    .call(DescribeRouterStatics, zone, request, context)
    .catch((error: unknown) => {
      if (hasRetCode(error, retCodes.notFound)) return { router_static_set: [] };
      throw error;
    });
  return found[0];
}

export async function updateStatic(context: Context, id: string, owner: Owner, values: Values) {
  const { session } = context;
  const name = physicalName(context.urn, owner);
  const request = { router_static: id, router_static_name: name, ...values };
  await session.call(ModifyRouterStaticAttributes, owner.zone, request, context);
  await session.routerUpdates(owner.zone, owner.vpcId).apply(context.deadline);
  return { name };
}

export async function deleteStatic(context: Context, id: string, { zone, vpcId }: Owner): Promise<void> {
  const { session } = context;
  try {
    await session.call(DeleteRouterStatics, zone, { router_statics: [id] }, context);
    await session.routerUpdates(zone, vpcId).apply(context.deadline);
  } catch (error) {
    if (!hasRetCode(error, retCodes.notFound)) throw error;
  }
}
