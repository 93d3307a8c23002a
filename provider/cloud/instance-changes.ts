/** What can be changed of an instance in place. */
import type { ResponseOf } from "../../qingcloud/action.ts";
import {
  AttachKeyPairs,
  AttachVolumes,
  DescribeInstances,
  DescribeJobs,
  DetachKeyPairs,
  DetachVolumes,
  JoinVxnet,
  LeaveVxnet,
  ResizeInstances,
  StartInstances,
  StopInstances,
} from "../../qingcloud/actions.ts";
import type { Context } from "../resource.ts";
import type { Session } from "../session.ts";
import { type Limit, withQuota } from "./creating.ts";
import { quotaOf, type Shape, shapeRequest, withCapacity } from "./instance-shape.ts";
import { isThere, listAll } from "./listing.ts";
import { persist, type Seen, until, untilJob } from "./waiting.ts";

export type FoundInstance = ResponseOf<typeof DescribeInstances>["instance_set"][number];

/** Instances that are listed, those in the recycle bin and those that are gone too. */
export async function listInstances(
  context: Context,
  zone: string,
  filter: { instances?: string[]; search_word?: string; status?: FoundInstance["status"][] },
): Promise<FoundInstance[]> {
  return await listAll(context, DescribeInstances, zone, { ...filter, verbose: 1 }, "instance_set");
}

/** Instances that exist. */
export async function describeInstances(
  context: Context,
  zone: string,
  filter: { instances?: string[]; search_word?: string },
): Promise<FoundInstance[]> {
  const found = await listInstances(context, zone, filter);
  return found.filter(isThere);
}

/** How RunInstances and JoinVxnet name a place: `vxnet-id`, or `vxnet-id|address`. */
export function placeIn(vxnet: string, address: string | undefined): string {
  return address === undefined ? vxnet : `${vxnet}|${address}`;
}

/** How many volumes the instance may have, where so many more are asked for. */
export function volumeLimit(context: Context, zone: string, id: string, more: number): Limit {
  return {
    name: "max_volume_per_inst",
    of: `instance ${id}`,
    async count() {
      const [found] = await describeInstances(context, zone, { instances: [id] });
      return (found?.volume_ids?.length ?? 0) + more;
    },
  };
}

/** One instance that is being changed. */
export class InstanceChanges {
  readonly #context: Context;
  readonly #zone: string;
  readonly #id: string;

  constructor(context: Context, zone: string, id: string) {
    this.#context = context;
    this.#zone = zone;
    this.#id = id;
  }

  /**
   * Changes shape or disk: the API does that to a stopped instance only, so a running one is stopped and started.
   * @param from the shape that it has
   * @param to empty where only the disk changes
   * @param disk GiB; undefined where only the shape changes
   * @param wasRunning an interrupted resize stopped it, so that it is to be started
   */
  async resize(from: Shape, to: Shape, disk: number | undefined, wasRunning: boolean): Promise<void> {
    const before = await this.#look();
    const isRunning = before?.status === "running";
    if (isRunning) {
      // Kept in state should this be interrupted.
      this.#context.note({ isStoppedForResize: true });
      await this.#do(
        (session) => session.call(StopInstances, this.#zone, { instances: [this.#id] }, this.#context),
        ({ status }) => status === "stopped",
      );
      await this.#untilStatus("stopped");
    }
    try {
      await this.#resize(from, to, disk, before);
    } finally {
      // Also where the zone cannot give the new shape: the old one goes on.
      if (isRunning || wasRunning) {
        await this.start();
        this.#context.note({ isStoppedForResize: false });
      }
    }
  }

  async start(): Promise<void> {
    await this.#do(
      (session) => session.call(StartInstances, this.#zone, { instances: [this.#id] }, this.#context),
      ({ status }) => status === "running",
    );
    await this.#untilStatus("running");
  }

