import { z } from "zod";
import {
  CreateVxnets,
  DeleteVxnets,
  DescribeRouterStatics,
  DescribeRouters,
  DescribeRouterVxnets,
  DescribeVxnets,
  JoinRouter,
  LeaveRouter,
  ModifyVxnetAttributes,
} from "../../qingcloud/actions.ts";
import { QingCloudError, retCodes } from "../../qingcloud/errors.ts";
import { overlaps } from "../../qingcloud/networks.ts";
import { type Context, defineResource, idsNamed, type Named } from "../resource.ts";
import { createOnce, type Limit, withQuota } from "./creating.ts";
import { deleteWhenFree, type Present } from "./deleting.ts";
import { greType, readGre } from "./gre-tunnel.ts";
import { emptyRecycleBin, recycledIn } from "./instance-removal.ts";
import { ipsecType, readIpsec } from "./ipsec-tunnel.ts";
import { listAll, searchFor } from "./listing.ts";
import { digitsOf, markIn, named, namedAsRead, nameOutput, physicalName, sameName } from "./naming.ts";
import { whileOverlapping } from "./overlaps.ts";
import type { Found } from "./statics.ts";
import { persist, type Seen, untilJob } from "./waiting.ts";

export const vxnet = defineResource({
  type: "qingcloud:cloud:Vxnet",
  description:
    "A subnet, joined to a VPC router. Its deletion ceases the stack's own instances that lie in it in the recycle bin, by the `mark` in their names.",
  inputs: z.strictObject({
    ...named,
    vpcId: z.string().describe("The VPC router."),
    ipNetwork: z
      .cidrv4()
      .refine((network) => network.endsWith(".0/24"), { error: "must be a /24, e.g. 192.168.1.0/24" })
      .describe("A /24 inside the router's network."),
  }),
  outputs: z.object(nameOutput),
  replaceOn: ["zone", "vpcId"],
  // One that was taken off its router by hand joins it again.
  isInPlace: (property, state) => property === "vpcId" && state.inputs.vpcId === "",
  deleteBeforeReplace: true,
  isSame: sameName,
  search,

  async create(context, inputs) {
    const { zone, vpcId } = inputs;
    const name = physicalName(context.urn, inputs);
    // Said before the vxnet is there: statics of the same router are on their way to an UpdateRouters.
    return await context.session.routerUpdates(zone, vpcId).joining(async (alone) => {
      const { id, adopted } = await createOnce(context, {
        what: `vxnet "${name}"`,
        names: inputs,
        find: async (patient) => idsNamed(await search(patient, zone, name), name),
        create: () =>
          withQuota(context, zone, { vxnet: 1 }, async (options) => {
            const request = { vxnet_type: 1, vxnet_name: name } as const;
            return (await context.session.call(CreateVxnets, zone, request, options)).vxnets[0];
          }),
      });
      const [found] = adopted ? await describe(context, zone, { vxnets: [id] }) : [];
      if (!found?.vpc_router_id) await alone(() => join(context, id, inputs));
      return { id, outputs: { name } };
    });
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await describe(context, zone, { vxnets: [id] });
    if (found === undefined) return undefined;
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, found.vxnet_name),
        vpcId: found.vpc_router_id,
        ipNetwork: found.router?.ip_network ?? "",
      },
      outputs: { name: found.vxnet_name },
    };
  },

  async update(context, id, { olds, news, outputs }) {
    const name = physicalName(context.urn, news);
    if (name !== outputs.name) {
      const request = { vxnet: id, vxnet_name: name };
      await context.session.call(ModifyVxnetAttributes, news.zone, request, context);
    }
    if (news.ipNetwork !== olds.ipNetwork || news.vpcId !== olds.vpcId) {
      const updates = context.session.routerUpdates(news.zone, news.vpcId);
      const work = olds.vpcId === "" ? joinOnceFree : rejoin;
      await updates.joining((alone) => alone(() => work(context, id, news)));
    }
    return { name };
  },

  async delete(context, id, { inputs: { zone, mark } }) {
    await deleteWhenFree(context, {
      kind: "vxnet",
      zone,
      id,
      users: "inside",
      look: () => lookAt(context, zone, id),
      remove: () => remove(context, zone, id, mark),
    });
  },
});

interface Place {
  readonly zone: string;
  readonly vpcId: string;
}

async function search(context: Context, zone: string, word: string): Promise<Named[]> {
  const found = await describe(context, zone, searchFor(word));
  return found.map(({ vxnet_id: id, vxnet_name: name }) => ({ id, name }));
}

function describe(
  context: Context,
  zone: string,
  filter: { vxnets?: string[]; search_word?: string; verbose?: number },
) {
  return listAll(context, DescribeVxnets, zone, filter, "vxnet_set");
}

