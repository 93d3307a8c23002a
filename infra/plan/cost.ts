/** What a stack costs, and what its limit says of that. Pure; the prices are known only of what there is. */

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

export function sumOf(items: Cost["items"]): Cost {
  const known = items.flatMap(({ perHour }) => perHour ?? []);
  const sum = known.reduce((total, price) => total + price, 0);
  // Prices are decimal fractions: 0.05 three times is 0.15.
  const perHour = known.length === 0 ? null : Number(sum.toFixed(6));
  return { perHour, currency: "CNY", items };
}

/** @param limit CNY an hour */
export function costProblem({ perHour, items }: Cost, limit: number): string | undefined {
  if (perHour === null || perHour <= limit) return undefined;
  const known = items.filter((item) => item.perHour !== null);
  const list = known.map((item) => `${item.resource} (${item.zone}) ${item.perHour}`).join(", ");
  return `The stack costs ${perHour} CNY an hour, more than crosszone:limits.costPerHour allows (given: ${limit}): ${list}. What has been made is kept, and no rank is started. Raise the limit, take smaller shapes (zones[].shape) or fewer nodes (zones[].nodes), or remove everything: npm run pulumi -- destroy`;
}

/** Of what the API tells no price; undefined where it tells all. */
export function costWarning({ items }: Cost): string | undefined {
  const unknown = items.flatMap(({ resource, perHour }) => (perHour === null ? resource : []));
  if (unknown.length === 0) return undefined;
  return `crosszone:limits.costPerHour leaves out what the API tells no price of: ${unknown.join(", ")}`;
}
