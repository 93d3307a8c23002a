/** Every two zones, and every zone with itself: between them there is a link. */

import { zones } from "../zones/zones.ts";
import { FaultError } from "./settings.ts";

export type ZonePair = readonly [string, string];

export const zonePairs: readonly ZonePair[] = zones.flatMap(({ id }, index) =>
  zones.slice(index).map((other): ZonePair => [id, other.id]),
);

/** Two zones in either order. @param name what messages call the setting. @throws FaultError */
export function readZonePair(name: string, given: unknown): ZonePair {
  const ids = Array.isArray(given) ? (given as unknown[]).map(String) : [String(given)];
  const pair = zonePairs.find(([a, b]) => [`${a} ${b}`, `${b} ${a}`].includes(ids.join(" ")));
  if (pair !== undefined) return pair;
  const known = zones.map(({ id }) => id);
  throw new FaultError(
    `${name} ${ids.join(" ")}: must be two zones of ${known.join(", ")}, which may be the same one`,
  );
}
