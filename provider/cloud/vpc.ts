import { z } from "zod";
import {
  CreateRouters,
  DeleteRouters,
  DescribeRouters,
  DescribeRouterVxnets,
  routerType,
} from "../../qingcloud/actions.ts";
import { type Context, defineResource, idsNamed, type Named } from "../resource.ts";
import { createOnce, withQuota } from "./creating.ts";
import { deleteWhenFree, type Present } from "./deleting.ts";
import { isThere, listAll, searchFor } from "./listing.ts";
import { named, namedAsRead, nameOutput, physicalName, sameName } from "./naming.ts";
import { modifyRouter, setEip } from "./router-eip.ts";
import { isPoweredOff, powerOn } from "./router-power.ts";
import { applyGroup } from "./security-rules.ts";
import { until, untilJob } from "./waiting.ts";

export const vpc = defineResource({
  type: "qingcloud:cloud:Vpc",
  description:
    "A VPC router: the private network of a zone and its way out. One that was powered off outside Pulumi is powered on by the next `up --refresh`, and where its deletion takes that.",
  inputs: z.strictObject({
    ...named,
    vpcNetwork: z
      .string()
      .regex(/^(192\.168|172\.(1[6-9]|2\d|3[01]))\.0\.0\/16$/, {
        error: "must be 192.168.0.0/16 or one of 172.16.0.0/16 to 172.31.0.0/16",
      })
      .describe("The /16 that holds the vxnets."),
    type: routerType.default(1).describe("0 medium, 1 small, 2 large, 3 extra-large."),
    eipId: z
      .string()
      .optional()
      .describe("EIP through which the router reaches the internet and is reached."),
    securityGroupId: z
      .string()
      .optional()
      .describe("Firewall of the router; default the zone's default group. Left out later, the group stays."),
  }),
  outputs: z.object(nameOutput),
  replaceOn: ["zone", "vpcNetwork", "type"],
  deleteBeforeReplace: true,
  isSame: (property, state, news, urn) =>
    (property === "securityGroupId" && news.securityGroupId === undefined) ||
    sameName(property, state, news, urn),
  search,

  async create(context, inputs) {
    const { zone } = inputs;
    const name = physicalName(context.urn, inputs);
    const { id, adopted } = await createOnce(context, {
      what: `VPC router "${name}"`,
      names: inputs,
      find: async (patient) => idsNamed(await search(patient, zone, name), name),
      create: () => make(context, name, inputs),
    });
    if (adopted) await untilActive(context, zone, id);
    else await change(context, zone, id, { ...inputs, name, eipId: undefined }, { ...inputs, name });
    // An interrupted run may have set the EIP without applying it.
    if (adopted) await context.session.routerUpdates(zone, id).applyPending(context);
    return { id, outputs: { name } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await describe(context, zone, { routers: [id] });
    if (found === undefined) return undefined;
    const eipId = found.eip.eip_id || undefined;
    const securityGroupId =
      known !== undefined && known.inputs.securityGroupId === undefined
        ? undefined
        : found.security_group_id || undefined;
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, found.router_name),
        vpcNetwork: found.vpc_network ?? known?.inputs.vpcNetwork ?? "",
        type: routerType.parse(found.router_type),
        ...(eipId === undefined ? {} : { eipId }),
        ...(securityGroupId === undefined ? {} : { securityGroupId }),
      },
      outputs: { name: found.router_name },
      ...unappliedOf(found, known !== undefined),
    };
  },

  async update(context, id, { olds, news, outputs }) {
    const name = physicalName(context.urn, news);
    await change(context, news.zone, id, { ...olds, name: outputs.name }, { ...news, name });
    return { name };
  },

  async delete(context, id, { inputs: { zone, eipId } }) {
    const [found] = await describe(context, zone, { routers: [id] });
    if (found === undefined) return;
    // The EIP is given back by an UpdateRouters, which a router that is off refuses.
    const isToUpdate = (eipId !== undefined && found.eip.eip_id) || found.is_applied === 0;
    if (isToUpdate && isPoweredOff(found)) await powerOn(context.session, zone, id, context);
    if (eipId !== undefined && found.eip.eip_id) await change(context, zone, id, { eipId }, {});
    // An interrupted run may have taken the EIP without applying that: until then it is in use.
    else if (found.is_applied === 0) await context.session.routerUpdates(zone, id).apply(context);
    await deleteWhenFree(context, {
      kind: "VPC router",
      zone,
      id,
      isLeased: true,
      users: "inside",
      look: () => lookAt(context, zone, id),
      async remove() {
        const { job_id } = await context.session.call(DeleteRouters, zone, { routers: [id] }, context);
        await untilJob(context, zone, job_id);
      },
    });
  },
});

