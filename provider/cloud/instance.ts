import { z } from "zod";
import type { RequestOf } from "../../qingcloud/action.ts";
import { ModifyInstanceAttributes, RunInstances } from "../../qingcloud/actions.ts";
import { gpuShapes } from "../../qingcloud/gpu-shapes.ts";
import { type Context, defineResource, type Named } from "../resource.ts";
import { createOnce, withQuota } from "./creating.ts";
import { describeInstances, InstanceChanges, listInstances, placeIn } from "./instance-changes.ts";
import { findOrMakeRoom, isKeptInBin, unappliedOf, untilRunning } from "./instance-presence.ts";
import { isInRecycleBin, removeInstance, takingAddress } from "./instance-removal.ts";
import {
  quotaOf,
  type Shape,
  shapeInputs,
  shapeProblems,
  shapeRequest,
  shapeWarnings,
  withCapacity,
} from "./instance-shape.ts";
import { isThere, searchFor } from "./listing.ts";
import { named, namedAsRead, physicalName, sameName } from "./naming.ts";
import { untilJob } from "./waiting.ts";

/** The API's limit for user data. */
const longestUserData = 4096;
const byType = ["instanceType", "cpu", "memoryGiB"] as const;
const listed = ["pending", "running", "stopped", "suspended", "terminated"] as const;
/** What no action of the API tells of an instance. */
const notTold = ["gpus", "gpuClass", "hostname", "userData"] as const;

const inputs = z.strictObject({
  ...named,
  imageId: z.string().min(1).describe("Image id."),
  ...shapeInputs,
  osDiskGiB: z.number().int().min(20).max(100).optional().describe("GiB, 20 to 100; it can only grow."),
  vxnetId: z.string().describe("The vxnet that it joins."),
  privateIp: z
    .ipv4()
    .optional()
    .describe("Its fixed address in the vxnet; default one of the vxnet's DHCP range."),
  keypairId: z.string().describe("Key pair that may log in."),
  hostname: z.string().optional().describe("Default the instance id."),
  volumeIds: z
    .array(z.string())
    .optional()
    .describe(
      "Extra volumes that are attached. Absent = not managed here, but by VolumeAttachment or by hand.",
    ),
  userData: z
    .string()
    .refine((script) => Buffer.byteLength(script) <= longestUserData, { error: "must be at most 4 KB" })
    .optional()
    .describe("A script that runs as root at every boot (type exec), at most 4 KB."),
});
type Inputs = z.output<typeof inputs>;

