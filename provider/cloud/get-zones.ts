import { z } from "zod";
import { DescribeZones } from "../../qingcloud/actions.ts";
import { defineFunction } from "../function.ts";

export const getZones = defineFunction({
  token: "qingcloud:cloud:getZones",
  description: "The zones that the account can use now.",
  arguments: z.strictObject({}),
  result: z.object({ zoneIds: z.array(z.string()).describe("Ids of the active zones, e.g. `pek3a`.") }),
  async call(session) {
    const { zone_set: found } = await session.client.call(DescribeZones, undefined, { status: ["active"] });
    return { zoneIds: found.map((zone) => zone.zone_id) };
  },
});
