import { z } from "zod";
import { AttachVolumes, DescribeVolumes, DetachVolumes } from "../../qingcloud/actions.ts";
import { sentence } from "../../qingcloud/client.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import { type Context, defineResource } from "../resource.ts";
import { withQuota } from "./creating.ts";
import { volumeLimit } from "./instance-changes.ts";
import { isThere } from "./listing.ts";
import { zoneInput } from "./naming.ts";
import { persist, type Seen, untilJob } from "./waiting.ts";

export const volumeAttachment = defineResource({
  type: "qingcloud:cloud:VolumeAttachment",
  description:
    "A Volume attached to an Instance whose `volumeIds` are left out. Its id is the volume's: a volume is at one instance.",
  inputs: z.strictObject({
    zone: zoneInput,
    volumeId: z.string().describe("The volume."),
    instanceId: z.string().describe("The instance, running or stopped."),
  }),
  outputs: z.object({
    device: z.string().describe("Its name inside the instance; empty where the API tells none."),
  }),
  replaceOn: ["zone", "volumeId", "instanceId"],
  deleteBeforeReplace: true,

  async create(context, { zone, volumeId, instanceId }) {
    const request = { volumes: [volumeId], instance: instanceId };
    try {
      await persist(
        context,
        async () => {
          const { job_id } = await withQuota(
            context,
            zone,
            {},
            (options) => context.session.call(AttachVolumes, zone, request, options),
            volumeLimit(context, zone, instanceId, 1),
          );
          context.made(volumeId);
          await untilJob(context, zone, job_id);
        },
        (): Promise<Seen> => see(context, zone, volumeId, (holder) => holder === instanceId),
      );
    } catch (error) {
      throw await withHolder(context, zone, volumeId, instanceId, error);
    }
    const found = await describe(context, zone, volumeId);
    return { id: volumeId, outputs: { device: found?.instance?.device ?? "" } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const found = await describe(context, zone, id);
    const instanceId = found?.instance?.instance_id;
    // While it is being attached the API does not tell to what.
    if (!instanceId) return found?.transition_status === "attaching" ? known : undefined;
    return {
      inputs: { zone, volumeId: id, instanceId },
      outputs: { device: found?.instance?.device ?? "" },
    };
  },

  async delete(context, id, { inputs: { zone, instanceId } }) {
    const request = { volumes: [id], instance: instanceId };
    try {
      await persist(
        context,
        async () => {
          const { job_id } = await context.session.call(DetachVolumes, zone, request, context);
          await untilJob(context, zone, job_id);
        },
        (): Promise<Seen> => see(context, zone, id, (holder) => holder !== instanceId),
      );
    } catch (error) {
      if (!hasRetCode(error, retCodes.notFound)) throw error;
    }
  },
});

/** The error, with what to do where another instance has the volume. */
async function withHolder(
  context: Context,
  zone: string,
  volumeId: string,
  instanceId: string,
  error: unknown,
): Promise<unknown> {
  if (!hasRetCode(error, retCodes.permissionDenied)) return error;
  const holder = (await describe(context, zone, volumeId))?.instance?.instance_id;
  if (!holder || holder === instanceId) return error;
  return new Error(
    `${sentence(error.message)} Volume ${volumeId} is at instance ${holder}: detach it there first. If another VolumeAttachment of this program has it, give this one that one's name in an alias, or take that one out of the program for one \`up\`.`,
    { cause: error },
  );
}

async function describe(context: Context, zone: string, id: string) {
  const request = { volumes: [id] };
  const { volume_set: found } = await context.session.call(DescribeVolumes, zone, request, context);
  return found.find(isThere);
}

/** @param isDone asked with the id of the instance that has the volume, or nothing */
async function see(
  context: Context,
  zone: string,
  id: string,
  isDone: (holder: string | undefined) => boolean,
): Promise<Seen> {
  const found = await describe(context, zone, id);
  if (found?.transition_status) return "busy";
  return isDone(found?.instance?.instance_id || undefined) ? "done" : "idle";
}
