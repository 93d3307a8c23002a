/** The traffic that the cloud has counted at a stack's EIPs: asked for at little cost, where a report would be made again and again. */
import { stepFor, trafficIn } from "../../scripts/dev/report/traffic.ts";
import { TestClient } from "../local-cloud/support.ts";
import { zonesOf } from "./outputs.ts";
import type { Place } from "./place.ts";
import { waitFor } from "./process.ts";

/**
 * Waits until the cloud has counted traffic at every EIP, which it does every 10 seconds.
 * @param from seconds since 1970
 * @param bytes that each has sent by then, at least
 */
export async function trafficIsCounted(place: Place, from: number, bytes = 0): Promise<void> {
  const client = TestClient.ofHome(place.cloudHome);
  const { resources } = place.checkpoint();
  const eips = zonesOf(place).map(({ name, zoneId }) => ({
    zone: zoneId,
    resource: resources.find(({ urn }) => urn.endsWith(`:Eip::${name}`))?.id ?? "",
  }));
  const iso = (time: number) => new Date(time * 1000).toISOString();
  const isCounted = async (eip: (typeof eips)[number]) => {
    const now = Date.now() / 1000;
    const period = { from, to: Math.max(now, from + 1) };
    const step = stepFor(period, now);
    const times = { start_time: iso(period.from), end_time: iso(period.to) };
    const { meter_set } = await client.ok("GetMonitor", { ...eip, "meters.1": "flow", step, ...times });
    const [{ data: flow } = { data: [] }] = meter_set as { data: unknown[] }[];
    const { intervals, sentBytes } = trafficIn(period, step, { traffic: flow, flow });
    return intervals.length > 0 && sentBytes >= bytes;
  };
  const areCounted = async () => (await Promise.all(eips.map(isCounted))).every(Boolean);
  await waitFor(`${bytes} bytes that the cloud has counted at each EIP`, areCounted, 60, 500);
}
