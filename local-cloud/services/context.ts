/** What a handler gets beside its request, and how handlers and effects of jobs are typed. */

import { randomInt } from "node:crypto";
import type { Action, ParsedRequestOf, ResponseOf } from "../../qingcloud/action.ts";
import type * as actions from "../../qingcloud/actions.ts";
import type { Measurements } from "../store/measurements.ts";
import type { JobAction, JobWork, Kind, ResourceOfKind } from "../store/resources.ts";
import type { Store } from "../store/store.ts";
import type { Quotas } from "./account/limits.ts";
import { denied, notFound } from "./errors.ts";

/** What every part of a service sees of one zone. */
export interface ZoneState {
  readonly zone: string;
  readonly store: Store;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Context extends ZoneState {
  /** How long after its creation a resource gets its lease. */
  readonly leaseDelay: number;
  readonly measurements: Measurements;
  readonly quotas: Quotas;
  /** Starts an asynchronous job and answers its id. */
  startJob(work: JobWork, resourceIds: readonly string[]): string;
}

export type Handler<A extends Action> = (request: ParsedRequestOf<A>, context: Context) => ResponseOf<A>;

type Described = typeof actions;
export type ActionName = {
  [Name in keyof Described]: Described[Name] extends Action ? Name : never;
}[keyof Described];
/** One handler for every action that the API describes. */
export type Handlers = { readonly [Name in ActionName]: Handler<Described[Name]> };

/** What a job does to the state when its work is done, or when the data plane could not do it. */
export interface Effect<Work = JobWork> {
  complete(work: Work, state: ZoneState): void;
  fail(work: Work, state: ZoneState): void;
}
export type Effects<Name extends JobAction = JobAction> = { readonly [A in Name]: Effect<WorkOf<A>> };
/** The member of the union that carries this action, alone or with others. */
type WorkOf<A extends JobAction, Work = JobWork> = Work extends { readonly action: infer Names }
  ? A extends Names
    ? Work
    : never
  : never;

const names = {
  eip: "eip",
  security_group: "security group",
  keypair: "key pair",
  vxnet: "vxnet",
  router: "router",
  router_static: "router static",
  instance: "instance",
  userdata_attachment: "user data attachment",
  volume: "volume",
  tag: "tag",
  job: "job",
  fault: "fault",
  link: "link",
} as const satisfies Record<Kind, string>;

/** How messages call a kind of resource. */
export function nameOf(kind: Kind): string {
  return names[kind];
}

const goneStatuses: ReadonlySet<string> = new Set(["released", "deleted", "terminated", "ceased"]);

/** Whether the resource only remains as a record of itself. */
export function isGone(resource: ResourceOfKind[Kind]): boolean {
  return "status" in resource && resource.kind !== "job" && goneStatuses.has(resource.status);
}

/** The resource, or the error that it does not exist. */
export function need<K extends Kind>(state: ZoneState, kind: K, id: string): ResourceOfKind[K] {
  const found = state.store.get(kind, state.zone, id);
  if (found === undefined || isGone(found)) throw notFound(names[kind], id);
  return found;
}

/** What jobs that have not ended will do. */
export function unfinishedWork(state: ZoneState): JobWork[] {
  return state.store
    .list("job", state.zone)
    .filter(({ status }) => status === "pending" || status === "working")
    .map(({ work }) => work);
}

/** A resource with a state that jobs change, and with a lease. */
type Leased = ResourceOfKind["eip" | "router" | "instance" | "volume"];

/** Refuses while a job is at work on the resource. */
export function needIdle(resource: Leased, doing: string): void {
  if (resource.transition !== "" || resource.status === "pending") {
    const state = resource.transition === "" ? resource.status : resource.transition;
    throw denied(`${names[resource.kind]} [${resource.id}] is ${state}, can not be ${doing}`);
  }
}

/**
 * Starts a job at work on resources, which are in a transition until it ends where one is given.
 * @param others ids that the job names beside them
 */
export function startOn(
  context: Context,
  work: JobWork,
  resources: readonly Leased[],
  {
    transition = "",
    others = [],
  }: { readonly transition?: string; readonly others?: readonly string[] } = {},
): { job_id: string } {
  if (transition !== "") for (const resource of resources) context.store.put({ ...resource, transition });
  return { job_id: context.startJob(work, [...resources.map(({ id }) => id), ...others]) };
}

/** A resource of a time to come was made before the server's clock was set back: it has its lease. */
export function isLeasePending({ createTime }: Leased, { now, leaseDelay }: Context): boolean {
  return createTime <= now && now < createTime + leaseDelay;
}

/** Refuses to delete a resource that has no lease yet. */
export function needLease(resource: Leased, context: Context, doing: string): void {
  if (isLeasePending(resource, context)) {
    throw denied(
      `the lease info of ${names[resource.kind]} [${resource.id}] is not ready yet, can not be ${doing}, please try later`,
    );
  }
}

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

/** A new id such as `eip-1x9k2a0f`. */
export function newId(prefix: string): string {
  return `${prefix}-${Array.from({ length: 8 }, () => alphabet[randomInt(alphabet.length)]).join("")}`;
}

/** A time as the API writes it. */
export function timestamp(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, -5)}Z`;
}

/** The ids without repetitions: the API's clients may name a resource twice. */
export function distinct(ids: readonly string[]): string[] {
  return [...new Set(ids)];
}

/** The resource with another name or description, where they are given: what every Modify…Attributes can change. */
export function renamed<R extends { readonly name: string; readonly description: string }>(
  resource: R,
  name: string | undefined,
  description: string | undefined,
): R {
  return { ...resource, name: name ?? resource.name, description: description ?? resource.description };
}
