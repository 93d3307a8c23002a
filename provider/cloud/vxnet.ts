import { z } from "zod";
import {
  CreateVxnets,
  DeleteVxnets,
  DescribeVxnets,
  JoinRouter,
  LeaveRouter,
  ModifyVxnetAttributes,
} from "../../qingcloud/actions.ts";
import { type Context, defineResource } from "../resource.ts";
import { createOnce, named, namedAsRead, physicalName } from "./naming.ts";
import { deleteWhenFree, untilJob, whenIdle } from "./waiting.ts";

export const vxnet = defineResource({
  type: "qingcloud:cloud:Vxnet",
  description: "A subnet, joined to a VPC router.",
  inputs: z.strictObject({
    ...named,
    vpcId: z.string().describe("The VPC router."),
    ipNetwork: z
      .cidrv4()
      .refine((network) => network.endsWith(".0/24"), { error: "must be a /24, e.g. 192.168.1.0/24" })
      .describe("A /24 inside the router's network."),
  }),
  outputs: z.object({ name: z.string().describe("Name in the console.") }),
  replaceOn: ["zone", "vpcId", "ipNetwork"],
  deleteBeforeReplace: true,

  async create(context, inputs) {
    const { zone, vpcId, ipNetwork } = inputs;
    const { session } = context;
    const name = physicalName(context.urn, inputs);
    const { id, adopted } = await createOnce(
      context,
      `vxnet "${name}"`,
      async () =>
        (await describe(context, zone, { search_word: name }))
          .filter((found) => found.vxnet_name === name)
          .map((found) => found.vxnet_id),
      async () => {
        const answer = await session.call(CreateVxnets, zone, { vxnet_type: 1, vxnet_name: name }, context);
        return answer.vxnets[0];
      },
    );
    const [found] = adopted ? await describe(context, zone, { vxnets: [id] }) : [];
    if (!found?.vpc_router_id) {
      await whenIdle(context, `VPC router ${vpcId}`, async () => {
        const request = { vxnet: id, router: vpcId, ip_network: ipNetwork };
        await untilJob(context, zone, (await session.call(JoinRouter, zone, request, context)).job_id);
      });
    }
    return { id, outputs: { name } };
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

  async update(context, id, { news }) {
    const name = physicalName(context.urn, news);
    await context.session.call(ModifyVxnetAttributes, news.zone, { vxnet: id, vxnet_name: name }, context);
    return { name };
  },

  async delete(context, id, { inputs: { zone, vpcId } }) {
    const { session } = context;
    const [found] = await describe(context, zone, { vxnets: [id] });
    if (found === undefined) return;
    if (found.vpc_router_id) {
      await deleteWhenFree(context, async () => {
        const { job_id } = await session.call(LeaveRouter, zone, { router: vpcId, vxnets: [id] }, context);
        await untilJob(context, zone, job_id);
      });
    }
    await deleteWhenFree(context, async () => {
      await session.call(DeleteVxnets, zone, { vxnets: [id] }, context);
    });
  },
});

async function describe(context: Context, zone: string, filter: { vxnets?: string[]; search_word?: string }) {
  return (await context.session.call(DescribeVxnets, zone, { ...filter, limit: 100 }, context)).vxnet_set;
}
