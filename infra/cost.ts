/** Asks what the stack costs, as far as the API tells, and keeps it within its limit. */
import { all, log, type Output, RunError } from "@pulumi/pulumi";
import { getPrices } from "../provider/index.ts";
import type { Zone } from "./components/zone.ts";
import { type Cost, costProblem, costWarning, sumOf } from "./plan/cost.ts";

/**
 * EIP, router and instances of every zone; what existed before costs the same without the stack.
 * @param limit CNY an hour; the output of more is an error, and nothing that waits for it is made
 */
export function costOf(zones: readonly Zone[], limit: number | undefined): Output<Cost> {
  return all(zones.map(pricesOf)).apply((byZone): Cost => {
    const cost = sumOf(byZone.flat());
    if (limit !== undefined) keepWithin(cost, limit);
    return cost;
  });
}

function keepWithin(cost: Cost, limit: number): void {
  const warning = costWarning(cost);
  if (warning !== undefined) void log.warn(warning);
  const problem = costProblem(cost, limit);
  if (problem !== undefined) throw new RunError(problem);
}

function pricesOf({ plan, existing, eip, router, nodes }: Zone) {
  const own = [
    ...(existing.eip === undefined ? [eip.id] : []),
    ...(existing.vpc === undefined ? [router.id] : []),
  ];
  const ids = [...own, ...nodes.map(({ instance }) => instance.id)];
  return all(ids).apply(async (resources) => {
    const { perHour } = await getPrices({ zone: plan.zoneId, resources });
    return resources.map((resource, index) => ({
      zone: plan.zoneId,
      resource,
      perHour: perHour[index] ?? null,
    }));
  });
}
