/** What a fuzzed cloud has told: the ids of its resources, and which requests have succeeded. */
import type { Plan } from "./fuzz-requests.ts";
import type { Value } from "./fuzz-values.ts";

/** Whose successful request an action can undo or go on with. */
const predecessors: Readonly<Record<string, string>> = {
  LeaveRouter: "JoinRouter",
  LeaveVxnet: "JoinVxnet",
  DetachKeyPairs: "AttachKeyPairs",
  DetachVolumes: "AttachVolumes",
  DetachTags: "AttachTags",
  DissociateEips: "AssociateEip",
  CeaseInstances: "TerminateInstances",
  AttachVolumes: "RunInstances",
  StartInstances: "StopInstances",
  ResizeInstances: "StopInstances",
  UpdateRouters: "ModifyRouterAttributes",
  DescribeVxnetInstances: "JoinVxnet",
  DeleteRouterStaticEntries: "ModifyRouterStaticEntryAttributes",
};

type Parameters = Readonly<Record<string, string>>;

const idPattern = /\b([a-z]{1,5})-[a-z0-9]{8}\b/g;
/** As many are remembered of each kind. */
const most = 40;

export class FuzzedWorld {
  /** Newest last, by zone and prefix. */
  private readonly ids = new Map<string, string[]>();
  /** Newest last, by zone and action. */
  private readonly succeeded = new Map<string, Parameters[]>();

  parametersOf(plan: Plan): Parameters {
    const related = plan.follows ? this.relatedIds(plan) : new Map<string, string>();
    return Object.fromEntries(
      plan.parameters.map(([name, value]) => [name, this.resolve(plan.zone, value, related)]),
    );
  }

  /** A request has succeeded. */
  learn(plan: Plan, parameters: Parameters, answer: string): void {
    for (const [id, prefix] of answer.matchAll(idPattern)) {
      const key = `${plan.zone} ${prefix}`;
      const known = this.ids.get(key) ?? [];
      if (!known.includes(id)) this.ids.set(key, [...known, id].slice(-most));
    }
    const key = `${plan.zone} ${plan.action}`;
    const before = this.succeeded.get(key) ?? [];
    // An answer may name what the request has made.
    this.succeeded.set(key, [...before, { ...parameters, answer }].slice(-most));
  }

  /** An answer says that these ids are gone or were never there. */
  forget(zone: string, answer: string): void {
    for (const [id, prefix] of answer.matchAll(idPattern)) {
      const left = (this.ids.get(`${zone} ${prefix}`) ?? []).filter((known) => known !== id);
      if (left.length > 0) this.ids.set(`${zone} ${prefix}`, left);
    }
  }

  /** The ids of one request before this one, by their prefix. */
  private relatedIds({ zone, action, parameters }: Plan): Map<string, string> {
    const before = this.succeeded.get(`${zone} ${predecessors[action]}`) ?? [];
    const [, choice] = parameters.find(([, value]) => typeof value !== "string") ?? [];
    const index = typeof choice === "object" ? choice.index : 0;
    const request = before[before.length - 1 - (index % Math.max(before.length, 1))] ?? {};
    const found = Object.values(request).flatMap((value) => [...value.matchAll(idPattern)]);
    return new Map(found.map(([id, prefix]) => [String(prefix), id]));
  }

  private resolve(zone: string, value: Value, related: ReadonlyMap<string, string>): string {
    if (typeof value === "string") return value;
    const { prefix, index, suffix } = value;
    const ids = this.ids.get(`${zone} ${prefix}`) ?? [`${prefix}-nowhere0`];
    return `${related.get(prefix) ?? ids[ids.length - 1 - (index % ids.length)]}${suffix}`;
  }
}
