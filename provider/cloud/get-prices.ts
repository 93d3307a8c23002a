import { z } from "zod";
import { GetLeaseInfo } from "../../qingcloud/actions.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import { defineFunction } from "../function.ts";
import { zoneInput } from "./naming.ts";

export const getPrices = defineFunction({
  token: "qingcloud:cloud:getPrices",
  description:
    "What resources cost an hour, by their leases: the only price that the API tells. Null where a lease names none, or one for another duration than an hour.",
  arguments: z.strictObject({ zone: zoneInput, resources: z.array(z.string()).describe("Resource ids.") }),
  result: z.object({
    perHour: z.array(z.number().nullable()).describe("CNY an hour, in the order of the resources."),
  }),

  async call(context, { zone, resources }) {
    const perHour = await Promise.all(
      resources.map(async (resource) => {
        try {
          const { lease_info: lease } = await context.session.call(GetLeaseInfo, zone, { resource }, context);
          const { price, duration } = lease.contract ?? {};
          return price === undefined || duration !== "1h" ? null : Number(price);
        } catch (error) {
          if (hasRetCode(error, retCodes.notFound)) return null;
          throw error;
        }
      }),
    );
    return { perHour };
  },
});
