import { z } from "zod";
import { AttachTags, DescribeTags, DetachTags } from "../../qingcloud/actions.ts";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import { defineResource } from "../resource.ts";
import { zoneInput } from "./naming.ts";

const resourceTypes = ["eip", "router", "vxnet", "instance", "keypair", "security_group", "volume"] as const;
const resourceType = z.enum(resourceTypes);

export const tagAttachment = defineResource({
  type: "qingcloud:cloud:TagAttachment",
  description: "A Tag on a resource. Its id is `tag/type/resource`, e.g. `tag-1234abcd/router/rtr-1234abcd`.",
  inputs: z.strictObject({
    zone: zoneInput,
    tagId: z.string().describe("The tag."),
    resourceType: resourceType.describe(`${resourceTypes.join(", ")}.`),
    resourceId: z.string().describe("Id of the resource."),
  }),
  outputs: z.object({}),
  replaceOn: ["zone", "tagId", "resourceType", "resourceId"],

  async create(context, { zone, tagId, resourceType: type, resourceId }) {
    // Attaching twice is attaching once, so a lost answer needs no look.
    await context.session.call(
      AttachTags,
      zone,
      { resource_tag_pairs: [pair(tagId, type, resourceId)] },
      context,
    );
    return { id: `${tagId}/${type}/${resourceId}`, outputs: {} };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [tagId = "", type = "", resourceId = ""] = id.split("/");
    const request = { tags: [tagId], verbose: 1 };
    const { tag_set: found } = await context.session.call(DescribeTags, zone, request, context);
    const isThere = found[0]?.resource_tag_pairs?.some(
      (each) => each.resource_type === type && each.resource_id === resourceId,
    );
    if (isThere !== true) return undefined;
    return { inputs: { zone, tagId, resourceType: resourceType.parse(type), resourceId }, outputs: {} };
  },

  async delete(context, _id, { inputs: { zone, tagId, resourceType: type, resourceId } }) {
    try {
      const request = { resource_tag_pairs: [pair(tagId, type, resourceId)] };
      await context.session.call(DetachTags, zone, request, context);
    } catch (error) {
      if (!hasRetCode(error, retCodes.notFound)) throw error;
    }
  },
});

function pair(tagId: string, type: string, resourceId: string) {
  return { tag_id: tagId, resource_type: type, resource_id: resourceId };
}
