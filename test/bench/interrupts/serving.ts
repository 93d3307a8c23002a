/** The life of a worker's process: it answers one task after the other, and removes its lab when whoever has started it goes. */
import type { Lab } from "./lab.ts";

/** @param work an error is answered as `{error}` */
export function serve<Task>(lab: Lab, work: (task: Task) => Promise<object>): void {
  let isEnding = false;
  const end = async (): Promise<void> => {
    if (isEnding) return;
    isEnding = true;
    await lab.remove().catch(() => {});
    process.exit(0);
  };
  // The terminal's Ctrl-C reaches each process; who has started this one ends it in order.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  // A command that was cut off may have begun something here that fails unheard.
  process.on("unhandledRejection", () => {});
  process.on("disconnect", () => void end());
  process.on("message", (task: Task) => {
    void work(task)
      .catch((error: unknown) => ({
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }))
      .then((report) => {
        if (!isEnding) process.send?.(report);
      });
  });
}
