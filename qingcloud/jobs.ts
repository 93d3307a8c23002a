/** Waiting for asynchronous jobs: all waiters of a zone share one DescribeJobs call a round. */
import { DescribeJobs } from "./actions.ts";
import { type QingCloudClient, sentence } from "./client.ts";
import { abortableDelay } from "./delay.ts";
import { QingCloudError } from "./errors.ts";

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  /** Hears why a look is made again. */
  progress?(message: string): void;
}

interface Waiter {
  readonly jobId: string;
  readonly deadline: number;
  readonly since: number;
  /** Of the pauses, about 1: many programs shall not ask in step. */
  readonly jitter: number;
  status: string;
  progress(message: string): void;
  resolve(): void;
  reject(error: unknown): void;
}

/** DescribeJobs answers at most 100 a page. */
const jobsPerCall = 100;
const firstLookMs = 200;
const longestPauseMs = 3_000;
/** setTimeout takes no more. */
const longestTimerMs = 2 ** 31 - 1;

export class JobPoller {
  readonly #client: QingCloudClient;
  readonly #zone: string;
  readonly #waiters = new Set<Waiter>();
  #polling = false;
  #lookedAt = 0;
  /** Ends the present pause: a new waiter may want to look earlier. */
  #hurry = new AbortController();
  /** Ends the present look, for which nobody waits. */
  #unheard = new AbortController();
  /** Why the last look has no answer, or the present one none yet. */
  #trouble = "";

  constructor(client: QingCloudClient, zone: string) {
    this.#client = client;
    this.#zone = zone;
  }

  /**
   * Resolves when the job is successful. A cloud that cannot be reached, or whose answers are lost, is asked again until
   * the deadline: the job goes on meanwhile.
   * @throws QingCloudError when it failed, or when the deadline passed: then its outcome is unknown
   */
  wait(jobId: string, options: WaitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        jobId,
        deadline: options.deadline,
        since: Date.now(),
        jitter: 0.9 + Math.random() / 5,
        status: "pending",
        progress: (message) => options.progress?.(message),
        resolve: () => settle(resolve),
        reject: (error) => settle(() => reject(error)),
      };
      const abort = () => waiter.reject(options.signal?.reason);
      const settle = (then: () => void) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        if (this.#waiters.size === 0) this.#unheard.abort();
        options.signal?.removeEventListener("abort", abort);
        then();
      };
      if (options.signal?.aborted) return reject(options.signal.reason);
      // A busy cloud may keep a look from its answer for long.
      const timer = setTimeout(
        () => waiter.reject(this.#timeout(waiter)),
        Math.min(longestTimerMs, options.deadline - Date.now()),
      );
      options.signal?.addEventListener("abort", abort, { once: true });
      this.#waiters.add(waiter);
      this.#hurry.abort();
      if (!this.#polling) void this.#poll();
    });
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    while (this.#waiters.size > 0) {
      await this.#pause();
      if (this.#waiters.size === 0) break;
      this.#lookedAt = Date.now();
      this.#unheard = new AbortController();
      const { signal } = this.#unheard;
      try {
        await this.#look(signal);
      } catch (error) {
        if (signal.aborted) continue;
        if (error instanceof QingCloudError && error.retCode === undefined) {
          this.#trouble = `${sentence(error.message)} `;
          for (const waiter of this.#waiters) waiter.progress(`${this.#trouble}Asked again soon.`);
          continue;
        }
        for (const waiter of [...this.#waiters]) waiter.reject(error);
      }
    }
    this.#polling = false;
  }

  /** Until the next look is due for the first of the waiters; who comes meanwhile counts too. */
  async #pause(): Promise<void> {
    for (;;) {
      const due = Math.min(...[...this.#waiters].map((waiter) => this.#dueOf(waiter)));
      const left = Math.min(longestPauseMs, due - Date.now());
      if (!(left > 0)) return;
      this.#hurry = new AbortController();
      const { signal } = this.#hurry;
      await abortableDelay(left, signal).catch(() => {});
      if (!signal.aborted) return;
    }
  }

  /** The longer a job has taken, the longer the pause to the next look. */
  #dueOf({ since, jitter }: Waiter): number {
    if (since >= this.#lookedAt) return since + firstLookMs * jitter;
    const age = this.#lookedAt - since;
    return this.#lookedAt + Math.min(longestPauseMs, Math.max(firstLookMs, age / 6)) * jitter;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const options = {
      signal,
      // Each waiter ends at its own.
      deadline: Number.POSITIVE_INFINITY,
      progress: (message: string) => {
        this.#trouble = `${message} `;
        for (const waiter of this.#waiters) waiter.progress(message);
      },
    };
    const waiting = [...this.#waiters];
    const jobs = [...new Set(waiting.map(({ jobId }) => jobId))];
    for (let first = 0; first < jobs.length; first += jobsPerCall) {
      const asked = jobs.slice(first, first + jobsPerCall);
      const request = { jobs: asked, limit: jobsPerCall };
      const { job_set: found } = await this.#client.call(DescribeJobs, this.#zone, request, options);
      this.#trouble = "";
      const byId = new Map(found.map((job) => [job.job_id, job]));
      for (const waiter of waiting.filter(({ jobId }) => asked.includes(jobId))) {
        const job = byId.get(waiter.jobId);
        waiter.status = job?.status ?? "unknown to the zone";
        if (job?.status === "successful") waiter.resolve();
        else if (job?.status === "failed" || job?.status === "done with failure") waiter.reject(failure(job));
      }
    }
  }

  #timeout(waiter: Waiter): QingCloudError {
    const seconds = Math.round((Date.now() - waiter.since) / 1000);
    return new QingCloudError(
      `Job ${waiter.jobId} in zone ${this.#zone} is still ${waiter.status} after ${seconds} s. ${this.#trouble}It may end later: run the same command again.`,
      { action: "DescribeJobs", outcome: "unknown" },
    );
  }
}

function failure(job: {
  job_id: string;
  job_action: string;
  status: string;
  error_codes?: string | undefined;
  resource_ids: string;
}) {
  const reason = job.error_codes ? ` (${job.error_codes})` : "";
  return new QingCloudError(
    `Job ${job.job_id}, ${job.job_action} of ${job.resource_ids}, ended as ${job.status}${reason}.`,
    { action: job.job_action, outcome: "refused" },
  );
}
