/**
 * Ends jobs when their time has come. The effect of all due jobs is rehearsed, the data plane made so, and only then is
 * the effect saved: a process killed in between does them again after its restart.
 */
import { retCodes } from "../../../qingcloud/errors.ts";
import type { DataPlane } from "../../network/data-plane.ts";
import type { Picture } from "../../network/picture.ts";
import type { Job, JobError, JobWork } from "../../store/resources.ts";
import type { Store } from "../../store/store.ts";
import { type Effect, newId, type ZoneState } from "../context.ts";
import { effects } from "../effects.ts";
import { ApiError } from "../errors.ts";
import { endFaults, leftOfFaults, serverTime } from "../faults/states.ts";
import { cease } from "../instances/effects.ts";
import { pictureOf } from "../picture.ts";
import { isSame } from "../same.ts";
import { seed } from "../zones/seed.ts";
import { Due } from "./due.ts";
import type { Durations } from "./jobs.ts";

/** Jobs and what is gone are forgotten after this. */
const recordLifetime = 24 * 3_600_000;
/** A released EIP is ceased after this. Ours: no time is documented. */
const releasedTime = 60_000;
/** A terminated instance can be brought back for two hours. */
const recycleBinTime = 2 * 3_600_000;

/** How a job has to end, if a fault says so. */
export type JobFate = Pick<Job, "mustFail" | "heldBy">;

export class JobRunner {
  private readonly store: Store;
  private readonly dataPlane: DataPlane;
  private readonly durations: Durations;
  private readonly log: (line: string) => void;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private isStopped = false;
  private readonly due = new Due();
  /** What the data plane last became; undefined while that is not known. */
  private shown: Picture | undefined;

  constructor(store: Store, dataPlane: DataPlane, durations: Durations, log: (line: string) => void) {
    this.store = store;
    this.dataPlane = dataPlane;
    this.durations = durations;
    this.log = log;
  }

  /** Registers a job inside the transaction of the request that starts it. */
  start(zone: string, work: JobWork, resourceIds: readonly string[], fate: JobFate = {}): string {
    const now = serverTime(this.store);
    const id = newId("j");
    // Jobs take their time whatever the server's clock says.
    const dueTime = Date.now() + this.durations.of(work.action) * 1000;
    const times = { createTime: now, statusTime: now, dueTime };
    this.store.put({ kind: "job", id, zone, ...times, status: "pending", resourceIds, work, ...fate });
    return id;
  }

