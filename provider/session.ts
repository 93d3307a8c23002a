/** One configured connection to QingCloud: what all resources of a process share. */
import type { Action, RequestOf, ResponseOf } from "../qingcloud/action.ts";
import { DescribeZones } from "../qingcloud/actions.ts";
import { type CallOptions, QingCloudClient } from "../qingcloud/client.ts";
import { hasRetCode, retCodes } from "../qingcloud/errors.ts";
import { JobPoller } from "../qingcloud/jobs.ts";
import { type ProfileOptions, readProfile } from "../qingcloud/profile.ts";
import { idsOf, ruleListType } from "./cloud/known-ids.ts";
import { RouterUpdates } from "./cloud/router-updates.ts";
import { Coalesced } from "./coalesced.ts";
import type { Properties } from "./rpc/values.ts";
import { typeOf } from "./urn.ts";

export class Session {
  readonly client: QingCloudClient;
  /** Where a resource goes that names no zone. */
  readonly zone: string | undefined;
  /** Marks that were made in this process: nothing can exist yet under a name that holds one. */
  readonly freshMarks = new Set<string>();
  /** Security groups whose rules a SecurityGroup of this run manages. */
  readonly managedRules = new Set<string>();
  /** Whether this run has compared, made or changed anything: `destroy` does not. */
  hasBuilt = false;
  /** Ids of the stack's resources that this run has met. */
  readonly #met = new Set<string>();
  /** Who wants what as it is, by type and id: a deletion in the same run leaves it, whatever URN that is for. */
  readonly #wanted = new Map<string, Set<string>>();
  /** By type and id, the URNs of all that the run has met. */
  readonly #urns = new Map<string, Set<string>>();
  readonly #pollers = new Map<string, JobPoller>();
  readonly #updates = new Map<string, RouterUpdates>();

  readonly #coalesced = new Map<string, Coalesced>();
  readonly #underWay = new Map<string, Promise<unknown>>();

  #zones: Promise<ReadonlyMap<string, string>> | undefined;

  constructor(options: ProfileOptions) {
    this.client = new QingCloudClient(readProfile(options));
    this.zone = this.client.profile.zone;
  }

  /**
   * Calls an action in a zone of the account.
   * @throws Error before the first call in a zone that the account does not have
   */
  async call<A extends Action>(
    action: A,
    zone: string,
    request: RequestOf<A>,
    options: CallOptions & { changing?(): void } = {},
  ): Promise<ResponseOf<A>> {
    const zones = await this.zones(options);
    if (!zones.has(zone)) {
      throw new Error(
        `Zone "${zone}" is none of this account (${this.client.profile.source}); it has ${[...zones.keys()].join(", ")}. Correct the resource's zone, or qingcloud:zone.`,
      );
    }
    if (!action.isRead) options.changing?.();
    try {
      return await this.client.call(action, zone, request, options);
    } catch (error) {
      const nothing = hasRetCode(error, retCodes.notFound) ? emptyAnswer(action) : undefined;
      if (nothing === undefined) throw error;
      return nothing;
    }
  }

  /**
   * The account's zones and their status, asked once: a wrong key, an endpoint that does not answer and a clock that is
   * off are told here, whatever was to be done first.
   */
  zones(options: CallOptions = {}): Promise<ReadonlyMap<string, string>> {
    this.#zones ??= this.client
      .call(DescribeZones, undefined, {}, options)
      .then(({ zone_set: found }) => new Map(found.map(({ zone_id, status }) => [zone_id, status])))
      .catch((error: unknown) => {
        this.#zones = undefined;
        throw error;
      });
    return this.#zones;
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

  /** Work that serves all who ask for it by this key before it begins. @param deadline milliseconds since the epoch */
  coalesced(key: string, deadline: number, work: (deadline: number) => Promise<void>): Promise<void> {
    return entry(this.#coalesced, key, () => new Coalesced(work)).run(deadline);
  }

  /**
   * Says of a resource of the stack that it lives, and whether the run wants it as it is.
   * @param state what it has; it is met under all ids that this has
   */
  meet(urn: string, id: string, isWanted: boolean, state: { inputs: Properties; outputs: Properties }): void {
    for (const each of idsOf({ type: typeOf(urn), id, ...state })) this.#met.add(each);
    const key = `${typeOf(urn)} ${id}`;
    entry(this.#urns, key, () => new Set<string>()).add(urn);
    const urns = entry(this.#wanted, key, () => new Set<string>());
    if (isWanted) urns.add(urn);
    else urns.delete(urn);
  }

  hasMet(id: string): boolean {
    return this.#met.has(id);
  }

  /** @returns the URN of another resource of the stack that has the id; undefined where the run knows none */
  metAs(urn: string, id: string): string | undefined {
    // A list of rules keeps its id under another name.
    if (typeOf(urn) === ruleListType) return undefined;
    return this.#urns
      .get(`${typeOf(urn)} ${id}`)
      ?.values()
      .find((each) => each !== urn);
  }

  /** @returns the URN of who wants it; its own, if that does */
  wantedBy(urn: string, id: string): string | undefined {
    const urns = this.#wanted.get(`${typeOf(urn)} ${id}`);
    return urns?.has(urn) === true ? urn : urns?.values().next().value;
  }

  jobs(zone: string): JobPoller {
    return entry(this.#pollers, zone, () => new JobPoller(this.client, zone));
  }

  /** Shared by all resources of a router, so that their changes are applied together. */
  routerUpdates(zone: string, routerId: string): RouterUpdates {
    return entry(this.#updates, `${zone}/${routerId}`, () => new RouterUpdates(this, zone, routerId));
  }
}

/** Some Describe actions answer unknown ids with an error, others with an empty set: here it is always the set. */
function emptyAnswer<A extends Action>(action: A): ResponseOf<A> | undefined {
  const set = action.isRead && Object.keys(action.response.shape).find((name) => name.endsWith("_set"));
  return set ? (action.response.parse({ [set]: [], total_count: 0 }) as ResponseOf<A>) : undefined;
}

function entry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
