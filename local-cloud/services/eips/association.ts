/** Which resource has an EIP: a router by its configuration, an instance by AssociateEip. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Eip, Instance, Router } from "../../store/resources.ts";
import {
  distinct,
  type Effects,
  type Handler,
  type Handlers,
  isGone,
  nameOf,
  need,
  needIdle,
  unfinishedWork,
  type ZoneState,
} from "../context.ts";
import { denied } from "../errors.ts";

/** Who has the EIP, or will have it: in a router's configuration, applied or not, or on an instance. */
export function holderOf(state: ZoneState, eipId: string): Router | Instance | undefined {
  const joining = unfinishedWork(state).find((work) => work.action === "AssociateEip" && work.eip === eipId);
  const instanceId = joining?.action === "AssociateEip" ? joining.instance : undefined;
  return (
    state.store
      .list("router", state.zone)
      .find((router) => !isGone(router) && (router.eipId === eipId || router.applied.eipId === eipId)) ??
    state.store
      .list("instance", state.zone)
      .find((instance) => instance.eipId === eipId || instance.id === instanceId)
  );
}

/** Refuses an EIP that a resource has. @param doing what can not be done, e.g. `released` */
export function needUnused(state: ZoneState, eip: Eip, doing: string): void {
  const holder = holderOf(state, eip.id);
  if (holder !== undefined) {
    throw denied(
      `eip [${eip.id}] is associated with ${nameOf(holder.kind)} [${holder.id}], can not be ${doing}`,
    );
  }
}

/** The resource that the EIP is associated with: a router only from UpdateRouters on. */
export function resourceOf(state: ZoneState, eip: Eip) {
  if (eip.status !== "associated") return {};
  const holder =
    state.store.list("router", state.zone).find(({ applied }) => applied.eipId === eip.id) ??
    state.store.list("instance", state.zone).find(({ eipId }) => eipId === eip.id);
  if (holder === undefined) return {};
  return { resource_id: holder.id, resource_name: holder.name, resource_type: holder.kind };
}

const associateEip: Handler<typeof actions.AssociateEip> = (request, context) => {
  const eip = need(context, "eip", request.eip);
  const instance = need(context, "instance", request.instance);
  const doing = `associated with instance [${instance.id}]`;
  needIdle(eip, doing);
  needUnused(context, eip, doing);
  needIdle(instance, `associated with eip [${eip.id}]`);
  const coming = unfinishedWork(context).find(
    (work) => work.action === "AssociateEip" && work.instance === instance.id,
  );
  const other = coming?.action === "AssociateEip" ? coming.eip : instance.eipId;
  if (other !== undefined) {
    throw denied(`instance [${instance.id}] has eip [${other}], eip [${eip.id}] can not be ${doing} too`);
  }
  context.store.put({ ...eip, transition: "associating" });
  const work = { action: "AssociateEip", eip: eip.id, instance: instance.id } as const;
  return { job_id: context.startJob(work, [eip.id, instance.id]) };
};

const dissociateEips: Handler<typeof actions.DissociateEips> = (request, context) => {
  const resources = distinct(request.eips).map((id) => {
    const eip = need(context, "eip", id);
    needIdle(eip, "dissociated");
    const holder = holderOf(context, id);
    if (holder === undefined) throw denied(`eip [${id}] is not associated, can not be dissociated`);
    if (holder.kind === "router") {
      throw denied(
        `eip [${id}] is associated with router [${holder.id}], can not be dissociated, ` +
          "ModifyRouterAttributes with an empty eip and UpdateRouters take it from there",
      );
    }
    needIdle(holder, `dissociated from eip [${id}]`);
    return { eip, instance: holder.id };
  });
  for (const { eip } of resources) context.store.put({ ...eip, transition: "dissociating" });
  const eips = resources.map(({ eip }) => eip.id);
  const ids = [...eips, ...resources.map(({ instance }) => instance)];
  return { job_id: context.startJob({ action: "DissociateEips", eips }, ids) };
};

export const eipAssociationHandlers = {
  AssociateEip: associateEip,
  DissociateEips: dissociateEips,
} satisfies Partial<Handlers>;

function changeEip(state: ZoneState, id: string, status?: "available" | "associated"): void {
  const eip = state.store.get("eip", state.zone, id);
  if (eip === undefined) return;
  const changes = status === undefined || status === eip.status ? {} : { status, statusTime: state.now };
  state.store.put({ ...eip, transition: "", ...changes });
}

/** Frees EIPs of instances. */
function dissociate(state: ZoneState, eipIds: readonly string[]): void {
  for (const instance of state.store.list("instance", state.zone)) {
    const { eipId, ...rest } = instance;
    if (eipId === undefined || !eipIds.includes(eipId)) continue;
    state.store.put(rest);
    changeEip(state, eipId, "available");
  }
}

/** Frees the EIPs of instances that go. */
export function dissociateFrom(state: ZoneState, instanceIds: readonly string[]): void {
  const instances = instanceIds.map((id) => state.store.get("instance", state.zone, id));
  dissociate(
    state,
    instances.flatMap((instance) => instance?.eipId ?? []),
  );
}

export const eipAssociationEffects: Effects<"AssociateEip" | "DissociateEips"> = {
  AssociateEip: {
    complete(work, state) {
      const instance = state.store.get("instance", state.zone, work.instance);
      if (instance === undefined || isGone(instance)) {
        changeEip(state, work.eip);
        return;
      }
      state.store.put({ ...instance, eipId: work.eip });
      changeEip(state, work.eip, "associated");
    },
    fail: (work, state) => changeEip(state, work.eip),
  },
  DissociateEips: {
    complete: (work, state) => dissociate(state, work.eips),
    fail: (work, state) => {
      for (const id of work.eips) changeEip(state, id);
    },
  },
};
