/** CopyRouterStatics: what one router has, for another, in the same zone or another one. */
import type * as actions from "../../../../qingcloud/actions.ts";
import type { Router, StaticValues } from "../../../store/resources.ts";
import { formatAddress, isInside, parseNetwork } from "../../addresses.ts";
import { type Handler, type Handlers, need, newId } from "../../context.ts";
import { badValue, denied, missing, notFound } from "../../errors.ts";
import { zones } from "../../zones/zones.ts";
import { touch } from "../routers.ts";
import { entriesOf } from "./entries.ts";
import { addStatic } from "./statics.ts";

const copyRouterStatics: Handler<typeof actions.CopyRouterStatics> = (request, context) => {
  const sourceId = request.source_router_id ?? request.source_router;
  const destinationId = request.dest_router_id ?? request.dest_router;
  if (sourceId === undefined) throw missing("source_router_id");
  if (destinationId === undefined) throw missing("dest_router_id");
  const source = need(context, "router", sourceId);
  if (!zones.some(({ id }) => id === request.dest_zone)) {
    throw badValue("dest_zone", request.dest_zone, zones.map(({ id }) => id).join(", "));
  }
  const there = { ...context, zone: request.dest_zone };
  const destination = need(there, "router", destinationId);
  if (source.id === destination.id) throw denied(`router [${source.id}] can not be copied to itself`);
  const types = request["static-type"] ?? request.static_type;
  const ids = request["router-statics"] ?? request.router_statics;
  const all = context.store
    .list("router_static", context.zone)
    .filter(({ routerId }) => routerId === source.id);
  const unknown = ids?.find((id) => !all.some((item) => item.id === id));
  if (unknown !== undefined) throw notFound(`router static of router [${source.id}]`, unknown);
  const copied = all.filter(
    (item) =>
      (ids === undefined || ids.includes(item.id)) &&
      (types === undefined || types.includes(item.staticType)),
  );
  for (const item of copied) {
    const accounts = item.staticType === 2 ? entriesOf(item) : [];
    const copy = {
      ...item,
      id: newId("rtrs"),
      zone: there.zone,
      createTime: context.now,
      routerId: destination.id,
      vxnetId: "",
      values: item.staticType === 7 ? move(item.values, source, destination) : item.values,
      // Networks get entries of their own.
      entries: accounts.map((entry) => ({ ...entry, id: newId("rse") })),
    };
    addStatic(there, copy, `${item.id}.`);
  }
  if (copied.length > 0) touch(there, destination.id);
  return {};
};

/** Networks inside the one router's network become those at the same place in the other's. */
function move(values: StaticValues, from: Router, to: Router): StaticValues {
  const [before, after] = [parseNetwork(from.vpcNetwork), parseNetwork(to.vpcNetwork)];
  if (before === undefined || after === undefined || before.first === after.first) return values;
  const moved = (text: string | undefined): string =>
    (text ?? "")
      .split("|")
      .map((part) => {
        const network = parseNetwork(part);
        if (network === undefined || !isInside(before, network.first)) return part;
        return `${formatAddress(network.first - before.first + after.first)}/${network.prefix}`;
      })
      .join("|");
  return { ...values, val2: moved(values.val2), val3: moved(values.val3) };
}

export const copyRouterStaticsHandlers = {
  CopyRouterStatics: copyRouterStatics,
} satisfies Partial<Handlers>;
