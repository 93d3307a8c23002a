import type { Stack } from "../harness/stack.ts";
import { timed } from "./measuring.ts";

/** How long a command takes that must succeed; an abort ends it with all that it started. */
export async function secondsOf(stack: Stack, signal: AbortSignal, args: readonly string[]): Promise<number> {
  signal.throwIfAborted();
  const running = stack.start(...args);
  const abort = () => void stack.kill(running);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const [took, { code, text }] = await timed(() => running.ended);
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${text}`);
    return took;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
