/** The running cloud that a command is for. */
import { Failure } from "./failure.ts";
import { Home } from "./home.ts";
import { findRunning, type PidRecord } from "./pid-record.ts";

/** @param what that its server keeps, e.g. `the faults`. @throws Failure where none runs */
export async function needRunning({ home }: { readonly home: string }, what: string): Promise<PidRecord> {
  const running = await findRunning(Home.use(home).pid);
  if (running !== undefined) return running;
  throw new Failure(
    `the local cloud of ${home} is not running, its server keeps ${what}: start it first (npm run cloud -- start)`,
  );
}
