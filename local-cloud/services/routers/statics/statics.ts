/** Router statics: port forwards, tunnels and the rest; inert until UpdateRouters. */
import { isDeepStrictEqual } from "node:util";
import type * as actions from "../../../../qingcloud/actions.ts";
import type { RouterStatic, RouterStaticEntry, StaticValues } from "../../../store/resources.ts";
import { needRoom } from "../../account/quotas.ts";
import {
  type Context,
  distinct,
  type Handler,
  type Handlers,
  need,
  newId,
  timestamp,
  type ZoneState,
} from "../../context.ts";
import { denied } from "../../errors.ts";
import { page } from "../../listing.ts";
import { touch } from "../routers.ts";
import { entriesOf, withEntries } from "./entries.ts";
import { checkStatic, withDefaults } from "./rules.ts";

const valueNames = ["val1", "val2", "val3", "val4", "val5", "val6"] as const;

function readValues(from: { readonly [Name in keyof StaticValues]?: string | undefined }): StaticValues {
  const given = valueNames.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]]));
  return Object.fromEntries(given) as StaticValues;
}

const addRouterStatics: Handler<typeof actions.AddRouterStatics> = (request, context) => {
  const router = need(context, "router", request.router);
  if (router.status === "pending" || router.transition === "deleting") {
    throw denied(`router [${router.id}] is ${router.transition}, statics can not be added to it`);
  }
  if (request.vxnet !== undefined) need(context, "vxnet", request.vxnet);
  const ids = request.statics.map((item, index) => {
    const added: RouterStatic = {
      kind: "router_static",
      id: newId("rtrs"),
      zone: context.zone,
      name: item.router_static_name ?? "",
      createTime: context.now,
      routerId: router.id,
      vxnetId: request.vxnet ?? "",
      staticType: item.static_type,
      values: withDefaults(item.static_type, readValues(item)),
      disabled: false,
    };
    addStatic(context, added, `statics.${index + 1}.`);
    return added.id;
  });
  touch(context, router.id);
  return { router_statics: ids };
};

/** Puts a static into the state if its router can have it. @param prefix what parameter names start with */
export function addStatic(state: ZoneState, added: RouterStatic, prefix: string): void {
  const { routerId, staticType } = added;
  const sameType = state.store
    .list("router_static", state.zone)
    .filter((item) => item.routerId === routerId && item.staticType === staticType);
  needRoom("router_statics", sameType.length + 1, `router [${routerId}] of type [${staticType}]`);
  checkStatic(state, added, prefix);
  state.store.put(withEntries(added));
}

function isApplied(context: Context, item: RouterStatic): boolean {
  const router = context.store.get("router", context.zone, item.routerId);
  const applied = router?.applied.statics.find(({ id }) => id === item.id);
  return (
    applied !== undefined &&
    isDeepStrictEqual(applied.values, item.values) &&
    isDeepStrictEqual(entriesOf(applied).map(withoutName), entriesOf(item).map(withoutName)) &&
    applied.disabled === item.disabled
  );
}

function withoutName({ name: _, ...rest }: RouterStaticEntry) {
  return rest;
}

const describeRouterStatics: Handler<typeof actions.DescribeRouterStatics> = (request, context) => {
  const matches = context.store
    .list("router_static", context.zone)
    .filter(
      (item) =>
        (request.router_statics === undefined || request.router_statics.includes(item.id)) &&
        (request.router === undefined || request.router === item.routerId) &&
        (request.vxnet === undefined || request.vxnet === item.vxnetId) &&
        (request.static_type === undefined || request.static_type === item.staticType),
    );
  const { items, total_count } = page(matches, request);
  return {
    router_static_set: items.map((item) => ({
      router_static_id: item.id,
      router_static_name: item.name,
      router_id: item.routerId,
      vxnet_id: item.vxnetId,
      static_type: item.staticType,
      ...Object.fromEntries(valueNames.map((name) => [name, item.values[name] ?? ""])),
      disabled: item.disabled ? 1 : 0,
      is_applied: isApplied(context, item) ? 1 : 0,
      create_time: timestamp(item.createTime),
      entry_set: entriesOf(item).map(({ id, val1, val2 }) => ({ router_static_entry_id: id, val1, val2 })),
    })),
    total_count,
  };
};

const modifyRouterStaticAttributes: Handler<typeof actions.ModifyRouterStaticAttributes> = (
  request,
  context,
) => {
  const before = need(context, "router_static", request.router_static);
  const changed: RouterStatic = {
    ...before,
    entries: entriesOf(before),
    name: request.router_static_name ?? before.name,
    values: { ...before.values, ...readValues(request) },
    disabled: request.disabled === undefined ? before.disabled : request.disabled === 1,
  };
  checkStatic(context, changed, "");
  context.store.put(withEntries(changed));
  const hasChanged =
    !isDeepStrictEqual(changed.values, before.values) || changed.disabled !== before.disabled;
  if (hasChanged) touch(context, before.routerId);
  return { router_static_id: before.id };
};

const deleteRouterStatics: Handler<typeof actions.DeleteRouterStatics> = (request, context) => {
  const items = distinct(request.router_statics).map((id) => need(context, "router_static", id));
  for (const item of items) {
    context.store.remove(item);
    touch(context, item.routerId);
  }
  return { router_statics: items.map(({ id }) => id) };
};

export const routerStaticHandlers = {
  AddRouterStatics: addRouterStatics,
  DescribeRouterStatics: describeRouterStatics,
  ModifyRouterStaticAttributes: modifyRouterStaticAttributes,
  DeleteRouterStatics: deleteRouterStatics,
} satisfies Partial<Handlers>;