export const instance = defineResource({
  type: "qingcloud:cloud:Instance",
  description:
    "A server, with GPUs where its shape has them, at a fixed address of a vxnet. Another shape or a larger disk stops it, if it runs, and starts it again. One that was stopped outside Pulumi is started by the next `up --refresh`; one that was terminated is ceased, so that it gives back its address, and made again. Where its `name` was given it is not made again before `up --replace`.",
  inputs,
  outputs: z.object({
    name: z.string().describe("Name in the console."),
    instanceType: z.string().optional().describe("The type that the cloud names for its shape."),
    cpu: z.number().int().optional().describe("Number of virtual CPUs."),
    memoryGiB: z.number().optional().describe("GiB."),
    privateIp: z.string().describe("Its address in the vxnet."),
    isStoppedForResize: z
      .boolean()
      .optional()
      .describe("A resize was interrupted between stop and start; the next run starts it."),
    unread: z
      .array(z.string())
      .optional()
      .describe(
        "Inputs that the API does not tell, where it was imported: the program's first are taken as they are.",
      ),
  }),
  replaceOn: ["zone", "imageId", "gpuClass", "vxnetId", "hostname", "userData"],
  // One that was taken out of its vxnet by hand joins it again.
  isInPlace: (property, state) => property === "vxnetId" && state.inputs.vxnetId === "",
  replaces: (state, news) =>
    (news.osDiskGiB ?? Number.POSITIVE_INFINITY) < (state.inputs.osDiskGiB ?? 0) ? ["osDiskGiB"] : [],
  lost: "what is on its disk is lost, e.g. the files and checkpoints of training",
  secrets: ["userData"],
  bookkeeping: ["isStoppedForResize", "unread"],
  deleteBeforeReplace: true,
  rules: [{ reads: ["instanceType", "cpu", "memoryGiB", "gpus", "gpuClass"], problems: shapeProblems }],
  warnings: shapeWarnings,
  search,

  isSame(property, state, news, urn) {
    if (state.outputs.unread?.includes(property) === true && !(property in state.inputs)) return true;
    // A type and its sizes are the same shape; which of them an import found is the API's choice.
    if (byType.some((name) => name === property)) {
      return !isOtherSize(news, state.outputs);
    }
    if (property === "gpus") return gpusOf(news) === gpusOf({ ...state.outputs, gpus: state.inputs.gpus });
    // Left out it is the cloud's choice, which it keeps.
    if ((property === "privateIp" || property === "osDiskGiB") && news[property] === undefined) return true;
    if (property === "volumeIds" && news.volumeIds === undefined) return true;
    return sameName(property, state, news, urn);
  },

  async create(context, given) {
    const { zone } = given;
    const name = physicalName(context.urn, given);
    const { id } = await createOnce(context, {
      what: `instance "${name}"`,
      names: given,
      find: (patient) => findOrMakeRoom(patient, name, given),
      create: () => run(context, name, given),
    });
    return { id, outputs: outputsOf(await untilRunning(context, zone, id), given.vxnetId) };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await listInstances(context, zone, { instances: [id] });
    if (found === undefined || (!isThere(found) && !isKeptInBin(context, found, known?.inputs)))
      return undefined;
    const { unread } = known?.outputs ?? { unread: [...notTold] };
    const unapplied = unappliedOf(context, found, known);
    return {
      inputs: asInputs(found, zone, known?.inputs),
      outputs: {
        ...outputsOf(found, known?.inputs.vxnetId),
        ...(unread === undefined ? {} : { unread }),
      },
      ...(unapplied === undefined ? {} : { unapplied }),
    };
  },

  async update(context, id, { olds, news, outputs }) {
    const { zone } = news;
    const name = physicalName(context.urn, news);
    if (name !== outputs.name) {
      const request = { instance: id, instance_name: name };
      await context.session.call(ModifyInstanceAttributes, zone, request, context);
    }
    const changes = new InstanceChanges(context, zone, id);
    if (news.keypairId !== olds.keypairId) {
      await changes.changeKeyPair(olds.keypairId || undefined, news.keypairId);
    }
    if (news.volumeIds !== undefined) await changes.changeVolumes(news.volumeIds);
    const isOutside = olds.vxnetId !== news.vxnetId;
    if (isOutside || (news.privateIp !== undefined && news.privateIp !== outputs.privateIp)) {
      await changes.changeAddress(news.vxnetId, news.privateIp);
    }
    const present = { ...outputs, gpus: gpusOf({ ...outputs, gpus: olds.gpus }) };
    const isOther = isOtherSize(news, outputs) || gpusOf(news) !== present.gpus;
    const disk = news.osDiskGiB === olds.osDiskGiB ? undefined : news.osDiskGiB;
    // An interrupted resize is done again as a whole: what of it was done is not known.
    const isStopped = outputs.isStoppedForResize === true;
    if (isStopped) await changes.resize(present, news, news.osDiskGiB, true);
    else if (isOther || disk !== undefined) await changes.resize(present, isOther ? news : {}, disk, false);
    const [after] = await describeInstances(context, zone, { instances: [id] });
    const isUp = after?.status === "running" || after?.status === "suspended";
    const found = isUp ? after : await untilRunning(context, zone, id);
    const { unread } = outputs;
    return { ...outputsOf(found, news.vxnetId), ...(unread === undefined ? {} : { unread }) };
  },

  delete: (context, id, { inputs: { zone } }) => removeInstance(context, zone, id),
});

async function search(context: Context, zone: string, word: string): Promise<Named[]> {
  // The API lists terminated instances only where their status is asked for.
  const found = await listInstances(context, zone, { ...searchFor(word), status: [...listed] });
  return found
    .filter((each) => !isInRecycleBin(each) || each.transition_status === "")
    .map((each) => ({
      id: each.instance_id,
      name: each.instance_name,
      ...(isInRecycleBin(each) && { isInBin: true }),
    }));
}

async function run(context: Context, name: string, given: Inputs): Promise<string | undefined> {
  const { zone } = given;
  const wanted = { instance: 1, ...quotaOf(given) };
  const limit = {
    name: "max_volume_per_inst",
    of: `instance "${name}"`,
    count: async () => given.volumeIds?.length ?? 0,
  } as const;
  const { instances, job_id } = await takingAddress(context, given, () =>
    withCapacity(context, zone, given, () =>
      withQuota(
        context,
        zone,
        wanted,
        (options) => context.session.call(RunInstances, zone, toRequest(name, given), options),
        limit,
      ),
    ),
  );
  const [id] = instances;
  if (id !== undefined) {
    context.made(id);
    await untilJob(context, zone, job_id);
  }
  return id;
}

