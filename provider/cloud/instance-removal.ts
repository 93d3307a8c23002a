/** How instances go for good, and what lies in the recycle bin: it holds its addresses and its place in a vxnet. */
import { CeaseInstances, TerminateInstances } from "../../qingcloud/actions.ts";
import { sentence } from "../../qingcloud/client.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";
import { deleteWhenFree } from "./deleting.ts";
import { type FoundInstance, listInstances } from "./instance-changes.ts";
import { adviceAbout, marked } from "./left-behind.ts";
import { digitsOf } from "./naming.ts";
import { until, untilJob } from "./waiting.ts";

export function isInRecycleBin({ status }: FoundInstance): boolean {
  return status === "terminated";
}

/** Ends when the instance is ceased: also one that somebody has terminated before. */
export async function removeInstance(context: Context, zone: string, id: string): Promise<void> {
  const [present] = await listInstances(context, zone, { instances: [id] });
  if (present === undefined) return;
  const isTerminated = isInRecycleBin(present);
  await deleteWhenFree(context, {
    kind: "instance",
    zone,
    id,
    // In the recycle bin it no longer has a lease.
    isLeased: !isTerminated,
    async look() {
      const [found] = await listInstances(context, zone, { instances: [id] });
      if (found === undefined || found.status === "ceased") return undefined;
      return { isBusy: found.status === "pending" || found.transition_status !== "" };
    },
    remove: () => cease(context, zone, id, isTerminated),
  });
  // Until then it holds its address, its key pair and its place in the vxnet.
  await until(context, `instance ${id} to be ceased`, async () => {
    const [found] = await listInstances(context, zone, { instances: [id] });
    return found === undefined || found.status === "ceased" ? true : undefined;
  });
}

/** Skips the recycle bin; what lies in it already is taken out for good. */
async function cease(context: Context, zone: string, id: string, isTerminated: boolean): Promise<void> {
  const { session } = context;
  const { job_id } = isTerminated
    ? await session.call(CeaseInstances, zone, { instances: [id] }, context)
    : await session.call(TerminateInstances, zone, { instances: [id], direct_cease: 1 }, context);
  await untilJob(context, zone, job_id);
}

/** Takes out of the recycle bin for good what the caller knows to be the stack's. */
export async function emptyRecycleBin(
  context: Context,
  zone: string,
  instances: readonly FoundInstance[],
): Promise<void> {
  // Somebody may be bringing one back.
  const idle = instances.filter(({ transition_status }) => transition_status === "");
  for (const { instance_id: id, instance_name: name } of idle) {
    context.warn(
      `Instance ${id} (${name}) was terminated outside Pulumi and lies in the recycle bin, where it holds its place in the network: it is ceased now.`,
    );
    await removeInstance(context, zone, id);
  }
}

/** Instances in the recycle bin that still have their place in the vxnet. */
export async function recycledIn(context: Context, zone: string, vxnet: string): Promise<FoundInstance[]> {
  const found = await listInstances(context, zone, { status: ["terminated"] });
  return found.filter((each) => isInRecycleBin(each) && placesIn(each, vxnet).length > 0);
}

function placesIn({ vxnets }: FoundInstance, vxnet: string) {
  return vxnets.filter(({ vxnet_id }) => vxnet_id === vxnet);
}

/**
 * Does what takes an address of a vxnet.
 * @throws Error that names what holds the address, where that lies in the recycle bin and so is easily overlooked
 */
export async function takingAddress<Answer>(
  context: Context,
  place: {
    readonly zone: string;
    readonly vxnetId: string;
    readonly privateIp?: string | undefined;
    readonly mark?: string | undefined;
  },
  take: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await take();
  } catch (error) {
    const { zone, vxnetId, privateIp, mark } = place;
    if (privateIp === undefined || !hasRetCode(error, retCodes.alreadyExists)) throw error;
    const holds = (each: FoundInstance) =>
      placesIn(each, vxnetId).some(({ private_ip }) => private_ip === privateIp);
    const holder = (await recycledIn(context, zone, vxnetId)).find(holds);
    if (holder === undefined) {
      const living =
        mark === undefined ? [] : await listInstances(context, zone, { search_word: digitsOf(mark) });
      const named = living.filter(holds).map(({ instance_id: id, instance_name: name }) => ({ id, name }));
      const advice = adviceAbout(context, marked(mark, named));
      throw advice === "" ? error : new Error(`${sentence(error.message)}${advice}`, { cause: error });
    }
    const { instance_id: id, instance_name: name } = holder;
    throw new Error(
      `${sentence(error.message)} Instance ${id} (${name}) was terminated and lies in the recycle bin of zone ${zone}: it holds ${privateIp} until it is ceased. It has another name than the instance to be made, so it is left alone. Cease it (console: recycle bin; API: CeaseInstances), or give another privateIp; then run the same command again.${adviceAbout(context, marked(mark, [{ id, name }]))}`,
      { cause: error },
    );
  }
}
