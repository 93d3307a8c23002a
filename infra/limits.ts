/** What the limits of a stack forbid, and bandwidths that can not be found out: said before anything is made. */
import { gpusOf } from "../qingcloud/gpu-shapes.ts";
import { autoBandwidth, type Wanted } from "./plan/auto-bandwidth.ts";

interface Limited extends Wanted {
  readonly zones: readonly (Wanted["zones"][number] & { readonly bandwidthMbps: number | "auto" })[];
  readonly limits: Wanted["limits"] & { readonly gpus?: number | undefined };
}

interface Problem {
  readonly path: (string | number)[];
  readonly message: string;
  readonly given: unknown;
}

/** @param fits whether training fits the zones: only then there is an automatic bandwidth */
export function limitProblems(wanted: Limited, fits: boolean): Problem[] {
  const { zones, limits } = wanted;
  const most = limits.bandwidthMbps ?? Infinity;
  const isAuto = fits && zones.some(({ bandwidthMbps }) => bandwidthMbps === "auto");
  const auto = isAuto ? autoBandwidth(wanted) : undefined;
  const bandwidths = zones.flatMap(({ bandwidthMbps: given }, index): Problem[] => {
    const path = ["zones", index, "bandwidthMbps"];
    if (given === "auto")
      return auto !== undefined && "problem" in auto ? [{ path, message: auto.problem, given }] : [];
    const message = `must be at most limits.bandwidthMbps, ${most}; take less, or raise the limit`;
    return given > most ? [{ path, message, given }] : [];
  });
  const gpus = zones.reduce((sum, zone) => sum + zone.nodes * gpusOf(zone.shape), 0);
  if (limits.gpus === undefined || gpus <= limits.gpus) return bandwidths;
  const message = `is less than the ${gpus} GPUs of all nodes: fewer nodes (zones[].nodes), smaller shapes (zones[].shape), or a higher limit`;
  return [...bandwidths, { path: ["limits", "gpus"], message, given: limits.gpus }];
}
