import { z } from "zod";
import {
  AllocateEips,
  bandwidth,
  billingMode,
  ChangeEipsBandwidth,
  ChangeEipsBillingMode,
  DescribeEips,
  ModifyEipAttributes,
  ReleaseEips,
} from "../../qingcloud/actions.ts";
import { type Context, defineResource, idsNamed, type Named } from "../resource.ts";
import { createOnce, withQuota } from "./creating.ts";
import { deleteWhenFree } from "./deleting.ts";
import { marked } from "./left-behind.ts";
import { isThere, listAll, searchFor } from "./listing.ts";
import { named, namedAsRead, nameOutput, physicalName, sameName } from "./naming.ts";
import { setEip } from "./router-eip.ts";
import { until, untilJob } from "./waiting.ts";

interface Attributes {
  readonly bandwidth: number;
  readonly billingMode: z.output<typeof billingMode>;
  readonly name: string;
}

export const eip = defineResource({
  type: "qingcloud:cloud:Eip",
  description: "A public IP address with its bandwidth. A Vpc takes it by `eipId`.",
  inputs: z.strictObject({
    ...named,
    bandwidth: bandwidth.describe("Mbit/s, 1 to 1000; below 10, traffic into the cloud still gets 10."),
    billingMode: billingMode.default("bandwidth").describe("What is paid for: the bandwidth or the traffic."),
  }),
  outputs: z.object({
    ...nameOutput,
    address: z.string().describe("IPv4 address."),
  }),
  replaceOn: ["zone"],
  deleteBeforeReplace: true,
  isSame: sameName,
  search,

  async create(context, inputs) {
    const { zone } = inputs;
    const name = physicalName(context.urn, inputs);
    const { id } = await createOnce(context, {
      what: `EIP "${name}"`,
      names: inputs,
      find: async (patient) => idsNamed(await search(patient, zone, name), name),
      async create() {
        const request = { bandwidth: inputs.bandwidth, billing_mode: inputs.billingMode, eip_name: name };
        const wanted = { eip: 1, eip_bandwidth: inputs.bandwidth };
        return await withQuota(context, zone, wanted, async (options) => {
          return (await context.session.call(AllocateEips, zone, request, options)).eips[0];
        });
      },
    });
    const found = await until(context, `EIP ${id} to become available`, async () => {
      const [eip] = await describe(context, zone, { eips: [id] });
      if (eip === undefined) throw new Error(`EIP ${id} is gone from zone ${zone} while it was being made.`);
      return eip.status === "pending" ? undefined : eip;
    });
    return { id, outputs: { name: found.eip_name, address: found.eip_addr } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await describe(context, zone, { eips: [id] });
    if (found === undefined) return undefined;
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, found.eip_name),
        bandwidth: found.bandwidth,
        billingMode: found.billing_mode,
      },
      outputs: { name: found.eip_name, address: found.eip_addr },
    };
  },

  async update(context, id, { olds, news, outputs }) {
    const name = physicalName(context.urn, news);
    await change(context, news.zone, id, { ...olds, name: outputs.name }, { ...news, name });
    return { ...outputs, name };
  },

  async delete(context, id, { inputs: { zone, mark } }) {
    await leaveRouter(context, zone, id, mark);
    await deleteWhenFree(context, {
      kind: "EIP",
      zone,
      id,
      isLeased: true,
      async look() {
        const [found] = await describe(context, zone, { eips: [id] });
        if (found === undefined) return undefined;
        const { status, transition_status, resource } = found;
        return {
          isBusy: status === "pending" || transition_status !== "",
          users: resource.resource_id ? [resource.resource_id] : [],
        };
      },
      async remove() {
        const { job_id } = await context.session.call(ReleaseEips, zone, { eips: [id] }, context);
        await untilJob(context, zone, job_id);
      },
    });
  },
});

async function search(context: Context, zone: string, word: string): Promise<Named[]> {
  const found = await describe(context, zone, searchFor(word));
  return found.map(({ eip_id: id, eip_name: name }) => ({ id, name }));
}

/**
 * A router of the stack that stays gets another EIP only when this one is gone: the engine compares it before. From a router
 * that this run does not know an EIP is taken if it was made for this stack: a killed run may have set it there.
 */
async function leaveRouter(context: Context, zone: string, id: string, mark?: string): Promise<void> {
  const [found] = await describe(context, zone, { eips: [id] });
  const { resource_type: type, resource_id: router } = found?.resource ?? {};
  if (found === undefined || type !== "router" || !router) return;
  if (!context.session.hasMet(router)) {
    const isOwn = marked(mark, [{ id, name: found.eip_name }]).length > 0;
    if (!isOwn && context.strays?.isAllowed !== true) return;
    context.warn(`EIP ${id} is on VPC router ${router}, as a killed run may leave it: it is taken off.`);
  }
  await setEip(context, zone, router, "");
}

/** EIPs that exist. */
async function describe(context: Context, zone: string, filter: { eips?: string[]; search_word?: string }) {
  const found = await listAll(context, DescribeEips, zone, filter, "eip_set");
  return found.filter(isThere);
}

/** Changes what differs, in place and while in use. */
async function change(
  context: Context,
  zone: string,
  id: string,
  from: Attributes,
  to: Attributes,
): Promise<void> {
  const { session } = context;
  if (from.name !== to.name)
    await session.call(ModifyEipAttributes, zone, { eip: id, eip_name: to.name }, context);
  if (from.bandwidth !== to.bandwidth) {
    const request = { eips: [id], bandwidth: to.bandwidth };
    const wanted = { eip_bandwidth: to.bandwidth - from.bandwidth };
    const { job_id } = await withQuota(context, zone, wanted, (options) =>
      session.call(ChangeEipsBandwidth, zone, request, options),
    );
    await untilJob(context, zone, job_id);
  }
  if (from.billingMode !== to.billingMode) {
    const request = { eips: [id], billing_mode: to.billingMode };
    await untilJob(context, zone, (await session.call(ChangeEipsBillingMode, zone, request, context)).job_id);
  }
}
