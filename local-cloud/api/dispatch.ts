/** One API call from its parameters to its answer: authenticate, check, hand over to the service, log. */
import { performance } from "node:perf_hooks";
import type { Action } from "../../qingcloud/action.ts";
import { actionsByName } from "../../qingcloud/actions.ts";
import { retCodes } from "../../qingcloud/errors.ts";
import type { Quotas } from "../services/account/limits.ts";
import type { Context } from "../services/context.ts";
import { ApiError, badValue, missing } from "../services/errors.ts";
import type { Faults } from "../services/faults/faults.ts";
import { needNotExhausted, serverTime } from "../services/faults/states.ts";
import { handlers } from "../services/handlers.ts";
import type { JobRunner } from "../services/jobs/runner.ts";
import { zones } from "../services/zones/zones.ts";
import type { Measurements } from "../store/measurements.ts";
import type { Store } from "../store/store.ts";
import { authenticate, type Credentials, type SignedRequest } from "./authentication.ts";
import type { CallLog } from "./call-log.ts";
import type { RateLimit } from "./rate-limit.ts";
import { readRequest } from "./validation.ts";

export interface Api {
  readonly store: Store;
  readonly runner: JobRunner;
  readonly credentials: Credentials;
  readonly calls: CallLog;
  readonly rateLimit: RateLimit;
  readonly faults: Faults;
  /** Milliseconds after creation at which a resource gets its lease. */
  readonly leaseDelay: number;
  readonly measurements: Measurements;
  readonly quotas: Quotas;
  readonly log: (line: string) => void;
}

export type Answer = Readonly<Record<string, unknown>> & { readonly ret_code: number };

/**
 * Answers a call; never throws.
 * @param beforeWork run once the call is found valid; an ApiError from it is the answer
 */
export function answer(api: Api, request: SignedRequest, beforeWork: () => void = () => undefined): Answer {
  const time = Date.now();
  const start = performance.now();
  const result = attempt(api, request, time, beforeWork);
  api.calls.write({
    time,
    parameters: request.parameters,
    retCode: result.ret_code,
    message: typeof result.message === "string" ? result.message : undefined,
    milliseconds: performance.now() - start,
  });
  return result;
}

function attempt(api: Api, request: SignedRequest, time: number, beforeWork: () => void): Answer {
  try {
    return {
      action: `${request.parameters.action}Response`,
      ret_code: retCodes.ok,
      ...perform(api, request, time, beforeWork),
    };
  } catch (error) {
    if (error instanceof ApiError) return { ret_code: error.retCode, message: error.message };
    api.log(
      `${request.parameters.action}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return { ret_code: retCodes.internal, message: "InternalError, see the log of the local cloud" };
  }
}

function perform(
  api: Api,
  request: SignedRequest,
  time: number,
  beforeWork: () => void,
): Record<string, unknown> {
  const { parameters } = request;
  if (!parameters.action) throw missing("action");
  const now = serverTime(api.store);
  authenticate(request, api.credentials, now);
  api.rateLimit.count(time);
  const action = actionsByName.get(parameters.action);
  if (action === undefined) {
    throw badValue(
      "action",
      parameters.action,
      `one of the ${actionsByName.size} actions of the local cloud`,
    );
  }
  const zone = readZone(action, parameters.zone);
  const context: Context = {
    zone,
    store: api.store,
    now,
    leaseDelay: api.leaseDelay,
    measurements: api.measurements,
    quotas: api.quotas,
    startJob: (work, resourceIds) =>
      api.runner.start(
        zone,
        work,
        resourceIds,
        api.faults.fateOfJob({ action: action.name, zone, parameters }),
      ),
  };
  const input = readRequest(action, parameters);
  beforeWork();
  const handler = handlers[action.name as keyof typeof handlers] as (
    input: Record<string, unknown>,
    context: Context,
  ) => Record<string, unknown>;
  if (action.isRead) return handler(input, context);
  const output = api.store.transaction(() => {
    const made = handler(input, context);
    needNotExhausted(api.store, action.name, zone, made);
    return made;
  });
  api.runner.wake();
  return output;
}

function readZone(action: Action, zone: string | undefined): string {
  if (action.name === "DescribeZones") return zone ?? "";
  if (!zone) throw missing("zone");
  if (!zones.some(({ id }) => id === zone))
    throw badValue("zone", zone, zones.map(({ id }) => id).join(", "));
  return zone;
}
