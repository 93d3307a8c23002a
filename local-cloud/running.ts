/** The running cloud that a command is for. */
import { Failure } from "./failure.ts";
import { Home } from "./home.ts";
import { type PidRecord, readRunning } from "./pid-record.ts";

/** @param what that its server keeps, e.g. `the faults`. @throws Failure where none runs */
export function needRunning({ home }: { readonly home: string }, what: string): PidRecord {
  const running = readRunning(Home.use(home).pid);
  if (running !== undefined) return running;
  throw new Failure(
    `the local cloud of ${home} is not running, its server keeps ${what}: start it first (npm run cloud -- start)`,
  );
}
