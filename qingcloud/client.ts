/** A client of the QingCloud API: typed calls in, checked answers out. */
import type { Agent } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Action, RequestOf, ResponseOf } from "./action.ts";
import { abortableDelay } from "./delay.ts";
import { QingCloudError, retCodeMeanings, retCodes } from "./errors.ts";
import { http } from "./http.ts";
import type { Profile } from "./profile.ts";
import { canonicalQuery, encode, sign } from "./signature.ts";
import { toParameters } from "./wire.ts";

export interface CallOptions {
  /** Ends the call at once; one that creates, and is sent, only with its answer. */
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
  /** When its request was: milliseconds since the epoch. */
  readonly sentAt: number;
}

/** After this time the cloud refuses a request (1300), so a lost one can no longer take effect. */
export const requestLifetimeMs = 60_000;
const connectTimeoutMs = 10_000;
const answerTimeoutMs = 60_000;
const patienceMs = 60_000;
/** A name server may be away for a moment. */
const namePatienceMs = 5_000;
const passing: ReadonlySet<number> = new Set([retCodes.busy, retCodes.updating]);
const firstPauseMs = 200;
const longestPauseMs = 10_000;

export class QingCloudClient {
  readonly profile: Profile;
  readonly #agent: Agent;
  /** Keeps no connection: one that the cloud has closed meanwhile would leave unknown whether a call was done. */
  readonly #creatingAgent: Agent;

  constructor(profile: Profile) {
    this.profile = profile;
    const OwnAgent = profile.endpoint.protocol === "https:" ? HttpsAgent : http.Agent;
    this.#agent = new OwnAgent({ keepAlive: true, maxSockets: 32 });
    this.#creatingAgent = new OwnAgent({ keepAlive: false, maxSockets: 32 });
  }

  /**
   * Calls an action. A busy cloud (5100, 5300, an exhausted quota of calls: 2500) is asked again with back-off until the
   * deadline; after a lost answer, or an internal error (5000), whatever does not create is sent again: done twice it
   * is done once. What was not sent is final, but where the name server asks to try again.
   * @throws QingCloudError; its `outcome` tells whether the cloud may have done it
   */
  async call<A extends Action>(
    described: A,
    zone: string | undefined,
    request: RequestOf<A>,
    options: CallOptions = {},
  ): Promise<ResponseOf<A>> {
    const since = Date.now();
    for (let attempt = 0; ; attempt++) {
      options.signal?.throwIfAborted();
      try {
        return this.#read(described, await this.#send(described, zone, request, options.signal));
      } catch (error) {
        if (!(error instanceof QingCloudError) || !isWorthRepeating(error, described, options)) throw error;
        const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** attempt) * (0.5 + Math.random());
        if (Date.now() + pause > lastTry(error, since, options)) throw error;
        options.progress?.(`${sentence(error.message)} Asked again in ${(pause / 1000).toFixed(1)} s.`);
        await abortableDelay(pause, options.signal);
      }
    }
  }

  close(): void {
    this.#agent.destroy();
    this.#creatingAgent.destroy();
  }

  #read<A extends Action>(described: A, answer: Answer): ResponseOf<A> {
    const { ret_code: retCode } = answer.body as { ret_code?: unknown };
    if (retCode !== retCodes.ok) throw refusal(described.name, answer, this.profile);
    const parsed = described.response.safeParse(answer.body);
    if (parsed.success) return parsed.data as ResponseOf<A>;
    const issue = parsed.error.issues[0];
    throw new QingCloudError(
      `${described.name}: the answer of ${this.profile.endpoint.origin} has an unexpected form at ${issue?.path.join(".")}: ${issue?.message}.`,
      { action: described.name, retCode: retCodes.ok, outcome: "unknown", sentAt: answer.sentAt },
    );
  }

  #send(
    { name: action, isCreate, method }: Action,
    zone: string | undefined,
    request: object,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const { endpoint, accessKeyId, secretAccessKey } = this.profile;
    const sentAt = Date.now();
    const parameters: Record<string, string> = {
      ...toParameters(request as Record<string, unknown>),
      ...(zone === undefined ? {} : { zone }),
      action,
      access_key_id: accessKeyId,
      signature_method: "HmacSHA256",
      signature_version: "1",
      time_stamp: new Date(sentAt).toISOString().replace(/\.\d+Z$/, "Z"),
      version: "1",
    };
    const signature = sign(method, endpoint.pathname, parameters, secretAccessKey);
    const query = `${canonicalQuery(parameters)}&signature=${encode(signature)}`;
    const form = method === "POST" ? query : undefined;
    const path = form === undefined ? `${endpoint.pathname}?${query}` : endpoint.pathname;
    const headers = form === undefined ? {} : { "Content-Type": "application/x-www-form-urlencoded" };
    const isTls = endpoint.protocol === "https:";
    const send = isTls ? httpsRequest : http.request;
    return new Promise((resolve, reject) => {
      let isConnected = false;
      const fail = (what: string, cause: unknown, outcome: "refused" | "unknown") =>
        reject(new QingCloudError(`${action}: ${what}`, { action, outcome, sentAt, cause }));
      const agent = isCreate ? this.#creatingAgent : this.#agent;
      const outgoing = send(endpoint, { method, path, headers, agent }, (response) => {
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
            resolve({ body: JSON.parse(body), date: response.headers.date, sentAt });
          } catch (error) {
            fail(`${endpoint.origin} did not answer JSON`, error, "unknown");
          }
        });
      });
      outgoing.setTimeout(answerTimeoutMs, () =>
        outgoing.destroy(new Error(`no answer in ${answerTimeoutMs / 1000} s`)),
      );
      outgoing.on("socket", (socket) => {
        // Kept alive from an earlier call.
        if (!socket.connecting) {
          isConnected = true;
          return;
        }
        const late = Object.assign(new Error("no connection"), { code: "ETIMEDOUT" });
        const timer = setTimeout(() => outgoing.destroy(late), connectTimeoutMs);
        socket.once("close", () => clearTimeout(timer));
        socket.once(isTls ? "secureConnect" : "connect", () => {
          clearTimeout(timer);
          isConnected = true;
        });
      });
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        // By its code an error does not tell when it came: a connection that is up may end as ETIMEDOUT too.
        if (isConnected)
          fail(`the answer of ${endpoint.origin} was lost (${error.message})`, error, "unknown");
        else {
          fail(
            `${endpoint.origin} cannot be reached (${error.code ?? error.message}). Is the endpoint right and, for the local cloud, is it running (npm run cloud -- start)?`,
            error,
            "refused",
          );
        }
      });
      const abort = () => {
        // What was made is known by its answer alone: that is worth waiting for.
        if (isCreate && isConnected) return;
        reject(signal?.reason);
        outgoing.destroy();
      };
      signal?.addEventListener("abort", abort, { once: true });
      outgoing.on("close", () => signal?.removeEventListener("abort", abort));
      outgoing.end(form);
    });
  }
}

