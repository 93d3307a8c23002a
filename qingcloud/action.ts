/**
 * How an API action is described: once, for the client, the local cloud, the tests and the documentation.
 * Source of the facts: the QingCloud API reference and the official SDKs.
 */
import { z } from "zod";

export interface Action<
  Request extends z.ZodObject = z.ZodObject,
  Response extends z.ZodObject = z.ZodObject,
> {
  /** The value of the `action` parameter, e.g. `AllocateEips`. */
  readonly name: string;
  readonly request: Request;
  readonly response: Response;
  readonly isRead: boolean;
  /** Done twice it makes two; all others may be sent again after a lost answer. */
  readonly isCreate: boolean;
  /** Parameters that never reach a log. */
  readonly secrets: readonly string[];
  /** `POST` where the parameters are too long for an address. */
  readonly method: "GET" | "POST";
}

/** What a caller passes: parameters with a default may be left out. */
export type RequestOf<A extends Action> = z.input<A["request"]>;
/** What a server sees: checked, with defaults filled in. */
export type ParsedRequestOf<A extends Action> = z.output<A["request"]>;
export type ResponseOf<A extends Action> = z.output<A["response"]>;

/**
 * Describes an action.
 * @param secrets parameters whose values are replaced in every log, by their name without index (`statics`, `userdata_value`)
 */
export function action<Request extends z.ZodRawShape, Response extends z.ZodRawShape>(
  name: string,
  request: Request,
  response: Response,
  secrets: readonly string[] = [],
  method: Action["method"] = "GET",
) {
  return {
    name,
    request: z.object(request),
    response: z.looseObject(response),
    isRead: /^(Describe|Get)/.test(name),
    isCreate: /^(Add|Allocate|Clone|Copy|Create|Run|Upload)/.test(name),
    secrets,
    method,
  };
}

/** An integer; the API sends and wants JSON numbers. */
export const int = z.number().int();
export const text = z.string();
export const ids = z.array(z.string());
/** At least one id. */
export const someIds = z.array(z.string()).min(1);
export const flag = z.union([z.literal(0), z.literal(1)]);
export const timestamp = z.iso.datetime();
/** Answer of an asynchronous action: its effect comes with the end of the job. */
export const job = { job_id: z.string() };
/** The tags of a resource, where a Describe action answers them. */
export const tagged = {
  tags: z.array(z.looseObject({ tag_id: text, tag_name: text, color: text.nullish() })).nullish(),
};
/** Paging of every Describe action. */
export const page = { offset: int.min(0).default(0), limit: int.min(0).default(20) };
/** Parameters that every Describe action of a resource knows beside its own. */
export const listing = {
  ...page,
  search_word: text.optional(),
  tags: ids.optional(),
  verbose: int.default(0),
  owner: text.optional(),
  project_id: text.optional(),
};
/** Answer of a Describe action: one page of a set, and how many there are in all. */
export function pageOf<Item extends z.ZodType, Key extends string>(key: Key, item: Item) {
  return { [key]: z.array(item), total_count: int } as { [K in Key]: z.ZodArray<Item> } & {
    total_count: typeof int;
  };
}
