/** A client of the QingCloud API: typed calls in, checked answers out. */
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Action, RequestOf, ResponseOf } from "./action.ts";
import { QingCloudError, retCodeMeanings, retCodes } from "./errors.ts";
import type { Profile } from "./profile.ts";
import { canonicalQuery, encode, sign } from "./signature.ts";
import { toParameters } from "./wire.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since the epoch until which a busy cloud is asked again. */
  readonly deadline?: number | undefined;
  /** Whether 2500 means that a resource's quota is exhausted; else it is the quota of calls, and passes. */
  readonly isQuotaFinal?: boolean | undefined;
  /** Hears why a call is sent again. */
  progress?(message: string): void;
}

interface Answer {
  readonly body: unknown;
  /** When it was sent, as HTTP's header says. */
  readonly date: string | undefined;
}

/** After this time the cloud refuses a request (1300), so a lost one can no longer take effect. */
export const requestLifetimeMs = 60_000;
const connectTimeoutMs = 10_000;
const answerTimeoutMs = 60_000;
const patienceMs = 60_000;
const passing: ReadonlySet<number> = new Set([retCodes.busy, retCodes.updating]);
const firstPauseMs = 200;
const longestPauseMs = 10_000;

export class QingCloudClient {
  readonly profile: Profile;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(profile: Profile) {
    this.profile = profile;
    const Agent = profile.endpoint.protocol === "https:" ? HttpsAgent : HttpAgent;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 32 });
  }

  /**
   * Calls an action. A busy cloud (5100, 5300, an exhausted quota of calls: 2500) is asked again with back-off until the
   * deadline; after a lost answer, or an internal error (5000), whatever does not create is sent again: done twice it
   * is done once.
   * @throws QingCloudError; its `outcome` tells whether the cloud may have done it
   */
  async call<A extends Action>(
    described: A,
    zone: string | undefined,
    request: RequestOf<A>,
    options: CallOptions = {},
  ): Promise<ResponseOf<A>> {
    const patience = Date.now() + patienceMs;
    for (let attempt = 0; ; attempt++) {
      try {
        const { body, date } = await this.#send(described.name, zone, request, options.signal);
        return this.#read(described, body, date);
      } catch (error) {
        if (!(error instanceof QingCloudError) || !isWorthRepeating(error, described, options)) throw error;
        const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** attempt) * (0.5 + Math.random());
        // An endpoint that loses every answer is not the right one, however long the resource may take.
        const deadline = error.outcome === "unknown" ? patience : (options.deadline ?? patience);
        if (Date.now() + pause > deadline) throw error;
        options.progress?.(`${error.message} Asked again in ${(pause / 1000).toFixed(1)} s.`);
        await abortableDelay(pause, options.signal);
      }
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #read<A extends Action>(described: A, answer: unknown, date: string | undefined): ResponseOf<A> {
    const { ret_code: retCode, message } = answer as { ret_code?: unknown; message?: unknown };
    if (retCode !== retCodes.ok) throw refusal(described.name, retCode, message, this.profile, date);
    const parsed = described.response.safeParse(answer);
    if (parsed.success) return parsed.data as ResponseOf<A>;
    const issue = parsed.error.issues[0];
    throw new QingCloudError(
      `${described.name}: the answer of ${this.profile.endpoint.origin} has an unexpected form at ${issue?.path.join(".")}: ${issue?.message}.`,
      { action: described.name, retCode: retCodes.ok, outcome: "unknown" },
    );
  }

  #send(action: string, zone: string | undefined, request: object, signal?: AbortSignal): Promise<Answer> {
    const { endpoint, accessKeyId, secretAccessKey } = this.profile;
    const parameters: Record<string, string> = {
      ...toParameters(request as Record<string, unknown>),
      ...(zone === undefined ? {} : { zone }),
      action,
      access_key_id: accessKeyId,
      signature_method: "HmacSHA256",
      signature_version: "1",
      time_stamp: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
      version: "1",
    };
    const signature = sign("GET", endpoint.pathname, parameters, secretAccessKey);
    const path = `${endpoint.pathname}?${canonicalQuery(parameters)}&signature=${encode(signature)}`;
    const send = endpoint.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const fail = (what: string, cause: unknown, outcome: "refused" | "unknown") =>
        reject(new QingCloudError(`${action}: ${what}`, { action, outcome, cause }));
      const outgoing = send(endpoint, { path, agent: this.#agent, signal }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", (error) => fail(`the answer was lost (${error.message})`, error, "unknown"));
        response.on("end", () => {
          const body = Buffer.concat(chunks).toString("utf8");
          if (response.statusCode !== 200) {
            const isRefused = response.statusCode !== undefined && response.statusCode < 500;
            const advice = isRefused ? `. Is ${endpoint.href} the API's endpoint?` : "";
            const what = `${endpoint.origin} answered HTTP ${response.statusCode}${advice}`;
            fail(what, undefined, isRefused ? "refused" : "unknown");
            return;
          }
          try {
            resolve({ body: JSON.parse(body), date: response.headers.date });
          } catch (error) {
            fail(`${endpoint.origin} did not answer JSON`, error, "unknown");
          }
        });
      });
      outgoing.setTimeout(answerTimeoutMs, () =>
        outgoing.destroy(new Error(`no answer in ${answerTimeoutMs / 1000} s`)),
      );
      outgoing.on("socket", (socket) => {
        if (!socket.connecting) return;
        const late = Object.assign(new Error("no connection"), { code: "ETIMEDOUT" });
        const timer = setTimeout(() => outgoing.destroy(late), connectTimeoutMs);
        for (const event of ["connect", "close"] as const) socket.once(event, () => clearTimeout(timer));
      });
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        if (signal?.aborted) reject(error);
        else if (isNeverSent(error)) {
          fail(
            `${endpoint.origin} cannot be reached (${error.code}). Is the endpoint right and, for the local cloud, is it running (npm run cloud -- start)?`,
            error,
            "refused",
          );
        } else fail(`the answer of ${endpoint.origin} was lost (${error.message})`, error, "unknown");
      });
      outgoing.end();
    });
  }
}

