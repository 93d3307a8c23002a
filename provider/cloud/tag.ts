import { z } from "zod";
import { CreateTag, DeleteTags, DescribeTags, ModifyTagAttributes } from "../../qingcloud/actions.ts";
import { type Context, defineResource, idsNamed, type Named } from "../resource.ts";
import { createOnce, withQuota } from "./creating.ts";
import { deleteWhenFree } from "./deleting.ts";
import { listAll, searchFor } from "./listing.ts";
import { named, namedAsRead, nameOutput, oldShortName, shortLength, shortName } from "./naming.ts";

const defaultColor = "#9f9bb7";

export const tag = defineResource({
  type: "qingcloud:cloud:Tag",
  description: "A label for resources of a zone; TagAttachment puts it on one. Names are unique in a zone.",
  inputs: z.strictObject({
    ...named,
    name: z
      .string()
      .min(1)
      .max(shortLength)
      .optional()
      .describe("1 to 14 characters, unique in the zone. By default made of `mark` and the URN."),
    color: z
      .string()
      .regex(/^#([0-9a-f]{3}|[0-9a-f]{6})$/i, { error: "must be #rgb or #rrggbb, e.g. #9f9bb7" })
      .default(defaultColor)
      .describe("`#rgb` or `#rrggbb`."),
  }),
  outputs: z.object(nameOutput),
  replaceOn: ["zone"],
  deleteBeforeReplace: true,
  search,

  isSame: (property, { outputs }, news, urn) =>
    (property === "name" || property === "mark") &&
    (outputs.name === shortName(urn, news) ||
      (news.name === undefined && outputs.name === oldShortName(urn, news))),

  async create(context, inputs) {
    const { zone, color } = inputs;
    const name = shortName(context.urn, inputs);
    const { id } = await createOnce(context, {
      what: `tag "${name}"`,
      names: inputs,
      find: async (patient) => idsNamed(await search(patient, zone, name), name),
      create: () =>
        withQuota(context, zone, { tag: 1 }, async (options) => {
          return (await context.session.call(CreateTag, zone, { tag_name: name, color }, options)).tag_id;
        }),
    });
    return { id, outputs: { name } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await describe(context, zone, { tags: [id] });
    if (found === undefined) return undefined;
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, found.tag_name),
        color: found.color || defaultColor,
      },
      outputs: { name: found.tag_name },
    };
  },

  async update(context, id, { olds, news, outputs }) {
    const isOld = news.name === undefined && outputs.name === oldShortName(context.urn, news);
    const name = isOld ? outputs.name : shortName(context.urn, news);
    const request = {
      tag: id,
      ...(name === outputs.name ? {} : { tag_name: name }),
      ...(news.color === olds.color ? {} : { color: news.color }),
    };
    await context.session.call(ModifyTagAttributes, news.zone, request, context);
    return { name };
  },

  async delete(context, id, { inputs: { zone } }) {
    await deleteWhenFree(context, {
      kind: "tag",
      zone,
      id,
      async look() {
        const [found] = await describe(context, zone, { tags: [id], verbose: 1 });
        return found === undefined
          ? undefined
          : { users: (found.resource_tag_pairs ?? []).map(({ resource_id }) => resource_id) };
      },
      async remove() {
        await context.session.call(DeleteTags, zone, { tags: [id] }, context);
      },
    });
  },
});

async function search(context: Context, zone: string, word: string): Promise<Named[]> {
  const found = await describe(context, zone, searchFor(word));
  return found.map(({ tag_id: id, tag_name: name }) => ({ id, name }));
}

function describe(
  context: Context,
  zone: string,
  filter: { tags?: string[]; search_word?: string; verbose?: number },
) {
  return listAll(context, DescribeTags, zone, filter, "tag_set");
}
