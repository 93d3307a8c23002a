/** The two zones of the local cloud and what each has. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Handler, Handlers } from "../context.ts";

export interface Zone {
  readonly id: string;
  /** First three octets of the zone's EIPs; its pool is .10 to .250. */
  readonly eipPrefix: string;
  /** First two octets of the routers' addresses in the zone's intranet: shared address space, which no tenant uses. */
  readonly intranetPrefix: string;
  /** First three octets of addresses in the zone's base network, vxnet-0. */
  readonly basePrefix: string;
  /** GPUs of class 0, NVIDIA P100. */
  readonly gpus: number;
}

export const zones: readonly Zone[] = [
  { id: "gpu1a", eipPrefix: "203.0.113", intranetPrefix: "100.64", basePrefix: "10.131.1", gpus: 16 },
  { id: "gpu2a", eipPrefix: "198.51.100", intranetPrefix: "100.65", basePrefix: "10.132.1", gpus: 16 },
];

export function zoneOf(id: string): Zone {
  const zone = zones.find((candidate) => candidate.id === id);
  if (zone === undefined) throw new Error(`no zone ${id}`);
  return zone;
}

/** The addresses of a zone's EIP pool. */
export function eipPool(zone: Zone): string[] {
  return Array.from({ length: 241 }, (_, index) => `${zone.eipPrefix}.${index + 10}`);
}

const describeZones: Handler<typeof actions.DescribeZones> = (request) => {
  const found = zones.filter(
    ({ id }) =>
      (request.zones === undefined || request.zones.includes(id)) &&
      (request.status === undefined || request.status.includes("active")),
  );
  return {
    zone_set: found.map(({ id }) => ({ zone_id: id, status: "active" as const })),
    total_count: found.length,
  };
};

export const zoneHandlers = { DescribeZones: describeZones } satisfies Partial<Handlers>;
