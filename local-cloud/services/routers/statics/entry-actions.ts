/** Actions on the entries of router statics; like the statics they are inert until UpdateRouters. */
import { isDeepStrictEqual } from "node:util";
import type * as actions from "../../../../qingcloud/actions.ts";
import type { RouterStatic, RouterStaticEntry } from "../../../store/resources.ts";
import { needRoom } from "../../account/quotas.ts";
import {
  type Context,
  distinct,
  type Handler,
  type Handlers,
  need,
  newId,
  type ZoneState,
} from "../../context.ts";
import { alreadyExists, badValue, denied, missing, notFound, secret } from "../../errors.ts";
import { page } from "../../listing.ts";
import { touch } from "../routers.ts";
import { entriesOf, replaceEntries } from "./entries.ts";
import { checkTargets } from "./rules.ts";
import { readNetworks } from "./values.ts";

const addRouterStaticEntries: Handler<typeof actions.AddRouterStaticEntries> = (request, context) => {
  const item = need(context, "router_static", request.router_static);
  const before = entriesOf(item);
  const added = request.entries.map(
    ({ router_static_entry_name: name = "", val1 = "", val2 = "" }): RouterStaticEntry => ({
      id: newId("rse"),
      name,
      val1,
      val2,
    }),
  );
  added.forEach((entry, index) => {
    checkEntry(context, item, entry, [...before, ...added.slice(0, index)], `entries.${index + 1}.`);
  });
  needRoom("router_static_entries", before.length + added.length, `router static [${item.id}]`);
  save(context, replaceEntries(item, [...before, ...added]));
  return { router_static_entries: added.map(({ id }) => id) };
};

/** @param prefix what parameter names start with, e.g. `entries.1.` */
function checkEntry(
  state: ZoneState,
  item: RouterStatic,
  entry: RouterStaticEntry,
  others: readonly RouterStaticEntry[],
  prefix: string,
): void {
  switch (item.staticType) {
    case 2:
      if (entry.val1 === "") throw missing(`${prefix}val1`);
      if (entry.val2 === "") throw missing(`${prefix}val2`);
      break;
    case 6:
      if (entry.val1 === "") throw missing(`${prefix}val1`);
      checkNetwork(state, item, entry.val1, `${prefix}val1`, true);
      if (entry.val2 !== "") throw badValue(`${prefix}val2`, secret, "nothing in a static of type 6");
      break;
    case 7:
      if (entry.val1 === "" && entry.val2 === "") throw missing(`${prefix}val1`);
      if (entry.val1 !== "") checkNetwork(state, item, entry.val1, `${prefix}val1`, false);
      if (entry.val2 !== "") checkNetwork(state, item, entry.val2, `${prefix}val2`, true);
      break;
    default:
      throw denied(`router static [${item.id}] is of type [${item.staticType}], it can not have entries`);
  }
  for (const name of item.staticType === 7 ? (["val1", "val2"] as const) : (["val1"] as const)) {
    const same = others.find((other) => other[name] === entry[name] && entry[name] !== "");
    if (same !== undefined) {
      throw alreadyExists(
        `router static entry [${same.id}] of router static [${item.id}] has [${entry[name]}]`,
      );
    }
  }
}

function checkNetwork(
  state: ZoneState,
  item: RouterStatic,
  text: string,
  parameter: string,
  isTarget: boolean,
): void {
  if (!/^[\d./|]+$/.test(text)) throw badValue(parameter, secret, "a network such as 192.168.2.0/24");
  const networks = readNetworks(text, parameter);
  if (networks.length > 1) throw badValue(parameter, text, "one network such as 192.168.2.0/24");
  if (isTarget) checkTargets(state, item.routerId, networks, parameter);
}

/** Puts the static into the state as a change that UpdateRouters has to put into effect. */
function save(context: Context, item: RouterStatic): void {
  context.store.put(item);
  touch(context, item.routerId);
}

function needEntry(state: ZoneState, id: string): { item: RouterStatic; entry: RouterStaticEntry } {
  for (const item of state.store.list("router_static", state.zone)) {
    const entry = entriesOf(item).find((candidate) => candidate.id === id);
    if (entry !== undefined) return { item, entry };
  }
  throw notFound("router static entry", id);
}

const describeRouterStaticEntries: Handler<typeof actions.DescribeRouterStaticEntries> = (
  request,
  context,
) => {
  const { router_static_entry_id: one, router_static_entries: some } = request;
  const matches = context.store
    .list("router_static", context.zone)
    .filter(({ id }) => request.router_static === undefined || request.router_static === id)
    .flatMap((item) => entriesOf(item).map((entry) => ({ item, entry })))
    .filter(
      ({ entry }) =>
        (one === undefined || one === entry.id) && (some === undefined || some.includes(entry.id)),
    );
  const { items, total_count } = page(matches, request);
  return {
    router_static_entry_set: items.map(({ item, entry }) => ({
      router_id: item.routerId,
      router_static_id: item.id,
      router_static_entry_id: entry.id,
      router_static_entry_name: entry.name,
      val1: entry.val1,
      val2: entry.val2,
    })),
    total_count,
  };
};

const modifyRouterStaticEntryAttributes: Handler<typeof actions.ModifyRouterStaticEntryAttributes> = (
  request,
  context,
) => {
  const { item, entry } = needEntry(context, request.router_static_entry);
  const changed: RouterStaticEntry = {
    id: entry.id,
    name: request.router_static_entry_name ?? entry.name,
    val1: request.val1 ?? entry.val1,
    val2: request.val2 ?? entry.val2,
  };
  const others = entriesOf(item).filter(({ id }) => id !== entry.id);
  checkEntry(context, item, changed, others, "");
  const after = replaceEntries(
    item,
    entriesOf(item).map((each) => (each.id === entry.id ? changed : each)),
  );
  if (isDeepStrictEqual({ ...changed, name: "" }, { ...entry, name: "" })) context.store.put(after);
  else save(context, after);
  return { router_static_entry: entry.id, router_static_entry_id: entry.id };
};

const deleteRouterStaticEntries: Handler<typeof actions.DeleteRouterStaticEntries> = (request, context) => {
  const ids = distinct(request.router_static_entries);
  for (const id of ids) {
    const { item, entry } = needEntry(context, id);
    const rest = entriesOf(item).filter((each) => each.id !== id);
    for (const name of ["val1", "val2"] as const) {
      const isLast = entry[name] !== "" && rest.every((each) => each[name] === "");
      if (isLast && item.staticType !== 2) {
        throw denied(
          `router static entry [${id}] has the last network of its side of router static [${item.id}], ` +
            "can not be deleted, DeleteRouterStatics deletes the tunnel",
        );
      }
    }
    save(context, replaceEntries(item, rest));
  }
  return { router_static_entries: ids };
};

export const routerStaticEntryHandlers = {
  AddRouterStaticEntries: addRouterStaticEntries,
  DescribeRouterStaticEntries: describeRouterStaticEntries,
  ModifyRouterStaticEntryAttributes: modifyRouterStaticEntryAttributes,
  DeleteRouterStaticEntries: deleteRouterStaticEntries,
} satisfies Partial<Handlers>;
