import { z } from "zod";
import { defineFunction } from "../function.ts";
import { leaseOf } from "./lease.ts";
import { zoneInput } from "./naming.ts";
import { until } from "./waiting.ts";

/** The lease of something new comes within seconds. */
const patienceMs = 60_000;

export const getPrices = defineFunction({
  token: "qingcloud:cloud:getPrices",
  description:
    "What resources cost an hour, by their leases: the only price that the API tells. Waits at most a minute for the leases of new ones. Null where a lease names no price, or one for another duration than an hour.",
  arguments: z.strictObject({ zone: zoneInput, resources: z.array(z.string()).describe("Resource ids.") }),
  result: z.object({
    perHour: z.array(z.number().nullable()).describe("CNY an hour, in the order of the resources."),
  }),

  async call(context, { zone, resources }) {
    const lastLook = Math.min(Date.now() + patienceMs, context.deadline);
    const priceOf = (resource: string) =>
      until(context, `the lease of ${resource}`, async () => {
        const lease = await leaseOf(context, zone, resource);
        const comes = lease !== undefined && !lease.isActive && Date.now() < lastLook;
        return comes ? undefined : { perHour: lease?.perHour ?? null };
      });
    const prices = await Promise.all(resources.map(priceOf));
    return { perHour: prices.map(({ perHour }) => perHour) };
  },
});
