import { z } from "zod";
import { DescribeImages } from "../../qingcloud/actions.ts";
import { defineFunction } from "../function.ts";
import { zoneInput } from "./naming.ts";

export const getImages = defineFunction({
  token: "qingcloud:cloud:getImages",
  description: "The images of a zone that can be used now.",
  arguments: z.strictObject({
    zone: zoneInput,
    provider: z.enum(["system", "self"]).optional().describe("system: QingCloud's; self: the account's own."),
    osFamily: z.string().optional().describe("E.g. `ubuntu`, `debian`, `windows`."),
    search: z.string().optional().describe("A part of the id or the name."),
  }),
  result: z.object({
    images: z
      .array(
        z.object({
          id: z.string().describe("Image id."),
          name: z.string().describe("Name in the console."),
          platform: z.string().describe("linux or windows."),
          provider: z.string().describe("system or self."),
        }),
      )
      .describe("All that match."),
  }),

  async call(context, { zone, provider, osFamily, search }) {
    const images: { id: string; name: string; platform: string; provider: string }[] = [];
    for (let offset = 0; ; offset += 100) {
      const request = {
        status: ["available"],
        ...(provider === undefined ? {} : { provider }),
        ...(osFamily === undefined ? {} : { os_family: osFamily }),
        ...(search === undefined ? {} : { search_word: search }),
        limit: 100,
        offset,
      };
      const answer = await context.session.call(DescribeImages, zone, request, context);
      images.push(
        ...answer.image_set.map((found) => ({
          id: found.image_id,
          name: found.image_name,
          platform: found.platform,
          provider: found.provider,
        })),
      );
      if (offset + 100 >= answer.total_count) return { images };
    }
  },
});
