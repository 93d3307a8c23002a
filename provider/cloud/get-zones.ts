import { z } from "zod";
import { defineFunction } from "../function.ts";

export const getZones = defineFunction({
  token: "qingcloud:cloud:getZones",
  description: "The zones that the account can use now.",
  arguments: z.strictObject({}),
  result: z.object({ zoneIds: z.array(z.string()).describe("Ids of the active zones, e.g. `pek3a`.") }),
  async call({ session, signal, deadline }) {
    const zones = await session.zones({ signal, deadline });
    return { zoneIds: [...zones].flatMap(([id, status]) => (status === "active" ? [id] : [])) };
  },
});
