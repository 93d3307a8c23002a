import { z } from "zod";
import type { RequestOf } from "../../qingcloud/action.ts";
import { DescribeImages } from "../../qingcloud/actions.ts";
import { defineFunction } from "../function.ts";
import { listAll } from "./listing.ts";
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
    const request: RequestOf<typeof DescribeImages> = {
      status: ["available"],
      ...(provider === undefined ? {} : { provider }),
      ...(osFamily === undefined ? {} : { os_family: osFamily }),
      ...(search === undefined ? {} : { search_word: search }),
    };
    const found = await listAll(context, DescribeImages, zone, request, "image_set");
    return {
      images: found.map((image) => ({
        id: image.image_id,
        name: image.image_name,
        platform: image.platform,
        provider: image.provider,
      })),
    };
  },
});
