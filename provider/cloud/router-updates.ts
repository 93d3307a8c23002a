/** UpdateRouters for one router: changes made at the same time are applied by one call. */
import { DescribeRouters, UpdateRouters } from "../../qingcloud/actions.ts";
import { Coalesced } from "../coalesced.ts";
import type { Session } from "../session.ts";
import { persist } from "./waiting.ts";

export class RouterUpdates {
  readonly #session: Session;
  readonly #zone: string;
  readonly #routerId: string;
  readonly #updates = new Coalesced((deadline) => this.#update(deadline));

  constructor(session: Session, zone: string, routerId: string) {
    this.#session = session;
    this.#zone = zone;
    this.#routerId = routerId;
  }

  /**
   * Resolves when an UpdateRouters that started after this call has succeeded.
   * @param deadline milliseconds since the epoch
   */
  apply(deadline: number): Promise<void> {
    return this.#updates.run(deadline);
  }

  /**
   * Applies where something waits to be applied: a run that was interrupted between its change and its UpdateRouters
   * leaves a router so.
   */
  async applyPending(deadline: number): Promise<void> {
    const found = await this.#look();
    if (found?.is_applied === 0) await this.apply(deadline);
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
        const found = await this.#look();
        const isBusy = found !== undefined && (found.transition_status !== "" || found.status === "pending");
        return isBusy ? "busy" : "idle";
      },
    );
  }

  /** Undefined where the router is gone. */
  async #look() {
    const { router_set: found } = await this.#session.call(DescribeRouters, this.#zone, {
      routers: [this.#routerId],
    });
    return found.find(({ status }) => status !== "deleted" && status !== "ceased");
  }
}
