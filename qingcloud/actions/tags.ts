import { z } from "zod";
import { action, ids, int, listing, pageOf, someIds, text } from "../action.ts";

/** Tags are plain names: the API documents no values for them. */
export const CreateTag = action(
  "CreateTag",
  {
    /** Unique in the zone, fewer than 15 characters. */
    tag_name: text,
    /** `#rgb` or `#rrggbb`. */
    color: text.optional(),
  },
  { tag_id: text },
);

const resourceTagPair = z.looseObject({ tag_id: text, resource_type: text, resource_id: text });

export const DescribeTags = action(
  "DescribeTags",
  {
    ...listing,
    /** Only tags of these resources. */
    resources: ids.optional(),
  },
  pageOf(
    "tag_set",
    z.looseObject({
      tag_id: text,
      tag_name: text,
      color: text.nullish(),
      description: text.nullish(),
      create_time: text,
      resource_count: int,
      resource_type_count: z.array(z.looseObject({ resource_type: text, count: int })).nullish(),
      /** With `verbose: 1`. */
      resource_tag_pairs: z.array(resourceTagPair).nullish(),
    }),
  ),
);

export const ModifyTagAttributes = action(
  "ModifyTagAttributes",
  { tag: text, tag_name: text.optional(), color: text.optional(), description: text.optional() },
  {},
);

export const DeleteTags = action("DeleteTags", { tags: someIds }, { tags: ids });

const pairs = {
  resource_tag_pairs: z
    .array(
      z.object({
        tag_id: text,
        /** eip, router, vxnet, instance, keypair, security_group, volume and others. */
        resource_type: text,
        resource_id: text,
      }),
    )
    .min(1),
};

export const AttachTags = action("AttachTags", pairs, {});
export const DetachTags = action("DetachTags", pairs, {});