function isWorthRepeating(error: QingCloudError, described: Action, options: CallOptions): boolean {
  // What was answered in an unexpected form will be so again.
  if (error.outcome === "unknown") return !described.isCreate && error.retCode !== retCodes.ok;
  if (error.retCode === undefined)
    return (error.cause as { code?: unknown } | undefined)?.code === "EAI_AGAIN";
  if (error.retCode === retCodes.quotaExceeded) return options.isQuotaFinal !== true;
  return passing.has(error.retCode);
}

/** Milliseconds since the epoch until which a call that began at `since` is repeated. */
function lastTry({ outcome, retCode }: QingCloudError, since: number, { deadline }: CallOptions): number {
  // An endpoint that loses every answer is not the right one, however long the resource may take.
  if (outcome === "unknown") return since + patienceMs;
  return retCode === undefined ? since + namePatienceMs : (deadline ?? since + patienceMs);
}

/** A message with its full stop, so that another may follow. */
export function sentence(message: string): string {
  return /[.?!]$/.test(message) ? message : `${message}.`;
}

function refusal(action: string, { body, date, sentAt }: Answer, profile: Profile): QingCloudError {
  const { ret_code: retCode, message } = body as { ret_code?: unknown; message?: unknown };
  const code = typeof retCode === "number" ? retCode : -1;
  const said = typeof message === "string" && message !== "" ? message : "no message";
  const advice: Readonly<Record<number, string>> = {
    [retCodes.authenticationFailed]: ` Check the access key and secret of ${profile.source}.`,
    [retCodes.expired]: ` Set this machine's clock: it is ${clockError(date)}.`,
  };
  return new QingCloudError(
    `${action} was refused with ${code} (${retCodeMeanings[code] ?? "undocumented"}): ${said.replace(/\.$/, "")}.${advice[code] ?? ""}`,
    { action, retCode: code, outcome: code === retCodes.internal ? "unknown" : "refused", sentAt },
  );
}

/** By the answer's own date, which every HTTP server sends. */
function clockError(date: string | undefined): string {
  const seconds = date === undefined ? 0 : Math.round((Date.now() - Date.parse(date)) / 1000);
  // Less than that the answer's own way may have taken.
  if (!(Math.abs(seconds) > 30)) return "more than 60 s off";
  return `${Math.abs(seconds)} s ${seconds < 0 ? "behind" : "ahead of"} the cloud's`;
}
