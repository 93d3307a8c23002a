/**
 * A clock that runs faster than the machine's, for the waits of the provider and of the local cloud: both of a cell have the
 * same one, so that time stamps agree. Timers and dates follow it; what Node and the machine time themselves does not.
 * Loaded before a process of theirs (`node --import`) it reads its settings from the environment.
 */
const RealDate = Date;
const real = { now: Date.now, setTimeout, setInterval };
const started = performance.now();

/** Where the settings are for other processes. */
export const clockVariable = "CROSSZONE_FAST_CLOCK";

let origin = real.now();
let shown = origin;
let speed = 1;

/** Milliseconds since the epoch by the fast clock. */
function now(): number {
  return Math.round(shown + (real.now() - origin) * speed);
}

/** Milliseconds since the epoch by the machine's clock. */
export const realNow = (): number => real.now();

/** A pause by the machine's clock. */
export function realPause(ms: number): Promise<void> {
  return new Promise((resolve) => real.setTimeout(resolve, ms));
}

/** From now on the clock runs so many times as fast; it never goes back. */
export function setSpeed(factor: number): void {
  shown = now();
  origin = real.now();
  speed = factor;
  process.env[clockVariable] = `${origin} ${shown} ${speed}`;
}

/** Whether gRPC asks for a timer: how long a connection to the CLI takes does not depend on the cloud. */
function isOfRpc(ms: number): boolean {
  return ms >= 1_000 && new Error().stack?.includes("/@grpc/grpc-js/") === true;
}

/** Puts the clock in the place of this process's. */
export function installClock(): void {
  class FastDate extends RealDate {
    constructor(...given: readonly unknown[]) {
      super(...((given.length === 0 ? [now()] : given) as [number]));
    }
    static override now = now;
  }
  globalThis.Date = FastDate as DateConstructor;
  const shownAtFirst = now();
  performance.now = () => started + now() - shownAtFirst;
  type Work = (...given: unknown[]) => void;
  const after = (work: Work, ms = 0, ...given: unknown[]) =>
    real.setTimeout(work, isOfRpc(ms) ? ms : ms / speed, ...given);
  const every = (work: Work, ms = 0, ...given: unknown[]) =>
    real.setInterval(work, isOfRpc(ms) ? ms : ms / speed, ...given);
  globalThis.setTimeout = Object.assign(after, real.setTimeout) as typeof setTimeout;
  globalThis.setInterval = Object.assign(every, real.setInterval) as typeof setInterval;
}

/** Whether a command line, or its program, is the provider: its sources, or the single file that set-up makes of them. */
export function isProvider(text: string): boolean {
  return /\/provider\/main\.(ts|mjs)(?=$| )/.test(text);
}

/** The project's command looks at the account, too. */
const isCommand = (text: string) => /\/scripts\/dev\/pulumi\.(ts|mjs)$/.test(text);

const given = process.env[clockVariable];
const [, own = ""] = process.argv;
if (given !== undefined && (isProvider(own) || isCommand(own))) {
  [origin = origin, shown = shown, speed = speed] = given.split(" ").map(Number);
  installClock();
}
