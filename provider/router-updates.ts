/** UpdateRouters for one router: changes made at the same time are applied by one call. */
import { DescribeRouters, UpdateRouters } from "../qingcloud/actions.ts";
import { abortableDelay } from "../qingcloud/client.ts";
import { hasRetCode, retCodes } from "../qingcloud/errors.ts";
import type { Session } from "./session.ts";

const retryPauseMs = 300;
const refusalsOfIdle = 3;

export class RouterUpdates {
  readonly #session: Session;
  readonly #zone: string;
  readonly #routerId: string;
  #running: Promise<void> | undefined;
  #next: { promise: Promise<void>; deadline: number } | undefined;

  constructor(session: Session, zone: string, routerId: string) {
    this.#session = session;
    this.#zone = zone;
    this.#routerId = routerId;
  }

  /**
   * Resolves when an UpdateRouters that started after this call has succeeded. One is in flight at a time; whoever comes
   * meanwhile joins the next.
   * @param deadline milliseconds since the epoch
   */
  apply(deadline: number): Promise<void> {
    if (this.#next !== undefined) {
      this.#next.deadline = Math.max(this.#next.deadline, deadline);
      return this.#next.promise;
    }
    const next = { promise: Promise.resolve(), deadline };
    next.promise = (this.#running ?? Promise.resolve())
      .catch(() => {})
      // One turn of the event loop lets resources that finish together share the call.
      .then(() => new Promise<void>((resolve) => setImmediate(resolve)))
      .then(() => {
        this.#next = undefined;
        const run = this.#run(next.deadline);
        this.#running = run;
        return run;
      });
    this.#next = next;
    return next.promise;
  }

  /**
   * A router in a transition refuses with 1400: it is asked again when it is idle. It may become idle just after the
   * refusal, so only refusals in a row by an idle router are final.
   */
  async #run(deadline: number): Promise<void> {
    for (let refusedWhileIdle = 0; ; ) {
      try {
        const request = { routers: [this.#routerId] };
        const { job_id } = await this.#session.call(UpdateRouters, this.#zone, request, { deadline });
        return await this.#session.jobs(this.#zone).wait(job_id, { deadline });
      } catch (error) {
        if (!hasRetCode(error, retCodes.permissionDenied) || Date.now() > deadline) throw error;
        refusedWhileIdle = (await this.#isInTransition()) ? 0 : refusedWhileIdle + 1;
        if (refusedWhileIdle === refusalsOfIdle) throw error;
        if (refusedWhileIdle === 0) await abortableDelay(retryPauseMs);
      }
    }
  }

  async #isInTransition(): Promise<boolean> {
    const { router_set: found } = await this.#session.call(DescribeRouters, this.#zone, {
      routers: [this.#routerId],
    });
    return found.some((router) => router.transition_status !== "" || router.status === "pending");
  }
}