  /** Looks for due jobs and for a picture that the data plane does not show yet; call it after every change. */
  wake(): void {
    if (this.isStopped || this.running !== undefined) return;
    clearTimeout(this.timer);
    this.running = new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.runAll())
      .catch((error: unknown) => this.log(`jobs: ${describe(error)}`))
      .finally(() => {
        this.running = undefined;
        this.sleep();
      });
  }

  /** Returns when the data plane shows the state as it is now. @throws Error when it can not */
  async untilShown(): Promise<void> {
    this.wake();
    while (this.running !== undefined) await this.running;
    if (!this.isShown()) throw new Error("the data plane could not be made so, its log says why");
  }

  /** Lets the data plane look whether everything still stands, and make anew what does not. */
  inspect(): void {
    this.shown = undefined;
    this.wake();
  }

  /** Ends nothing more and waits for what is being done. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** Removes every resource and job, then makes the data plane empty. */
  async reset(): Promise<void> {
    while (this.running !== undefined) await this.running;
    const kept = this.keptByDataPlane();
    this.store.clear();
    seed(this.store);
    try {
      await this.show(pictureOf(this.store));
    } finally {
      await this.dataPlane.forget([...kept]);
    }
  }

  /** Lets the data plane forget what is gone: a process that was killed may have had no time to. */
  async forgetGone(): Promise<void> {
    const instances = this.store.list("instance").filter(({ status }) => status === "ceased");
    const volumes = this.store.list("volume").filter(({ status }) => status === "deleted");
    const gone = [...instances, ...volumes].map(({ id }) => id);
    if (gone.length > 0) await this.forget(gone);
  }

  /** Empties the recycle bin and drops records that nobody asks about any more. */
  prune(): void {
    const now = serverTime(this.store);
    const oldest = now - recordLifetime;
    const expired = this.store
      .list("instance")
      .filter((item) => item.status === "terminated" && item.statusTime < now - recycleBinTime);
    this.store.transaction(() => {
      for (const { zone, id } of expired) cease({ zone, store: this.store, now }, [id]);
      for (const eip of this.store.list("eip")) {
        const isOver = eip.status === "released" && eip.statusTime < now - releasedTime;
        if (isOver) this.store.put({ ...eip, status: "ceased", statusTime: now });
      }
      for (const kind of ["eip", "router", "instance", "volume", "job"] as const) {
        for (const record of this.store.list(kind)) {
          if (finalStatuses.has(record.status) && record.statusTime < oldest) this.store.remove(record);
        }
      }
    });
    if (expired.length > 0) void this.forget(expired.map(({ id }) => id));
  }

  private async runAll(): Promise<void> {
    while (!this.isStopped) {
      endFaults(this.store, this.due);
      this.markWorking();
      const due = this.unfinished().filter((job) => this.left(job) <= 0 && !this.isHeld(job));
      if (due.length > 0) await this.settle(due);
      else if (this.isShown()) return;
      else {
        await this.show(pictureOf(this.store)).catch((error: unknown) =>
          this.log(`data plane: ${describe(error)}`),
        );
        if (this.shown === undefined) return;
      }
    }
  }

  private isShown(): boolean {
    return this.shown !== undefined && isSame(this.shown, pictureOf(this.store));
  }

  private markWorking(): void {
    const fresh = this.unfinished().filter(
      (job) => job.status === "pending" && (this.left(job) > 0 || this.isHeld(job)),
    );
    if (fresh.length === 0) return;
    this.store.transaction(() => {
      for (const job of fresh)
        this.store.put({ ...job, status: "working", statusTime: serverTime(this.store) });
    });
  }

  /** Milliseconds until a job is due. */
  private left({ id, dueTime, work }: Job): number {
    return this.due.left(id, dueTime, this.durations.of(work.action) * 1000);
  }

  private async settle(due: readonly Job[]): Promise<void> {
    const jobs = due.filter(({ mustFail }) => mustFail === undefined);
    for (const job of due) if (job.mustFail !== undefined) await this.fail(job, job.mustFail, "a fault");
    if (jobs.length > 0) await this.completeAll(jobs);
    for (const { id } of due) this.due.forget(id);
  }

  private async completeAll(jobs: readonly Job[]): Promise<void> {
    try {
      const picture = this.store.rehearse(() => {
        for (const job of jobs) complete(job, this.stateOf(job));
        return pictureOf(this.store);
      });
      await this.show(picture);
      await this.commit(() => {
        for (const job of jobs) {
          complete(job, this.stateOf(job));
          this.store.put({ ...job, status: "successful", statusTime: serverTime(this.store) });
        }
      });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const failure = { code: error instanceof ApiError ? error.retCode : retCodes.internal, message };
      if (jobs.length > 1) for (const job of jobs) await this.completeAll([job]);
      else for (const job of jobs) await this.fail(job, failure, describe(error));
    }
  }

  private async fail(job: Job, failure: JobError, reason: string): Promise<void> {
    this.log(`job ${job.id} ${job.work.action} [${job.resourceIds.join(" ")}] failed: ${reason}`);
    await this.commit(() => {
      effectOf(job.work).fail(job.work, this.stateOf(job));
      this.store.put({ ...job, status: "failed", statusTime: serverTime(this.store), error: failure });
    });
  }

  /** Does `work` durably and lets the data plane forget what is gone by it. */
  private async commit(work: () => void): Promise<void> {
    const before = this.keptByDataPlane();
    this.store.transaction(work);
    const after = this.keptByDataPlane();
    const gone = [...before].filter((id) => !after.has(id));
    if (gone.length > 0) await this.forget(gone);
  }

  /** Whose disks and files the data plane has. */
  private keptByDataPlane(): Set<string> {
    const instances = this.store.list("instance").filter(({ status }) => status !== "ceased");
    const volumes = this.store.list("volume").filter(({ status }) => status !== "deleted");
    return new Set([...instances, ...volumes].map(({ id }) => id));
  }

  private async show(picture: Picture): Promise<void> {
    this.shown = undefined;
    await this.dataPlane.converge(picture);
    this.shown = picture;
  }

  private async forget(ids: readonly string[]): Promise<void> {
    await this.dataPlane
      .forget(ids)
      .catch((error: unknown) => this.log(`data plane: forget [${ids.join(" ")}]: ${describe(error)}`));
  }

  private unfinished(): Job[] {
    return this.store.list("job").filter(({ status }) => status === "pending" || status === "working");
  }

  /** By a fault that is still there. */
  private isHeld({ heldBy }: Job): boolean {
    return heldBy !== undefined && this.store.get("fault", "", heldBy) !== undefined;
  }

  private stateOf(job: Job): ZoneState {
    return { zone: job.zone, store: this.store, now: serverTime(this.store) };
  }

  private sleep(): void {
    if (this.isStopped) return;
    const ofJobs = this.unfinished().flatMap((job) => (this.isHeld(job) ? [] : [this.left(job)]));
    const next = Math.min(...ofJobs, ...leftOfFaults(this.store, this.due));
    if (Number.isFinite(next)) this.timer = setTimeout(() => this.wake(), Math.max(0, next));
  }
}

const finalStatuses: ReadonlySet<string> = new Set(["released", "deleted", "ceased", "failed", "successful"]);

function effectOf(work: JobWork): Effect {
  return effects[work.action] as Effect;
}

function complete(job: Job, state: ZoneState): void {
  effectOf(job.work).complete(job.work, state);
}

function describe(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
