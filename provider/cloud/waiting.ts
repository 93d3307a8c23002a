/** Waiting on conditions of the cloud, always with a deadline and a word on what is waited for. */
import { abortableDelay } from "../../qingcloud/delay.ts";
import { hasRetCode, type QingCloudError, retCodes } from "../../qingcloud/errors.ts";
import type { Context } from "../resource.ts";

const firstPauseMs = 200;
const longestPauseMs = 3_000;
/** A resource may become idle just after it refused, so only refusals in a row while it is idle are final. */
const refusalsOfIdle = 3;

/** Milliseconds between looks: growing, with jitter, without end. */
export function* pauses(): Generator<number, never> {
  for (let pause = firstPauseMs; ; pause = Math.min(longestPauseMs, pause * 1.5)) {
    yield pause * (0.9 + Math.random() / 5);
  }
}

/**
 * Looks until `look` answers something.
 * @param what named in the progress and in the error, e.g. `router rtr-1 to become active`
 */
export async function until<Value>(
  context: Context,
  what: string,
  look: () => Promise<Value | undefined>,
): Promise<Value> {
  const started = Date.now();
  const pause = pauses();
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    const seconds = Math.round((Date.now() - started) / 1000);
    if (Date.now() > context.deadline) {
      throw new Error(
        `Waited ${seconds} s for ${what}. Look at it in the console, or run the same command again.`,
      );
    }
    context.progress(`waiting for ${what} ${seconds} s`);
    await abortableDelay(pause.next().value, context.signal);
  }
}

/** Waits for a job of `zone`, telling the user which. */
export async function untilJob(context: Context, zone: string, jobId: string): Promise<void> {
  await telling(context, `job ${jobId}`, context.session.jobs(zone).wait(jobId, context));
}

/** Tells the user every second what is waited for. @param what e.g. `job j-1234abcd` */
export async function telling<Value>(context: Context, what: string, work: Promise<Value>): Promise<Value> {
  const started = Date.now();
  const tell = () => context.progress(`waiting for ${what} ${Math.round((Date.now() - started) / 1000)} s`);
  const timer = setInterval(tell, 1_000);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/** A timer counts milliseconds in 31 bits: after these 24 days nobody waits. */
const longestTimerMs = 2 ** 31 - 1;
/** Work whose deadline is this resource's ends by itself, with the cloud's words. */
const graceMs = 1_000;

/**
 * Waits for work that serves others too, and so may have a later deadline than this resource.
 * @param what named in the progress and in the error, e.g. `UpdateRouters of rtr-1234abcd`
 */
export async function sharing<Value>(context: Context, what: string, work: Promise<Value>): Promise<Value> {
  const started = Date.now();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const tooLate = () => {
    const seconds = Math.round((Date.now() - started) / 1000);
    reject(new Error(`Waited ${seconds} s for ${what}. It may end later: run the same command again.`));
  };
  const timer = setTimeout(tooLate, Math.min(longestTimerMs, context.deadline - started + graceMs));
  try {
    return await telling(context, what, Promise.race([work, late]));
  } finally {
    clearTimeout(timer);
  }
}

/** Of a resource that refused: what was asked for is there, or it is at work, or it just refuses. */
export type Seen = "done" | "busy" | "idle";

/** What a wait needs of a context, so that waits without a resource of their own can be made too. */
export interface Patience {
  readonly signal?: AbortSignal;
  readonly deadline: number;
  progress?(message: string): void;
}

/**
 * Does `act`; while the cloud says that a state forbids it (1400, 2110) looks why, and does it again once it may pass.
 * A call that was sent again after a lost answer is refused too, and `look` then sees that it is done.
 * @throws QingCloudError, the last refusal, when nothing is going on that could end it
 */
export async function persist(
  patience: Patience,
  act: () => Promise<void>,
  look: (refusal: QingCloudError) => Promise<Seen>,
): Promise<void> {
  const pause = pauses();
  for (let refusedWhileIdle = 0; ; ) {
    try {
      return await act();
    } catch (error) {
      if (!hasRetCode(error, retCodes.permissionDenied, retCodes.alreadyExists)) throw error;
      const seen = await look(error);
      if (seen === "done") return;
      refusedWhileIdle = seen === "busy" ? 0 : refusedWhileIdle + 1;
      const next = pause.next().value;
      if (refusedWhileIdle === refusalsOfIdle || Date.now() + next > patience.deadline) throw error;
      patience.progress?.(`waiting, as ${error.message}`);
      await abortableDelay(next, patience.signal);
    }
  }
}
