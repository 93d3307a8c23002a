/** The workers of the matrix. */
import { join } from "node:path";
import { Worker } from "./crew.ts";
import type { Report, Task } from "./worker.ts";

export type TrialWorker = Worker<Task, Report>;

export const trialWorker = (): TrialWorker => new Worker(join(import.meta.dirname, "worker.ts"));
