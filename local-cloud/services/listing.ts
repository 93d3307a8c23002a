/** What all Describe actions share: filters and paging. */
import type {
  Eip,
  Instance,
  KeyPair,
  Router,
  SecurityGroup,
  Tag,
  Volume,
  Vxnet,
} from "../store/resources.ts";
import { accountId } from "./account/account.ts";
import { isGone } from "./context.ts";

/** The system never answers more than this in one page. */
const maximumLimit = 100;

type Listed = Eip | SecurityGroup | KeyPair | Vxnet | Router | Instance | Volume | Tag;

interface Page {
  readonly offset: number;
  readonly limit: number;
  readonly owner?: string | undefined;
  /** There are no projects: nothing is in one. */
  readonly project_id?: string | undefined;
}

interface Filters extends Page {
  readonly search_word?: string | undefined;
  /** Resources that have at least one of these tags. */
  readonly tags?: readonly string[] | undefined;
  readonly status?: readonly string[] | undefined;
}

/** One page of what is the account's, and how many match in all. A limit of 0 means none was given. */
export function page<Item>(
  items: readonly Item[],
  request: Page,
): {
  items: Item[];
  total_count: number;
} {
  const limit = Math.min(request.limit === 0 ? 20 : request.limit, maximumLimit);
  const isOwn = request.owner === undefined || request.owner === accountId;
  const own = isOwn && request.project_id === undefined ? items : [];
  return { items: own.slice(request.offset, request.offset + limit), total_count: own.length };
}

/**
 * The resources that a Describe action asks for. What is gone is only listed where its id or its status is asked for.
 * `search_word` matches a part of the id or the name.
 */
export function filter<R extends Listed>(
  resources: readonly R[],
  request: Filters,
  ids: readonly string[] | undefined,
): R[] {
  const word = request.search_word?.toLowerCase();
  return resources.filter(
    (resource) =>
      (ids === undefined || ids.includes(resource.id)) &&
      (request.status === undefined || ("status" in resource && request.status.includes(resource.status))) &&
      (ids !== undefined || request.status !== undefined || !isGone(resource)) &&
      (request.tags === undefined || hasTag(resource, request.tags)) &&
      (word === undefined ||
        resource.id.toLowerCase().includes(word) ||
        resource.name.toLowerCase().includes(word)),
  );
}

function hasTag(resource: Listed, wanted: readonly string[]): boolean {
  if (isGone(resource) || resource.kind === "tag") return false;
  return resource.tagIds.some((id) => wanted.includes(id));
}
