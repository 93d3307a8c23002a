/** Tags: names and colours that are attached to resources. Resources hold the ids of their tags, nothing else does. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Kind, ResourceOfKind, Tag } from "../../store/resources.ts";
import { accountId } from "../account/account.ts";
import { needQuota } from "../account/quotas.ts";
import {
  type Context,
  distinct,
  type Handler,
  type Handlers,
  isGone,
  need,
  newId,
  renamed,
  timestamp,
  type ZoneState,
} from "../context.ts";
import { alreadyExists, badValue } from "../errors.ts";
import { filter, page } from "../listing.ts";

/** What can have tags; resource_type has the same names. */
const taggable = [
  "eip",
  "router",
  "vxnet",
  "instance",
  "keypair",
  "security_group",
  "volume",
] as const satisfies readonly Kind[];
type TaggableKind = (typeof taggable)[number];
type Taggable = ResourceOfKind[TaggableKind];

const defaultColor = "#9f9bb7";
const maximumName = 14;

/** The tags of a resource as Describe actions answer them; what is gone has none. */
export function tagsOf(state: ZoneState, resource: Taggable) {
  const ids = isGone(resource) ? [] : resource.tagIds;
  return ids.flatMap((id) => {
    const tag = state.store.get("tag", state.zone, id);
    return tag === undefined ? [] : [{ tag_id: tag.id, tag_name: tag.name, color: tag.color }];
  });
}

function resourcesWith(state: ZoneState, tagId: string): Taggable[] {
  return taggable
    .flatMap((kind): Taggable[] => state.store.list(kind, state.zone))
    .filter((resource) => !isGone(resource) && resource.tagIds.includes(tagId));
}

const createTag: Handler<typeof actions.CreateTag> = (request, context) => {
  needQuota(context, "tag", 1);
  const tag: Tag = {
    kind: "tag",
    id: newId("tag"),
    zone: context.zone,
    name: request.tag_name,
    description: "",
    createTime: context.now,
    color: request.color ?? defaultColor,
  };
  checkTag(context, tag);
  context.store.put(tag);
  return { tag_id: tag.id };
};

function checkTag(context: Context, tag: Tag): void {
  const { length } = [...tag.name];
  if (length === 0 || length > maximumName) {
    throw badValue("tag_name", tag.name, `1 to ${maximumName} characters`);
  }
  if (!/^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(tag.color)) {
    throw badValue("color", tag.color, "#rgb or #rrggbb in hexadecimal digits");
  }
  const namesake = context.store
    .list("tag", context.zone)
    .find(({ id, name }) => name === tag.name && id !== tag.id);
  if (namesake !== undefined) throw alreadyExists(`tag [${namesake.id}] has the name [${tag.name}]`);
}

const describeTags: Handler<typeof actions.DescribeTags> = (request, context) => {
  const { tags: ids, ...filters } = request;
  const described = filter(context.store.list("tag", context.zone), filters, ids)
    .map((tag) => ({ tag, resources: resourcesWith(context, tag.id) }))
    .filter(
      ({ resources }) =>
        request.resources === undefined || resources.some(({ id }) => request.resources?.includes(id)),
    );
  const { items, total_count } = page(described, request);
  return {
    tag_set: items.map(({ tag, resources }) => ({
      tag_id: tag.id,
      tag_name: tag.name,
      color: tag.color,
      description: tag.description,
      create_time: timestamp(tag.createTime),
      owner: accountId,
      resource_count: resources.length,
      resource_type_count: distinct(resources.map(({ kind }) => kind)).map((kind) => ({
        resource_type: kind,
        count: resources.filter((resource) => resource.kind === kind).length,
      })),
      ...(request.verbose > 0
        ? {
            resource_tag_pairs: resources.map(({ kind, id }) => ({
              tag_id: tag.id,
              resource_type: kind,
              resource_id: id,
            })),
          }
        : {}),
    })),
    total_count,
  };
};

const modifyTagAttributes: Handler<typeof actions.ModifyTagAttributes> = (request, context) => {
  const before = need(context, "tag", request.tag);
  const tag: Tag = {
    ...renamed(before, request.tag_name, request.description),
    color: request.color ?? before.color,
  };
  checkTag(context, tag);
  context.store.put(tag);
  return {};
};

const deleteTags: Handler<typeof actions.DeleteTags> = (request, context) => {
  const tags = distinct(request.tags).map((id) => need(context, "tag", id));
  for (const tag of tags) {
    for (const resource of resourcesWith(context, tag.id)) {
      setTags(context, resource, (ids) => ids.filter((id) => id !== tag.id));
    }
    context.store.remove(tag);
  }
  return { tags: tags.map(({ id }) => id) };
};

function setTags(
  state: ZoneState,
  resource: Taggable,
  change: (ids: readonly string[]) => readonly string[],
): void {
  state.store.put({ ...resource, tagIds: change(resource.tagIds) });
}

const attachTags: Handler<typeof actions.AttachTags> = (request, context) =>
  changePairs(request, context, (ids, tagId) => distinct([...ids, tagId]));

const detachTags: Handler<typeof actions.DetachTags> = (request, context) =>
  changePairs(request, context, (ids, tagId) => ids.filter((id) => id !== tagId));

/** Attaching what is attached and detaching what is not are no errors. */
function changePairs(
  { resource_tag_pairs: pairs }: Parameters<typeof attachTags>[0],
  context: Context,
  change: (ids: readonly string[], tagId: string) => readonly string[],
): Record<string, never> {
  pairs.forEach((pair, index) => {
    const kind = taggable.find((candidate) => candidate === pair.resource_type);
    if (kind === undefined) {
      const name = `resource_tag_pairs.${index + 1}.resource_type`;
      throw badValue(name, pair.resource_type, taggable.join(", "));
    }
    const tag = need(context, "tag", pair.tag_id);
    setTags(context, need(context, kind, pair.resource_id), (ids) => change(ids, tag.id));
  });
  return {};
}

export const tagHandlers = {
  CreateTag: createTag,
  DescribeTags: describeTags,
  ModifyTagAttributes: modifyTagAttributes,
  DeleteTags: deleteTags,
  AttachTags: attachTags,
  DetachTags: detachTags,
} satisfies Partial<Handlers>;
