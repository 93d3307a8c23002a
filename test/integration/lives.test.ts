/** Some random lives of a stack (test/bench/lives), others each time; the bench lives 500. */
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { Worker } from "../bench/interrupts/crew.ts";
import type { Report, Task } from "../bench/lives/worker.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 });

const worker = new Worker<Task, Report>(join(import.meta.dirname, "..", "bench", "lives", "worker.ts"));
afterAll(() => worker.end());

const first = Number(process.env.LIVES_SEED ?? Math.floor(Math.random() * 1_000_000));

test("3 random lives: after each step state and cloud are one, and nothing is left in the end", async () => {
  process.stdout.write(`lives: LIVES_SEED=${first}\n`);
  for (const seed of [first, first + 1, first + 2]) {
    const { commands, failure } = await worker.do({ seed, mostSteps: 3, shrinkSeconds: 60 });
    expect(failure, `LIVES_SEED=${seed}`).toBeUndefined();
    // An up, a preview and a destroy at least.
    expect(commands).toBeGreaterThanOrEqual(3);
  }
});