async function lookAt(context: Context, zone: string, id: string): Promise<Present | undefined> {
  const [[found], recycled] = await Promise.all([
    describe(context, zone, { vxnets: [id], verbose: 1 }),
    recycledIn(context, zone, id),
  ]);
  if (found === undefined) return undefined;
  const inBin = recycled.map(({ instance_id }) => `${instance_id} in the recycle bin (CeaseInstances)`);
  return { users: [...(found.instance_ids ?? []), ...inBin] };
}

/**
 * Looks before each step: what a repeated call has done already is done. The stack's own instances that somebody has
 * terminated are unknown to its state after a refresh, and lie in the vxnet all the same.
 */
async function remove(context: Context, zone: string, id: string, mark: string | undefined): Promise<void> {
  const [found] = await describe(context, zone, { vxnets: [id], verbose: 1 });
  if (found === undefined) return;
  const instances = found.instance_ids ?? [];
  if (instances.length > 0) {
    // Before it leaves its router: they would lose their addresses by that.
    throw new QingCloudError(`instances are in it: ${instances.join(", ")}.`, {
      action: DeleteVxnets.name,
      retCode: retCodes.dependencyExists,
      outcome: "refused",
    });
  }
  const recycled = mark === undefined ? [] : await recycledIn(context, zone, id);
  const ours = recycled.filter(({ instance_name: name }) => markIn(name) === digitsOf(mark));
  await emptyRecycleBin(context, zone, ours);
  const vpcId = found.vpc_router_id;
  if (vpcId !== "") {
    const updates = context.session.routerUpdates(zone, vpcId);
    await updates.joining((alone) => alone(() => leave(context, id, { zone, vpcId })));
  }
  await context.session.call(DeleteVxnets, zone, { vxnets: [id] }, context);
}

/** Waits while the router is at work; what an interrupted or repeated call has joined already is joined. */
async function join(
  context: Context,
  id: string,
  inputs: Place & { readonly ipNetwork: string },
): Promise<void> {
  const { zone, vpcId, ipNetwork } = inputs;
  const { session } = context;
  const limit: Limit = {
    name: "max_router_vxnets",
    of: `VPC router ${vpcId}`,
    async count() {
      const asked = { router: vpcId, limit: 1 };
      return (await session.call(DescribeRouterVxnets, zone, asked, context)).total_count + 1;
    },
  };
  await persist(
    context,
    async () => {
      const request = { vxnet: id, router: vpcId, ip_network: ipNetwork };
      const { job_id } = await withQuota(
        context,
        zone,
        {},
        (options) => session.call(JoinRouter, zone, request, options),
        limit,
      );
      await untilJob(context, zone, job_id);
    },
    async () => {
      const [vxnet] = await describe(context, zone, { vxnets: [id] });
      const isJoined = vxnet?.vpc_router_id === vpcId && vxnet.router?.ip_network === ipNetwork;
      return isJoined ? "done" : await seeRouter(context, inputs);
    },
  );
}

async function seeRouter(context: Context, { zone, vpcId }: Place): Promise<Seen> {
  const routers = await listAll(context, DescribeRouters, zone, { routers: [vpcId] }, "router_set");
  const isBusy = routers.some(
    ({ status, transition_status }) => transition_status !== "" || status === "pending",
  );
  return isBusy ? "busy" : "idle";
}

/** Its instances stay in it; those without a fixed address get another one. */
async function rejoin(
  context: Context,
  id: string,
  inputs: Place & { readonly ipNetwork: string },
): Promise<void> {
  await persist(
    context,
    () => leave(context, id, inputs),
    async () => {
      const [found] = await describe(context, inputs.zone, { vxnets: [id] });
      return found?.vpc_router_id ? await seeRouter(context, inputs) : "done";
    },
  );
  await joinOnceFree(context, id, inputs);
}

/** Where a tunnel reaches the network still, once it does no longer. */
async function joinOnceFree(
  context: Context,
  id: string,
  inputs: Place & { readonly ipNetwork: string },
): Promise<void> {
  await whileOverlapping(
    context,
    () => join(context, id, inputs),
    () => tunnelsTo(context, inputs),
  );
}

/** Tunnels of the router that reach networks which overlap. */
async function tunnelsTo(
  context: Context,
  { zone, vpcId, ipNetwork }: Place & { readonly ipNetwork: string },
): Promise<string[]> {
  const found = await listAll(context, DescribeRouterStatics, zone, { router: vpcId }, "router_static_set");
  return found.flatMap((item) => {
    const targets = targetsOf(item).filter((target) => overlaps(target, ipNetwork));
    return targets.length === 0 ? [] : [`tunnel ${item.router_static_id} (${targets.join(", ")})`];
  });
}

function targetsOf(item: Found): readonly string[] {
  if (item.static_type === greType) return readGre(item).targetNetworks;
  return item.static_type === ipsecType ? readIpsec(item).targetNetworks : [];
}

async function leave(context: Context, id: string, { zone, vpcId }: Place): Promise<void> {
  const request = { router: vpcId, vxnets: [id] };
  await untilJob(context, zone, (await context.session.call(LeaveRouter, zone, request, context)).job_id);
}