function isNeverSent(error: NodeJS.ErrnoException): boolean {
  return ["ETIMEDOUT", "ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"].includes(
    error.code ?? "",
  );
}

function isWorthRepeating(error: QingCloudError, described: Action, options: CallOptions): boolean {
  // What was answered in an unexpected form will be so again.
  if (error.outcome === "unknown") return !described.isCreate && error.retCode !== retCodes.ok;
  if (error.retCode === retCodes.quotaExceeded) return options.isQuotaFinal !== true;
  return error.retCode !== undefined && passing.has(error.retCode);
}

function refusal(
  action: string,
  retCode: unknown,
  message: unknown,
  profile: Profile,
  date: string | undefined,
): QingCloudError {
  const code = typeof retCode === "number" ? retCode : -1;
  const said = typeof message === "string" && message !== "" ? message : "no message";
  const advice: Readonly<Record<number, string>> = {
    [retCodes.authenticationFailed]: ` Check the access key and secret of ${profile.source}.`,
    [retCodes.expired]: ` Set this machine's clock: it is ${clockError(date)}.`,
  };
  return new QingCloudError(
    `${action} was refused with ${code} (${retCodeMeanings[code] ?? "undocumented"}): ${said.replace(/\.$/, "")}.${advice[code] ?? ""}`,
    { action, retCode: code, outcome: code === retCodes.internal ? "unknown" : "refused" },
  );
}

/** By the answer's own date, which every HTTP server sends. */
function clockError(date: string | undefined): string {
  const seconds = date === undefined ? 0 : Math.round((Date.now() - Date.parse(date)) / 1000);
  // Less than that the answer's own way may have taken.
  if (!(Math.abs(seconds) > 30)) return "more than 60 s off";
  return `${Math.abs(seconds)} s ${seconds < 0 ? "behind" : "ahead of"} the cloud's`;
}

/** Resolves after `ms`, or rejects with the signal's reason as soon as it is aborted. */
export function abortableDelay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
