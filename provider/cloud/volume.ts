import { z } from "zod";
import {
  CreateVolumes,
  DeleteVolumes,
  DescribeVolumes,
  ModifyVolumeAttributes,
  ResizeVolumes,
} from "../../qingcloud/actions.ts";
import { sentence } from "../../qingcloud/client.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import { type Context, defineResource, idsNamed, type Named } from "../resource.ts";
import { createOnce, withQuota } from "./creating.ts";
import { deleteWhenFree } from "./deleting.ts";
import { isThere, listAll, searchFor } from "./listing.ts";
import { named, namedAsRead, nameOutput, physicalName, sameName } from "./naming.ts";
import { persist, type Seen, until, untilJob } from "./waiting.ts";

export const volume = defineResource({
  type: "qingcloud:cloud:Volume",
  description:
    "A disk that lives by itself; a VolumeAttachment, or an Instance's `volumeIds`, attaches it. It grows in place while it is attached to nothing.",
  inputs: z.strictObject({
    ...named,
    sizeGiB: z.number().int().min(1).describe("GiB, in steps of 10; it can only grow."),
    type: z
      .number()
      .int()
      .min(0)
      .default(0)
      .describe(
        "0 performance, 3 ultra-performance, 1 and 2 capacity, 5, 6, 100 and 200 enterprise SSD; the zone decides which there are.",
      ),
  }),
  outputs: z.object(nameOutput),
  lost: "what is on it is lost",
  replaceOn: ["zone", "type"],
  replaces: (state, news) => (news.sizeGiB < state.inputs.sizeGiB ? ["sizeGiB"] : []),
  deleteBeforeReplace: true,
  isSame: sameName,
  search,

  async create(context, inputs) {
    const { zone } = inputs;
    const name = physicalName(context.urn, inputs);
    const { id, adopted } = await createOnce(context, {
      what: `volume "${name}"`,
      names: inputs,
      find: async (patient) => idsNamed(await search(patient, zone, name), name),
      async create() {
        const request = { size: inputs.sizeGiB, volume_type: inputs.type, volume_name: name };
        const wanted = { volume: 1, volume_size: inputs.sizeGiB };
        const { volumes, job_id } = await withQuota(context, zone, wanted, (options) =>
          context.session.call(CreateVolumes, zone, request, options),
        );
        if (volumes[0] !== undefined) context.made(volumes[0]);
        await untilJob(context, zone, job_id);
        return volumes[0];
      },
    });
    if (adopted) {
      await until(context, `volume ${id} to become available`, async () => {
        const [found] = await describe(context, zone, { volumes: [id] });
        if (found === undefined)
          throw new Error(`Volume ${id} is gone from zone ${zone} while it was being made.`);
        return found.status === "pending" ? undefined : found;
      });
    }
    return { id, outputs: { name } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await describe(context, zone, { volumes: [id] });
    if (found === undefined) return undefined;
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, found.volume_name),
        sizeGiB: found.size,
        type: found.volume_type,
      },
      outputs: { name: found.volume_name },
    };
  },

  async update(context, id, { olds, news, outputs }) {
    const { zone } = news;
    const name = physicalName(context.urn, news);
    if (name !== outputs.name) {
      const request = { volume: id, volume_name: name };
      await context.session.call(ModifyVolumeAttributes, zone, request, context);
    }
    if (news.sizeGiB > olds.sizeGiB) await resize(context, zone, id, olds.sizeGiB, news.sizeGiB);
    return { name };
  },

  async delete(context, id, { inputs: { zone } }) {
    await deleteWhenFree(context, {
      kind: "volume",
      zone,
      id,
      isLeased: true,
      async look() {
        const [found] = await describe(context, zone, { volumes: [id] });
        if (found === undefined) return undefined;
        const { status, transition_status, instance } = found;
        return {
          isBusy: status === "pending" || transition_status !== "",
          users: instance?.instance_id ? [instance.instance_id] : [],
        };
      },
      async remove() {
        const { job_id } = await context.session.call(DeleteVolumes, zone, { volumes: [id] }, context);
        await untilJob(context, zone, job_id);
      },
    });
  },
});

async function search(context: Context, zone: string, word: string): Promise<Named[]> {
  const found = await describe(context, zone, searchFor(word));
  return found.map(({ volume_id: id, volume_name: name }) => ({ id, name }));
}

/** Volumes that exist. */
async function describe(
  context: Context,
  zone: string,
  filter: { volumes?: string[]; search_word?: string },
) {
  const found = await listAll(context, DescribeVolumes, zone, filter, "volume_set");
  return found.filter(isThere);
}

async function resize(context: Context, zone: string, id: string, from: number, to: number): Promise<void> {
  const request = { volumes: [id], size: to };
  const look = async (): Promise<Seen> => {
    const [found] = await describe(context, zone, { volumes: [id] });
    if (found?.size === to) return "done";
    // Free, it refuses while it is at work only.
    return found?.instance?.instance_id ? "idle" : "busy";
  };
  await persist(
    context,
    async () => {
      const { job_id } = await withQuota(context, zone, { volume_size: to - from }, (options) =>
        context.session.call(ResizeVolumes, zone, request, options),
      ).catch(async (error: unknown) => {
        // Sent again after a lost answer, it asks for the size that is there.
        if (hasRetCode(error, retCodes.invalidParameter) && (await look()) === "done")
          return { job_id: undefined };
        throw error;
      });
      if (job_id !== undefined) await untilJob(context, zone, job_id);
    },
    look,
  ).catch(async (error: unknown) => {
    if (!hasRetCode(error, retCodes.permissionDenied)) throw error;
    const [found] = await describe(context, zone, { volumes: [id] });
    const holder = found?.instance?.instance_id;
    if (!holder) throw error;
    throw new Error(
      `${sentence(error.message)} Volume ${id} is at instance ${holder}, and grows from ${from} to ${to} GiB only while it is at none: give it sizeGiB ${from}, take its VolumeAttachment out of the program (or its id out of \`volumeIds\`) and run \`up\`; then give it sizeGiB ${to} and what was taken out, and run \`up\` again.`,
      { cause: error },
    );
  });
}