async function search(context: Context, zone: string, word: string): Promise<Named[]> {
  const found = await describe(context, zone, searchFor(word));
  return found.map(({ router_id: id, router_name: name }) => ({ id, name }));
}

async function make(
  context: Context,
  name: string,
  inputs: {
    readonly zone: string;
    readonly type: z.output<typeof routerType>;
    readonly vpcNetwork: string;
    readonly securityGroupId?: string | undefined;
  },
): Promise<string | undefined> {
  const { zone, securityGroupId } = inputs;
  const request = {
    router_name: name,
    router_type: inputs.type,
    vpc_network: inputs.vpcNetwork,
    ...(securityGroupId === undefined ? {} : { security_group: securityGroupId }),
  };
  const { routers, job_id } = await withQuota(context, zone, { router: 1 }, (options) =>
    context.session.call(CreateRouters, zone, request, options),
  );
  const [id] = routers;
  if (id !== undefined) {
    context.made(id);
    await untilJob(context, zone, job_id);
  }
  return id;
}

async function lookAt(context: Context, zone: string, id: string): Promise<Present | undefined> {
  const [[found], vxnets] = await Promise.all([
    describe(context, zone, { routers: [id] }),
    listAll(context, DescribeRouterVxnets, zone, { router: id }, "router_vxnet_set"),
  ]);
  if (found === undefined) return undefined;
  const eipId = found.eip.eip_id;
  return {
    isBusy: found.status === "pending" || found.transition_status !== "",
    users: [...vxnets.map(({ vxnet_id }) => vxnet_id), ...(eipId ? [eipId] : [])],
  };
}

interface Attachments {
  readonly name?: string | undefined;
  readonly eipId?: string | undefined;
  readonly securityGroupId?: string | undefined;
}

/** Says why the next run has to finish it, if it has; one that is imported may be off. */
function unappliedOf(found: Found, isKnown: boolean): { readonly unapplied?: string } {
  if (isKnown && isPoweredOff(found)) return { unapplied: "it is powered off" };
  return found.is_applied === 0 ? { unapplied: "its changes are not applied (UpdateRouters)" } : {};
}

type Found = Awaited<ReturnType<typeof describe>>[number];

/** Routers that exist. */
async function describe(
  context: Context,
  zone: string,
  filter: { routers?: string[]; search_word?: string },
) {
  const found = await listAll(context, DescribeRouters, zone, filter, "router_set");
  return found.filter(isThere);
}

function untilActive(context: Context, zone: string, id: string) {
  return until(context, `VPC router ${id} to become active`, async () => {
    const [found] = await describe(context, zone, { routers: [id] });
    if (found === undefined)
      throw new Error(`VPC router ${id} is gone from zone ${zone} while it was being made.`);
    if (isPoweredOff(found)) {
      await powerOn(context.session, zone, id, context);
      return undefined;
    }
    return found.status === "active" && found.transition_status === "" ? found : undefined;
  });
}

/**
 * All by one ModifyRouterAttributes, and a second where an EIP is exchanged. A changed EIP is inert until UpdateRouters,
 * a changed security group until ApplySecurityGroup.
 */
async function change(
  context: Context,
  zone: string,
  id: string,
  from: Attachments,
  to: Attachments,
): Promise<void> {
  const { session } = context;
  const isOtherGroup = to.securityGroupId !== undefined && from.securityGroupId !== to.securityGroupId;
  // A router has one EIP: the old one goes, applied, before the new one comes.
  const [eip, nextEip] =
    from.eipId === to.eipId
      ? []
      : [from.eipId === undefined ? undefined : "", to.eipId].filter((step) => step !== undefined);
  const attributes = {
    ...(from.name === to.name || to.name === undefined ? {} : { router_name: to.name }),
    ...(isOtherGroup ? { security_group: to.securityGroupId } : {}),
    ...(eip === undefined ? {} : { eip }),
  };
  if (Object.keys(attributes).length > 0) {
    await modifyRouter(context, zone, id, attributes);
  }
  if (eip !== undefined) await session.routerUpdates(zone, id).apply(context);
  if (nextEip !== undefined) await setEip(context, zone, id, nextEip);
  // An interrupted run may have set it without applying it.
  const isToApply = isOtherGroup || (context.halfMadeId !== undefined && to.securityGroupId !== undefined);
  if (isToApply) await applyGroup(context, zone, to.securityGroupId ?? "");
}
