/** One configured connection to QingCloud: what all resources of a process share. */
import type { Action, RequestOf, ResponseOf } from "../qingcloud/action.ts";
import { QingCloudClient } from "../qingcloud/client.ts";
import { JobPoller } from "../qingcloud/jobs.ts";
import { type ProfileOptions, readProfile } from "../qingcloud/profile.ts";
import { RouterUpdates } from "./router-updates.ts";

export class Session {
  readonly client: QingCloudClient;
  readonly #pollers = new Map<string, JobPoller>();
  readonly #updates = new Map<string, RouterUpdates>();

  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(options: ProfileOptions) {
    this.client = new QingCloudClient(readProfile(options));
  }

  call<A extends Action>(
    action: A,
    zone: string,
    request: RequestOf<A>,
    options: { signal?: AbortSignal; deadline?: number } = {},
  ): Promise<ResponseOf<A>> {
    return this.client.call(action, zone, request, options);
  }

  /** Callers that ask the same while it is under way share one answer; nothing is kept after it. */
  shared<Answer>(key: string, ask: () => Promise<Answer>): Promise<Answer> {
    return entry(this.#underWay, key, () => {
      const asked = ask();
      const forget = () => this.#underWay.delete(key);
      asked.then(forget, forget);
      return asked;
    }) as Promise<Answer>;
  }

  jobs(zone: string): JobPoller {
    return entry(this.#pollers, zone, () => new JobPoller(this.client, zone));
  }

  /** Shared by all resources of a router, so that their changes are applied together. */
  routerUpdates(zone: string, routerId: string): RouterUpdates {
    return entry(this.#updates, `${zone}/${routerId}`, () => new RouterUpdates(this, zone, routerId));
  }
}

function entry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
