/** Creating so that a lost answer never makes a second resource, and an exhausted quota is told by its name. */
import type { ResponseOf } from "../../qingcloud/action.ts";
import { DescribeJobs, GetQuotaLeft, GetResourceLimit } from "../../qingcloud/actions.ts";
import { type CallOptions, requestLifetimeMs, sentence } from "../../qingcloud/client.ts";
import { abortableDelay } from "../../qingcloud/delay.ts";
import { hasRetCode, QingCloudError, retCodes } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";
import { logicalNameOf } from "../urn.ts";
import { digitsOf, type Names } from "./naming.ts";

const lookPauseMs = 2_000;
/** How long a look may take: the next one is as good. */
const lookMs = 30_000;
const quotaPauseMs = 5_000;
/** How often a call is sent whose answers are lost and that makes nothing. */
const sends = 3;
/** Of a call that is refused with 2500 while others are answered, and no quota is known to be exhausted. */
const quotaTries = 3;

export interface Creation {
  /** For messages, e.g. `EIP "front-1a2b"`. */
  readonly what: string;
  readonly names: Names;
  /** Looks for the exact name: ids of what exists. @param context of the look, which Ctrl-C may not end */
  find(context: Context): Promise<readonly string[]>;
  create(): Promise<string | undefined>;
}

/**
 * Makes a resource, or adopts the one that an interrupted run made under the same name. A name that the program gives
 * may be somebody else's: what exists under it is not adopted, and nothing is made beside it.
 * A call whose answer was lost may still take effect until its time stamp expires; so it is looked for until then, and
 * only then is the failure final.
 * @returns the id, and whether it had existed before
 */
export async function createOnce(
  context: Context,
  { what, names, find, create }: Creation,
): Promise<{ id: string; adopted: boolean }> {
  if (context.halfMadeId !== undefined) return announce(context, context.halfMadeId, true);
  const before = isNew(context, names) ? undefined : await findOne(context, what, find);
  const other = before === undefined ? undefined : context.session.metAs(context.urn, before);
  if (other !== undefined) {
    throw new Error(
      `${what} is ${before}, which the stack has as ${logicalNameOf(other)}: a renaming of that did not end. Take this one out of the program, or give it another name, and run \`up\`; then it can have this name.`,
    );
  }
  if (before !== undefined && names.name !== undefined) {
    throw new Error(
      `${what} exists already (${before}), made by somebody else or to be replaced by this one. Give another name or none, take it over by \`pulumi import\`, or, if this stack has it under another URN, name that in an alias.`,
    );
  }
  if (before !== undefined) return announce(context, before, true);
  const { value, isFound } = await sendOnce(context, what, create, (patient) => findOne(patient, what, find));
  if (value === undefined) throw new Error(`${what}: the cloud accepted the call but answered no id.`);
  return announce(context, value, isFound);
}

/**
 * Sends a call that done twice makes two. Where its answer was lost, looks for what it makes until the call can no
 * longer take effect; if it has made nothing by then, sends it again, unless the run is cancelled.
 * @param what named in messages, e.g. `EIP "front-1a2b"`
 * @param look answers what is there; undefined while nothing is
 * @returns what was answered, or found
 */
export function sendOnce<Value>(
  context: Context,
  what: string,
  send: () => Promise<Value>,
  look: (context: Context) => Promise<Value | undefined>,
): Promise<{ value: Value; isFound: boolean }> {
  return context.making(what, () => sendUntilKnown(context, what, send, look));
}

async function sendUntilKnown<Value>(
  context: Context,
  what: string,
  send: () => Promise<Value>,
  look: (context: Context) => Promise<Value | undefined>,
): Promise<{ value: Value; isFound: boolean }> {
  for (let tries = 1; ; tries++) {
    try {
      return { value: await send(), isFound: false };
    } catch (error) {
      if (!(error instanceof QingCloudError) || error.outcome !== "unknown") throw error;
      // The call was answered: what is not known is how its job ended.
      if (error.action === DescribeJobs.name) throw error;
      context.progress(`the answer was lost; looking for ${what}`);
      const value = await findLost(context, what, error, look, tries === sends);
      if (value !== undefined) return { value, isFound: true };
      context.signal.throwIfAborted();
      context.progress(`${what} was not made; asking for it again`);
    }
  }
}

