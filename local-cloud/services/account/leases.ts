/** Leases: without one a resource can not be deleted. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Router } from "../../store/resources.ts";
import { type Handler, type Handlers, isGone, isLeasePending, timestamp } from "../context.ts";
import { notFound } from "../errors.ts";

/** CNY per hour by router_type. Prices of EIPs, instances and volumes are not in the API's documentation. */
const routerPrices: Record<Router["routerType"], string> = { 0: "0.19", 1: "0.05", 2: "0.39", 3: "0.75" };

const getLeaseInfo: Handler<typeof actions.GetLeaseInfo> = (request, context) => {
  const { store, zone, leaseDelay } = context;
  const resource =
    store.get("eip", zone, request.resource) ??
    store.get("router", zone, request.resource) ??
    store.get("instance", zone, request.resource) ??
    store.get("volume", zone, request.resource);
  if (resource === undefined || isGone(resource)) throw notFound("resource", request.resource);
  const start = resource.createTime + leaseDelay;
  const ids = { resource_id: resource.id, zone_id: zone };
  if (isLeasePending(resource, context))
    return { resource_id: resource.id, lease_info: { ...ids, status: "pending" } };
  const price = resource.kind === "router" ? { price: routerPrices[resource.routerType] } : {};
  return {
    resource_id: resource.id,
    lease_info: {
      ...ids,
      status: "active",
      lease_time: timestamp(start),
      renewal: "auto",
      renewal_time: timestamp(start + 3_600_000),
      contract: { ...price, duration: "1h", start_time: timestamp(start) },
    },
  };
};

export const leaseHandlers = { GetLeaseInfo: getLeaseInfo } satisfies Partial<Handlers>;
