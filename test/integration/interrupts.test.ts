/** A sample of the matrix of interruptions (test/bench/interrupts), other cells each time; the bench runs them all. */
import { afterAll, expect, test, vi } from "vitest";
import { runSample, sampleOf } from "../bench/interrupts/sample.ts";
import { trialWorker } from "../bench/interrupts/trial-worker.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 });

const workers = [trialWorker(), trialWorker()];
afterAll(async () => void (await Promise.all(workers.map((worker) => worker.end()))));

const seed = Number(process.env.INTERRUPTS_SEED ?? Math.floor(Math.random() * 1_000_000));

test("24 interrupted commands end well, and nothing is lost, doubled or left", async () => {
  process.stdout.write(`interrupts: INTERRUPTS_SEED=${seed}\n`);
  const { cells, failures, unmet } = await runSample(sampleOf(seed, 24), workers);
  expect(failures, `INTERRUPTS_SEED=${seed}`).toEqual([]);
  expect(cells).toBe(24);
  // Where more calls are missing, calls.json is of another provider: npm run bench -- interrupts --record
  expect(unmet.length, unmet.join(", ")).toBeLessThanOrEqual(3);
});