  async #resize(
    from: Shape,
    to: Shape,
    disk: number | undefined,
    before: FoundInstance | undefined,
  ): Promise<void> {
    // A size that names no GPUs leaves those that there are.
    const isWithoutGpus = to.cpu !== undefined && to.gpus === undefined && (from.gpus ?? 0) > 0;
    const shape = shapeRequest(isWithoutGpus ? { ...to, gpus: 0 } : to);
    const request = { instances: [this.#id], ...shape, os_disk_size: disk };
    const { cpu, memory } = quotaOf(to);
    const wanted = {
      cpu: cpu === undefined ? undefined : cpu - (from.cpu ?? 0),
      memory: memory === undefined ? undefined : memory - (from.memoryGiB ?? 0) * 1024,
    };
    const isAsWanted = (found: FoundInstance) =>
      (shape.instance_type ?? found.instance_type) === found.instance_type &&
      (shape.cpu ?? found.vcpus_current) === found.vcpus_current &&
      (shape.memory ?? found.memory_current) === found.memory_current &&
      (disk ?? found.extra?.os_disk_size) === found.extra?.os_disk_size;
    // Where only GPUs change, the API does not tell whether they have.
    const isVisible = before !== undefined && !isAsWanted(before);
    await this.#do(
      (session) =>
        withCapacity(this.#context, this.#zone, to, () =>
          withQuota(this.#context, this.#zone, wanted, (options) =>
            session.call(ResizeInstances, this.#zone, request, options),
          ),
        ),
      (found) => isVisible && isAsWanted(found),
    );
  }

  /** The new key is let in before the old one is shut out. */
  async changeKeyPair(from: string | undefined, to: string): Promise<void> {
    const instances = [this.#id];
    await this.#do(
      (session) => session.call(AttachKeyPairs, this.#zone, { keypairs: [to], instances }, this.#context),
      ({ keypair_ids: ids }) => ids?.includes(to) === true,
    );
    if (from === undefined || from === to) return;
    await this.#do(
      (session) => session.call(DetachKeyPairs, this.#zone, { keypairs: [from], instances }, this.#context),
      ({ keypair_ids: ids }) => ids?.includes(from) !== true,
    );
  }

  /** Leaves the vxnet, if it is in it, and joins it with the address; it has none meanwhile. */
  async changeAddress(vxnet: string, address: string | undefined): Promise<void> {
    const instances = [this.#id];
    const isIn = ({ vxnets }: FoundInstance) => vxnets.some(({ vxnet_id }) => vxnet_id === vxnet);
    const before = await this.#look();
    if (before !== undefined && isIn(before))
      await this.#do(
        (session) => session.call(LeaveVxnet, this.#zone, { vxnet, instances }, this.#context),
        (found) => !isIn(found),
      );
    const place = placeIn(vxnet, address);
    await this.#do(
      (session) => session.call(JoinVxnet, this.#zone, { vxnet: place, instances }, this.#context),
      isIn,
    );
  }

  async changeVolumes(to: readonly string[]): Promise<void> {
    const from = (await this.#look())?.volume_ids ?? [];
    const surplus = from.filter((id) => !to.includes(id));
    const missing = to.filter((id) => !from.includes(id));
    const has = ({ volume_ids: ids }: FoundInstance, id: string) => ids?.includes(id) === true;
    if (surplus.length > 0) {
      const request = { instance: this.#id, volumes: surplus };
      await this.#do(
        (session) => session.call(DetachVolumes, this.#zone, request, this.#context),
        (found) => !surplus.some((id) => has(found, id)),
      );
    }
    if (missing.length > 0) {
      const request = { instance: this.#id, volumes: missing };
      await this.#do(
        (session) =>
          withQuota(
            this.#context,
            this.#zone,
            {},
            (options) => session.call(AttachVolumes, this.#zone, request, options),
            volumeLimit(this.#context, this.#zone, this.#id, missing.length),
          ),
        (found) => missing.every((id) => has(found, id)),
      );
    }
  }

  /** Waits while the instance is at work; what a repeated call has done already is done. */
  async #do(
    call: (session: Session) => Promise<{ job_id: string }>,
    isDone: (found: FoundInstance) => boolean,
  ): Promise<void> {
    await persist(
      this.#context,
      async () => await untilJob(this.#context, this.#zone, (await call(this.#context.session)).job_id),
      async (): Promise<Seen> => {
        const found = await this.#look();
        if (found === undefined) return "idle";
        if (found.transition_status !== "") return "busy";
        if (isDone(found)) return "done";
        return (await this.#isInJob()) ? "busy" : "idle";
      },
    );
  }

  /** Not every job shows in the instance's transition status: while it is given another size there is none. */
  async #isInJob(): Promise<boolean> {
    const { job_set } = await this.#context.session.call(
      DescribeJobs,
      this.#zone,
      { status: ["pending", "working"], limit: 100 },
      this.#context,
    );
    return job_set.some(({ resource_ids }) => resource_ids.split(" ").includes(this.#id));
  }

  async #untilStatus(status: FoundInstance["status"]): Promise<void> {
    await until(this.#context, `instance ${this.#id} to be ${status}`, async () => {
      const found = await this.#look();
      return found?.status === status && found.transition_status === "" ? true : undefined;
    });
  }

  async #look(): Promise<FoundInstance | undefined> {
    return (await describeInstances(this.#context, this.#zone, { instances: [this.#id] }))[0];
  }
}
