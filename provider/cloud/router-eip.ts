/** Putting an EIP on a router, and taking it off. */
import { DescribeEips, DescribeRouters, ModifyRouterAttributes } from "../../qingcloud/actions.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";
import { isThere, listAll } from "./listing.ts";
import { markIn } from "./naming.ts";

interface Attributes {
  /** "" takes the present one away; either is inert until UpdateRouters. */
  readonly eip?: string;
  readonly router_name?: string | undefined;
  readonly security_group?: string | undefined;
}

/** @param eip "" takes the present one away */
export async function setEip(context: Context, zone: string, router: string, eip: string): Promise<void> {
  await modifyRouter(context, zone, router, { eip });
  await context.session.routerUpdates(zone, router).apply(context);
}

/** Where the EIP is refused because the stack has it on another router, it leaves that one first. */
export async function modifyRouter(
  context: Context,
  zone: string,
  router: string,
  attributes: Attributes,
): Promise<void> {
  const modify = () => context.session.call(ModifyRouterAttributes, zone, { router, ...attributes }, context);
  try {
    await modify();
  } catch (error) {
    const { eip } = attributes;
    if (!eip || !hasRetCode(error, retCodes.permissionDenied)) throw error;
    if (!(await leaveOther(context, zone, router, eip))) throw error;
    await modify();
  }
}

/**
 * The resource that put the EIP there has left the program, and is deleted only after all else is made. The EIP or the router
 * has to be the stack's own: nothing is taken from a router of somebody else's that this stack has not given an EIP.
 * @returns whether another router had it and has it no longer
 */
async function leaveOther(context: Context, zone: string, router: string, eip: string): Promise<boolean> {
  const { session } = context;
  const holder = await holderOf(context, zone, eip);
  if (holder === undefined || holder.id === router || session.hasMet(holder.id)) return false;
  // A StackMark's id is its digits.
  const digits = markIn(holder.name);
  if (!session.hasMet(eip) && (digits === undefined || !session.hasMet(digits))) return false;
  context.warn(`EIP ${eip} is taken off VPC router ${holder.id}, which this program no longer puts it on.`);
  context.outdating();
  await setEip(context, zone, holder.id, "");
  return true;
}

/** The router that has the EIP, in its configuration or as that was last applied. */
async function holderOf(context: Context, zone: string, eip: string) {
  const routers = await listAll(context, DescribeRouters, zone, {}, "router_set");
  const configured = routers.find((each) => isThere(each) && each.eip.eip_id === eip);
  if (configured !== undefined) return { id: configured.router_id, name: configured.router_name ?? "" };
  const { eip_set } = await context.session.call(DescribeEips, zone, { eips: [eip] }, context);
  const { resource_type: type, resource_id: id, resource_name: name } = eip_set[0]?.resource ?? {};
  return type === "router" && id ? { id, name: name ?? "" } : undefined;
}
