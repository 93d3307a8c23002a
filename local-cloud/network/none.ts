/** The data plane of `--data-plane none`: the API alone, nothing on the machine, no root needed. */
import type { DataPlane } from "./data-plane.ts";

export const noDataPlane: DataPlane = {
  converge: async () => undefined,
  observe: async () => ({ routers: [], nodes: [] }),
  count: async () => ({ eips: [], routers: [], nodes: [] }),
  forget: async () => undefined,
  stop: async () => undefined,
};
