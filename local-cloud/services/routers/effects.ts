/** What the jobs of routers do when they end. */
import type { Router } from "../../store/resources.ts";
import type { Effects, ZoneState } from "../context.ts";
import { giveFixedAddresses } from "../vxnets/dhcp-and-dns.ts";

function change(state: ZoneState, ids: readonly string[], changes: Partial<Router>): void {
  for (const id of ids) {
    const router = state.store.get("router", state.zone, id);
    if (router !== undefined) state.store.put({ ...router, ...changes });
  }
}

function changeEip(state: ZoneState, id: string | undefined, status?: "available" | "associated"): void {
  const eip = id === undefined ? undefined : state.store.get("eip", state.zone, id);
  if (eip === undefined) return;
  const changes = status === undefined ? {} : { status, statusTime: state.now };
  state.store.put({ ...eip, transition: "", ...changes });
}

export const routerEffects: Effects<
  "CreateRouters" | "UpdateRouters" | "DeleteRouters" | "PowerOnRouters" | "PowerOffRouters"
> = {
  CreateRouters: {
    complete: (work, state) =>
      change(state, work.routers, { status: "active", transition: "", statusTime: state.now }),
    fail: (work, state) =>
      change(state, work.routers, { status: "deleted", transition: "", statusTime: state.now }),
  },
  UpdateRouters: {
    complete(work, state) {
      for (const { id, configuration } of work.routers) {
        const before = state.store.get("router", state.zone, id)?.applied.eipId;
        if (before !== configuration.eipId) {
          changeEip(state, before, "available");
          changeEip(state, configuration.eipId, "associated");
        }
        change(state, [id], { applied: configuration, transition: "" });
        const router = state.store.get("router", state.zone, id);
        if (router !== undefined) giveFixedAddresses(state, router);
      }
    },
    fail(work, state) {
      for (const { id, configuration } of work.routers) {
        changeEip(state, state.store.get("router", state.zone, id)?.applied.eipId);
        changeEip(state, configuration.eipId);
        change(state, [id], { transition: "" });
      }
    },
  },
  DeleteRouters: {
    complete(work, state) {
      change(state, work.routers, { status: "deleted", transition: "", statusTime: state.now });
      for (const item of state.store.list("router_static", state.zone)) {
        if (work.routers.includes(item.routerId)) state.store.remove(item);
      }
    },
    fail: (work, state) => change(state, work.routers, { transition: "" }),
  },
  PowerOnRouters: {
    complete: (work, state) =>
      change(state, work.routers, { status: "active", transition: "", statusTime: state.now }),
    fail: (work, state) => change(state, work.routers, { transition: "" }),
  },
  PowerOffRouters: {
    complete: (work, state) =>
      change(state, work.routers, { status: "poweroffed", transition: "", statusTime: state.now }),
    fail: (work, state) => change(state, work.routers, { transition: "" }),
  },
};
