/** What the stack costs, as far as the API tells. */
import { all, type Output } from "@pulumi/pulumi";
import { getPrices } from "../provider/index.ts";
import type { Zone } from "./components/zone.ts";

export interface Cost {
  /** Sum of the items whose price is known; null where none is. */
  readonly perHour: number | null;
  readonly currency: "CNY";
  readonly items: readonly {
    readonly zone: string;
    readonly resource: string;
    readonly perHour: number | null;
  }[];
}

/** EIP, router and instances of every zone; what existed before costs the same without the stack. */
export function costOf(zones: readonly Zone[]): Output<Cost> {
  return all(zones.map(pricesOf)).apply((byZone): Cost => {
    const items = byZone.flat();
    const known = items.flatMap(({ perHour }) => perHour ?? []);
    const perHour = known.length === 0 ? null : known.reduce((sum, price) => sum + price, 0);
    return { perHour, currency: "CNY", items };
  });
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