/**
 * Ctrl-C does not end it: what was made is to be known. It only shortens how long a cloud is asked that does not answer.
 * @param isLast an absence is a failure
 * @returns undefined where the call has made nothing and no longer can: only an answered look that began after its time
 * stamp has expired says so
 */
async function findLost<Value>(
  context: Context,
  what: string,
  lost: QingCloudError,
  look: (context: Context) => Promise<Value | undefined>,
  isLast: boolean,
): Promise<Value | undefined> {
  // Before that it may have been refused for long.
  const sentAt = lost.sentAt ?? Date.now();
  const expiresAt = sentAt + requestLifetimeMs;
  for (;;) {
    const askedAt = Date.now();
    const signal = AbortSignal.timeout(lookMs);
    let failure: Error | undefined;
    try {
      const value = await look({ ...context, signal, deadline: askedAt + lookMs });
      if (value !== undefined) return value;
    } catch (error) {
      // A look that this one shares may have been another's, which Ctrl-C has ended.
      const isOurs =
        error instanceof QingCloudError || error === signal.reason || error === context.signal.reason;
      if (!isOurs || !(error instanceof Error)) throw error;
      failure = error;
    }
    const isAbsent = failure === undefined && askedAt > expiresAt;
    if (isAbsent && !isLast) return undefined;
    const deadline = context.signal.aborted ? expiresAt + lookMs : context.deadline;
    if (isAbsent || Date.now() > deadline) {
      const seconds = Math.round((Date.now() - sentAt) / 1000);
      const found =
        failure === undefined
          ? `${what} was looked for and is not there after ${seconds} s.${isAbsent ? "" : " The cloud may still make it."}`
          : `Whether ${what} is there could not be found out in ${seconds} s: ${sentence(failure.message)}`;
      throw new QingCloudError(
        `${sentence(lost.message)} ${found} Run the same command again: it makes nothing twice.`,
        { action: lost.action, outcome: "unknown", sentAt, cause: lost },
      );
    }
    await abortableDelay(lookPauseMs);
  }
}

/** A mark that was made in this run is part of no name yet. */
function isNew({ session }: Context, { name, mark }: Names): boolean {
  return name === undefined && mark !== undefined && session.freshMarks.has(digitsOf(mark));
}

function announce(context: Context, id: string, adopted: boolean): { id: string; adopted: boolean } {
  context.made(id, adopted);
  return { id, adopted };
}

async function findOne(context: Context, what: string, find: Creation["find"]): Promise<string | undefined> {
  const found = await find(context);
  if (found.length > 1) {
    throw new Error(
      `${what} exists ${found.length} times (${found.join(", ")}). Import the right one by \`pulumi import\` or delete the others, then run again.`,
    );
  }
  return found[0];
}

/** How many of something one resource may hold; GetQuotaLeft does not tell. */
export interface Limit {
  /** As GetResourceLimit names it. */
  readonly name:
    | "max_volume_per_inst"
    | "max_security_group_rules"
    | "max_router_statics"
    | "max_router_vxnets";
  /** Of what, e.g. `instance i-1234abcd`. */
  readonly of: string;
  /** How many it would hold. */
  count(): Promise<number>;
}

/** By the API's names of quotas, e.g. {eip: 1, eip_bandwidth: 20}; undefined where the need is not known. */
export type WantedQuotas = Readonly<Record<string, number | undefined>>;

/**
 * Does what takes from a resource's quota. 2500 means that this quota, or the account's quota of calls, is exhausted:
 * what is left tells which. The first is final and told with its numbers; the second passes and is waited for. Where a
 * look at what is left was answered, and leaves enough, the call is tried twice more: then its quota is another one.
 * @param limit what is exhausted too where the call asks for more than one resource may hold
 */
