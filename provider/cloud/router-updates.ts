/**
 * What one router is asked to do by this process, one thing at a time: it refuses (1400) joins, leaves and updates while
 * it is at work. Changes made at the same time are applied by one UpdateRouters; vxnets join before that, since instances wait
 * for them.
 */
import { DescribeRouters, UpdateRouters } from "../../qingcloud/actions.ts";
import type { CallOptions } from "../../qingcloud/client.ts";
import { abortableDelay } from "../../qingcloud/delay.ts";
import { Coalesced } from "../coalesced.ts";
import type { Context } from "../resource.ts";
import type { Session } from "../session.ts";
import { isThere } from "./listing.ts";
import { isPoweredOff, powerOnForUpdate } from "./router-power.ts";
import { persist, sharing } from "./waiting.ts";

/**
 * Resources that wait for the same router come within some milliseconds of each other, in any order. An update takes
 * seconds, so one that starts a little later and serves them all ends earlier than two.
 */
const gatherMs = 100;

export class RouterUpdates {
  readonly #session: Session;
  readonly #zone: string;
  readonly #routerId: string;
  readonly #updates = new Coalesced(
    (deadline) => this.#alone(() => this.#update(deadline)),
    () => this.#gather(),
  );
  /** Joins that are on their way: updates wait for them. */
  readonly #joins = new Set<Promise<void>>();
  #free: Promise<void> = Promise.resolve();

  constructor(session: Session, zone: string, routerId: string) {
    this.#session = session;
    this.#zone = zone;
    this.#routerId = routerId;
  }

  /** Resolves when an UpdateRouters that started after this call has succeeded. */
  apply(context: Context): Promise<void> {
    const updated = this.#updates.run(context.deadline);
    return sharing(context, `UpdateRouters of ${this.#routerId}`, updated);
  }

  /**
   * Applies where something waits to be applied: a run that was interrupted between its change and its UpdateRouters
   * leaves a router so.
   */
  async applyPending(context: Context): Promise<void> {
    if (!(await this.isApplied(context))) await this.apply(context);
  }

  /** Whether nothing waits for an UpdateRouters. Resources of a router are read at the same time: one look serves all. */
  isApplied(context: Context): Promise<boolean> {
    return this.#session.shared(`applied ${this.#zone}/${this.#routerId}`, async () => {
      const found = await this.#look(context);
      return found?.is_applied !== 0;
    });
  }

  /**
   * Holds updates back from now on until `work` has ended.
   * @param work is given a function that has the router to itself
   */
  async joining<Result>(
    work: (alone: (act: () => Promise<void>) => Promise<void>) => Promise<Result>,
  ): Promise<Result> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#joins.add(promise);
    try {
      return await work((act) => this.#alone(act));
    } finally {
      this.#joins.delete(promise);
      resolve();
    }
  }

  async #alone(act: () => Promise<void>): Promise<void> {
    const before = this.#free;
    const mine = before.then(act);
    this.#free = mine.catch(() => {});
    await mine;
  }

  async #gather(): Promise<void> {
    await abortableDelay(gatherMs);
    while (this.#joins.size > 0) await Promise.all(this.#joins);
  }

  #update(deadline: number): Promise<void> {
    const session = this.#session;
    return persist(
      { deadline },
      async () => {
        const request = { routers: [this.#routerId] };
        const { job_id } = await session.call(UpdateRouters, this.#zone, request, { deadline });
        await session.jobs(this.#zone).wait(job_id, { deadline });
      },
      async () => {
        const found = await this.#look({ deadline });
        if (found === undefined) return "idle";
        if (isPoweredOff(found)) {
          await powerOnForUpdate(session, this.#zone, found, { deadline });
          return "busy";
        }
        return found.transition_status !== "" || found.status === "pending" ? "busy" : "idle";
      },
    );
  }

  /** Undefined where the router is gone. */
  async #look(options: CallOptions) {
    const request = { routers: [this.#routerId] };
    const { router_set: found } = await this.#session.call(DescribeRouters, this.#zone, request, options);
    return found.find(isThere);
  }
}
