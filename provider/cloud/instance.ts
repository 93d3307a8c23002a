import { z } from "zod";
import type { RequestOf } from "../../qingcloud/action.ts";
import {
  DescribeInstances,
  ModifyInstanceAttributes,
  RunInstances,
  TerminateInstances,
} from "../../qingcloud/actions.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import { type Context, defineResource } from "../resource.ts";
import { createOnce, named, namedAsRead, physicalName } from "./naming.ts";
import { deleteWhenFree, until, untilJob, untilLeased } from "./waiting.ts";

/** The API's limit for user data. */
const longestUserData = 4096;
const positive = z.number().int().min(1);

export const instance = defineResource({
  type: "qingcloud:cloud:Instance",
  description: "A server, with GPUs where its shape has them, at a fixed address of a vxnet.",
  inputs: z.strictObject({
    ...named,
    imageId: z.string().min(1).describe("Image id."),
    instanceType: z
      .string()
      .optional()
      .describe("A type of the zone, e.g. `g2ntp100.4xlarge.r4`; or cpu and memoryGiB."),
    cpu: positive.optional().describe("Number of virtual CPUs; with `memoryGiB`, instead of `instanceType`."),
    memoryGiB: positive.optional().describe("GiB."),
    gpus: positive.optional().describe("Number of GPUs; with `cpu` and `memoryGiB`."),
    gpuClass: z.number().int().min(0).optional().describe("0 NVIDIA P100, 1 AMD S7150."),
    osDiskGiB: z.number().int().min(20).max(100).optional().describe("GiB, 20 to 100."),
    vxnetId: z.string().describe("The vxnet that it joins."),
    privateIp: z.ipv4().describe("Its fixed address in the vxnet."),
    keypairId: z.string().describe("Key pair that may log in."),
    hostname: z.string().optional().describe("Default the instance id."),
    userData: z
      .string()
      .refine((script) => Buffer.byteLength(script) <= longestUserData, { error: "must be at most 4 KB" })
      .optional()
      .describe("A script that runs as root at every boot (type exec), at most 4 KB."),
  }),
  outputs: z.object({ name: z.string().describe("Name in the console.") }),
  replaceOn: [
    "zone",
    "imageId",
    "instanceType",
    "cpu",
    "memoryGiB",
    "gpus",
    "gpuClass",
    "osDiskGiB",
    "vxnetId",
    "privateIp",
    "keypairId",
    "hostname",
    "userData",
  ],
  secrets: ["userData"],
  deleteBeforeReplace: true,

  check({ instanceType, cpu, memoryGiB, gpus, gpuClass }) {
    const bySize = [cpu, memoryGiB, gpus, gpuClass].some((value) => value !== undefined);
    if (instanceType !== undefined && bySize) {
      const reason = "give instanceType, or cpu and memoryGiB with gpus: with both, the API ignores the type";
      return [{ property: "instanceType", reason }];
    }
    if (instanceType === undefined && (cpu === undefined || memoryGiB === undefined)) {
      return [{ property: "instanceType", reason: "give instanceType, or cpu and memoryGiB" }];
    }
    return [];
  },

  async create(context, inputs) {
    const { zone } = inputs;
    const name = physicalName(context.urn, inputs);
    const { id } = await createOnce(
      context,
      `instance "${name}"`,
      async () =>
        (await describe(context, zone, { search_word: name }))
          .filter((found) => found.instance_name === name)
          .map((found) => found.instance_id),
      () => run(context, name, inputs),
    );
    await until(context, `instance ${id} to run`, async () => {
      const [found] = await describe(context, zone, { instances: [id] });
      if (found === undefined)
        throw new Error(`Instance ${id} is gone from zone ${zone} while it was starting.`);
      return found.status === "running" && found.transition_status === "" ? found : undefined;
    });
    return { id, outputs: { name } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await describe(context, zone, { instances: [id] });
    if (found === undefined) return undefined;
    const [network] = found.vxnets;
    const keypairId = found.keypair_ids?.[0] ?? known?.inputs.keypairId ?? "";
    const type = found.instance_type || undefined;
    const size = { cpu: found.vcpus_current, memoryGiB: found.memory_current / 1024 };
    const isByType = known === undefined ? type !== undefined : known.inputs.instanceType !== undefined;
    return {
      inputs: {
        ...known?.inputs,
        ...namedAsRead(known?.inputs, zone, found.instance_name),
        imageId: found.image.image_id,
        ...(isByType && type !== undefined ? { instanceType: type } : size),
        vxnetId: network?.vxnet_id ?? "",
        privateIp: network?.private_ip ?? "",
        keypairId,
      },
      outputs: { name: found.instance_name },
    };
  },

  async update(context, id, { news }) {
    const name = physicalName(context.urn, news);
    await context.session.call(
      ModifyInstanceAttributes,
      news.zone,
      { instance: id, instance_name: name },
      context,
    );
    return { name };
  },

  async delete(context, id, { inputs: { zone } }) {
    if ((await describe(context, zone, { instances: [id] })).length === 0) return;
    await untilLeased(context, zone, id);
    await deleteWhenFree(context, async () => {
      const request: RequestOf<typeof TerminateInstances> = { instances: [id], direct_cease: 1 };
      await untilJob(
        context,
        zone,
        (await context.session.call(TerminateInstances, zone, request, context)).job_id,
      );
    });
    await until(context, `instance ${id} to be gone`, async () =>
      (await describe(context, zone, { instances: [id] })).length === 0 ? true : undefined,
    );
  },
});

async function run(
  context: Context,
  name: string,
  inputs: Shape & { readonly zone: string },
): Promise<string | undefined> {
  try {
    const answer = await context.session.call(RunInstances, inputs.zone, toRequest(name, inputs), context);
    const [id] = answer.instances;
    if (id !== undefined) {
      context.made(id);
      await untilJob(context, inputs.zone, answer.job_id);
    }
    return id;
  } catch (error) {
    if (!hasRetCode(error, retCodes.insufficientResources)) throw error;
    const { instanceType, cpu, memoryGiB, gpus } = inputs;
    const shape = instanceType ?? `${cpu} CPUs, ${memoryGiB} GiB, ${gpus ?? 0} GPUs`;
    const message = `Zone ${inputs.zone} cannot give an instance of ${shape} now: ${error.message} Try another zone or shape.`;
    throw new Error(message, { cause: error });
  }
}

interface Shape {
  readonly imageId: string;
  readonly instanceType?: string | undefined;
  readonly cpu?: number | undefined;
  readonly memoryGiB?: number | undefined;
  readonly gpus?: number | undefined;
  readonly gpuClass?: number | undefined;
  readonly osDiskGiB?: number | undefined;
  readonly vxnetId: string;
  readonly privateIp: string;
  readonly keypairId: string;
  readonly hostname?: string | undefined;
  readonly userData?: string | undefined;
}

function toRequest(name: string, shape: Shape): RequestOf<typeof RunInstances> {
  const { memoryGiB, userData } = shape;
  return {
    instance_name: name,
    image_id: shape.imageId,
    instance_type: shape.instanceType,
    cpu: shape.cpu,
    memory: memoryGiB === undefined ? undefined : memoryGiB * 1024,
    gpu: shape.gpus,
    gpu_class: shape.gpuClass,
    os_disk_size: shape.osDiskGiB,
    hostname: shape.hostname,
    vxnets: [`${shape.vxnetId}|${shape.privateIp}`],
    login_mode: "keypair",
    login_keypair: shape.keypairId,
    ...(userData === undefined
      ? {}
      : {
          need_userdata: 1,
          userdata_type: "exec",
          userdata_value: Buffer.from(userData).toString("base64"),
        }),
  };
}

/** Instances that exist: a ceased one is still listed for a while. */
async function describe(
  context: Context,
  zone: string,
  filter: { instances?: string[]; search_word?: string },
) {
  const request = { ...filter, verbose: 1, limit: 100 };
  const { instance_set: found } = await context.session.call(DescribeInstances, zone, request, context);
  return found.filter(({ status }) => status !== "terminated" && status !== "ceased");
}