export async function withQuota<Answer>(
  context: Context,
  zone: string,
  wanted: WantedQuotas,
  work: (options: CallOptions) => Promise<Answer>,
  limit?: Limit,
): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    try {
      return await work({ ...optionsOf(context), isQuotaFinal: true });
    } catch (error) {
      if (!hasRetCode(error, retCodes.quotaExceeded)) throw error;
      const left = await quotasLeft(context, zone, wanted);
      const told =
        exhaustedQuotas(zone, wanted, left) ??
        (limit === undefined ? undefined : await exceededLimit(context, zone, limit));
      if (told !== undefined) throw new Error(told, { cause: error });
      if (left.length > 0 && tries === quotaTries) {
        throw new Error(
          `${sentence(error.message)} It was refused so ${tries} times, while other calls were answered. The quota of zone ${zone}: ${tellQuotas(wanted, left)}. ${quotaAdvice}`,
          { cause: error },
        );
      }
      const pause = quotaPauseMs * (0.5 + Math.random());
      if (Date.now() + pause > context.deadline) throw error;
      const verdict = Object.values(wanted).includes(undefined)
        ? "Whether the resource's own quota is exhausted is not known"
        : "The resource's own quota is not exhausted";
      context.progress(`${error.message} ${verdict}; waiting for that of calls.`);
      await abortableDelay(pause, context.signal);
    }
  }
}

type QuotasLeft = ResponseOf<typeof GetQuotaLeft>["quota_left_set"];
const quotaAdvice = "Delete what is not needed there, or ask QingCloud for more.";

/** Empty where the cloud tells nothing. */
async function quotasLeft(context: Context, zone: string, wanted: WantedQuotas): Promise<QuotasLeft> {
  const names = Object.keys(wanted);
  if (names.length === 0) return [];
  // What the cloud has no quota of is not told by it.
  const { quota_left_set: left } = await context.session
    .call(GetQuotaLeft, zone, { resource_types: names }, context)
    .catch(unlessUnknown({ quota_left_set: [] }));
  return left;
}

function exhaustedQuotas(zone: string, wanted: WantedQuotas, left: QuotasLeft): string | undefined {
  const short = left.filter((quota) => quota.left < (wanted[quota.resource_type] ?? 0));
  if (short.length === 0) return undefined;
  return `The quota of zone ${zone} is exhausted: ${tellQuotas(wanted, short)}. ${quotaAdvice}`;
}

function tellQuotas(wanted: WantedQuotas, quotas: QuotasLeft): string {
  const told = quotas.map(({ resource_type: name, left }) => {
    const need = wanted[name];
    return need === undefined ? `${name} (${left} left)` : `${name} (${need} wanted, ${left} left)`;
  });
  return told.join(", ");
}

async function exceededLimit(context: Context, zone: string, limit: Limit): Promise<string | undefined> {
  const [count, { resource_limits: limits }] = await Promise.all([
    limit.count(),
    context.session
      .call(GetResourceLimit, zone, {}, context)
      .catch(unlessUnknown({ resource_limits: {} as Partial<Record<Limit["name"], number>> })),
  ]);
  const most = limits[limit.name];
  if (most == null || count <= most) return undefined;
  return `The limit of ${limit.of} in zone ${zone} is exhausted: ${limit.name} (${count} wanted, ${most} allowed). Take away what is not needed there, or ask QingCloud for more.`;
}

/** Neither action is documented in full: where the cloud does not know what is asked, nothing is known. */
function unlessUnknown<Answer>(nothing: Answer): (error: unknown) => Answer {
  return (error) => {
    if (hasRetCode(error, retCodes.malformed, retCodes.invalidParameter)) return nothing;
    throw error;
  };
}

function optionsOf({ signal, deadline, progress, changing }: Context) {
  return { signal, deadline, progress, changing } satisfies CallOptions & Pick<Context, "changing">;
}
