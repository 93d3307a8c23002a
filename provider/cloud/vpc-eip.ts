import { z } from "zod";
import { DescribeRouters } from "../../qingcloud/actions.ts";
import { type Context, defineResource } from "../resource.ts";
import { isThere } from "./listing.ts";
import { zoneInput } from "./naming.ts";
import { setEip } from "./router-eip.ts";

export const vpcEip = defineResource({
  type: "qingcloud:cloud:VpcEip",
  description:
    "An EIP on a VPC router that the program does not make itself; a Vpc of its own takes its EIP by `eipId`.",
  inputs: z.strictObject({
    zone: zoneInput,
    vpcId: z.string().describe("The VPC router."),
    eipId: z.string().describe("The EIP: free, or on this router already."),
    keepFound: z
      .boolean()
      .default(false)
      .describe("Whether an EIP that the router had before creation stays on it after deletion."),
  }),
  outputs: z.object({
    origin: z
      .enum(["found", "set"])
      .describe("found = the router had it before and keeps it, set = set here."),
  }),
  replaceOn: ["zone", "vpcId", "eipId", "keepFound"],
  // A router has one EIP.
  deleteBeforeReplace: true,
  takesEffectLater: true,

  async create(context, { zone, vpcId, eipId, keepFound }) {
    const router = await describe(context, zone, vpcId);
    if (router === undefined) {
      throw new Error(`There is no VPC router "${vpcId}" in zone ${zone}. Correct the id or the zone.`);
    }
    const present = router.eip.eip_id || undefined;
    if (present !== undefined && present !== eipId) {
      throw new Error(
        `VPC router ${vpcId} of zone ${zone} has the EIP ${present}, so ${eipId} cannot be set. Use ${present}, or take it from the router first. If another VpcEip of this program has set it, give this one that one's name in an alias, or take that one out of the program for one \`up\`.`,
      );
    }
    if (present === eipId && keepFound && context.halfMadeId === undefined) {
      return { id: vpcId, outputs: { origin: "found" as const } };
    }
    context.made(vpcId);
    if (present === undefined) await setEip(context, zone, vpcId, eipId);
    // An interrupted run may have set it without applying it.
    else if (router.is_applied === 0) await context.session.routerUpdates(zone, vpcId).apply(context);
    return { id: vpcId, outputs: { origin: "set" as const } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const eipId = (await describe(context, zone, id))?.eip.eip_id;
    if (!eipId || (known !== undefined && known.inputs.eipId !== eipId)) return undefined;
    return (
      known ?? { inputs: { zone, vpcId: id, eipId, keepFound: false }, outputs: { origin: "set" as const } }
    );
  },

  async delete(context, _id, { inputs: { zone, vpcId, eipId }, outputs: { origin } }) {
    if (origin === "found") return;
    const router = await describe(context, zone, vpcId);
    if (router?.eip.eip_id === eipId) await setEip(context, zone, vpcId, "");
    // An interrupted run may have taken it without applying that.
    else if (router?.is_applied === 0) await context.session.routerUpdates(zone, vpcId).apply(context);
  },
});

/** Undefined where it does not exist. */
async function describe(context: Context, zone: string, id: string) {
  const request = { routers: [id] };
  const { router_set: found } = await context.session.call(DescribeRouters, zone, request, context);
  return found.find(isThere);
}