function toRequest(name: string, given: Inputs): RequestOf<typeof RunInstances> {
  const { userData, volumeIds } = given;
  return {
    instance_name: name,
    image_id: given.imageId,
    ...shapeRequest(given),
    gpu_class: given.gpuClass,
    os_disk_size: given.osDiskGiB,
    hostname: given.hostname,
    vxnets: [placeIn(given.vxnetId, given.privateIp)],
    ...(volumeIds === undefined || volumeIds.length === 0 ? {} : { volumes: volumeIds }),
    login_mode: "keypair",
    login_keypair: given.keypairId,
    ...(userData === undefined
      ? {}
      : {
          need_userdata: 1,
          userdata_type: "exec",
          userdata_value: Buffer.from(userData).toString("base64"),
        }),
  };
}

type Found = Awaited<ReturnType<typeof describeInstances>>[number];

/** Of its networks the one that is known, else the first: it may be in the base network too. */
function networkOf({ vxnets }: Found, known: string | undefined) {
  return vxnets.find(({ vxnet_id }) => vxnet_id === known) ?? vxnets[0];
}

/** The shape as the cloud has it. GPUs are not among what the API tells. */
function actual(found: Found) {
  return {
    ...(found.instance_type ? { instanceType: found.instance_type } : {}),
    cpu: found.vcpus_current,
    memoryGiB: found.memory_current / 1024,
  };
}

function outputsOf(found: Found, vxnet: string | undefined) {
  const privateIp = networkOf(found, vxnet)?.private_ip ?? "";
  return { name: found.instance_name, ...actual(found), privateIp };
}

function asInputs(found: Found, zone: string, known: Inputs | undefined): Inputs {
  const { instanceType, ...bySize } = actual(found);
  const isByType = known === undefined ? instanceType !== undefined : known.instanceType !== undefined;
  const { instanceType: _type, cpu: _cpu, memoryGiB: _memory, privateIp, ...rest } = known ?? {};
  const isFixed = known === undefined || privateIp !== undefined;
  const network = networkOf(found, known?.vxnetId);
  const volumes = inOrder(found.volume_ids ?? [], known?.volumeIds ?? []);
  const hasVolumes = known === undefined ? volumes.length > 0 : known.volumeIds !== undefined;
  const disk = found.extra?.os_disk_size ?? known?.osDiskGiB;
  const hasDisk = disk !== undefined && (known === undefined || known.osDiskGiB !== undefined);
  return {
    ...rest,
    ...namedAsRead(known, zone, found.instance_name),
    imageId: found.image.image_id,
    ...(isByType && instanceType !== undefined ? { instanceType } : bySize),
    ...(hasDisk ? { osDiskGiB: disk } : {}),
    vxnetId: network?.vxnet_id ?? "",
    ...(isFixed && network?.private_ip ? { privateIp: network.private_ip } : {}),
    keypairId: keyPairOf(found, known?.keypairId),
    ...(hasVolumes ? { volumeIds: volumes } : {}),
  };
}

/** Of several the program's, so that a refresh without drift shows none; empty where it lets nobody in. */
function keyPairOf({ keypair_ids: ids }: Found, known: string | undefined): string {
  if (known !== undefined && (ids === undefined || ids.includes(known))) return known;
  return ids?.[0] ?? "";
}

/** As the program wrote them, so that a refresh without drift shows none. */
function inOrder(found: readonly string[], known: readonly string[]): string[] {
  return [...known.filter((id) => found.includes(id)), ...found.filter((id) => !known.includes(id))];
}

/** Whether a size is asked for that the cloud does not have, whichever way it was asked for before. */
function isOtherSize(news: Shape, actually: Shape): boolean {
  return byType.some((name) => news[name] !== undefined && news[name] !== actually[name]);
}

/** As asked for, else those of the type; 0 where neither tells. */
function gpusOf({ instanceType, gpus }: Shape): number {
  return gpus ?? gpuShapes.find((shape) => shape.instanceType === instanceType && instanceType)?.gpus ?? 0;
}
