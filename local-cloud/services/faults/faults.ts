/**
 * Faults on request, so that clients can be tried: refusals, lost requests and answers, delays, jobs that fail or hang,
 * zones that have nothing left. They are kept in the state.
 */
import { setTimeout as delay } from "node:timers/promises";
import { retCodes } from "../../../qingcloud/errors.ts";
import type { Parameters } from "../../../qingcloud/signature.ts";
import type { CallFault, Fault, FaultRecord, JobFault } from "../../store/faults.ts";
import type { Job } from "../../store/resources.ts";
import type { Store } from "../../store/store.ts";
import { newId } from "../context.ts";
import { ApiError } from "../errors.ts";
import { isState, kinds } from "./kinds.ts";
import { describeFault, readFault } from "./reading.ts";
import { FaultError, type FaultRequest } from "./settings.ts";

export interface FaultedCall {
  readonly action: string;
  readonly zone: string;
  readonly parameters: Parameters;
}

/** What becomes of a call. */
export type Fate<Answer> = { readonly answer: Answer } | { readonly status: number } | "lost";

/** A fault as commands show it. */
export interface ShownFault {
  readonly id: string;
  /** When it is over by itself. */
  readonly until?: string;
  /** The jobs that it holds. */
  readonly jobs?: readonly string[];
  readonly text: string;
}

type Met<F extends Fault> = FaultRecord & { readonly fault: F };

export class Faults {
  private readonly store: Store;
  private readonly changed: () => void;

  /** @param changed called when what the data plane and jobs have to follow is another */
  constructor(store: Store, changed: () => void) {
    this.store = store;
    this.changed = changed;
  }

  /** @throws FaultError */
  add(request: FaultRequest): ShownFault {
    const now = Date.now();
    const fault = readFault(request, this.store, now);
    const record: FaultRecord = { kind: "fault", id: newId("flt"), zone: "", createTime: now, fault };
    this.store.transaction(() => this.store.put(record));
    this.changed();
    return this.show(record);
  }

  /** What is there, oldest first: a call meets the first that is for it. */
  list(): ShownFault[] {
    return this.store.list("fault").map((record) => this.show(record));
  }

  /** Takes one back, or all. Answers whether one of them held by itself. @throws FaultError where there is none of this id */
  clear(id?: string): boolean {
    const all = this.store.list("fault");
    const chosen = id === undefined ? all : all.filter((record) => record.id === id);
    if (id !== undefined && chosen.length === 0) {
      const ids = all.map((record) => record.id).join(", ");
      throw new FaultError(`there is no fault ${id}: there ${ids === "" ? "are none" : `is ${ids}`}`);
    }
    this.store.transaction(() => {
      for (const record of chosen) this.store.remove(record);
    });
    this.changed();
    return chosen.some(({ fault }) => isState(fault.kind));
  }

  /**
   * Lets a call meet its fault, if there is one.
   * @param perform does the call; it runs its argument, which may throw, once it has found the call valid
   * @param gone aborted when the client has gone
   */
  async meet<Answer extends { readonly ret_code: number }>(
    call: FaultedCall,
    perform: (beforeWork: () => void) => Answer,
    gone: AbortSignal,
  ): Promise<Fate<Answer>> {
    const { met, passed } = this.find<CallFault>(call, (fault) => kinds[fault.kind].met !== "job");
    const count = (moment: "arrival" | "work" | "answer"): void =>
      this.countDown(passed.filter(({ fault }) => kinds[fault.kind].met === moment));
    count("arrival");
    const work = (then?: () => void): Answer => {
      const answer = perform(() => {
        count("work");
        then?.();
      });
      if (answer.ret_code === retCodes.ok) count("answer");
      return answer;
    };
    switch (met?.fault.kind) {
      case "lose-request":
        this.use(met);
        return "lost";
      case "http":
        this.use(met);
        return { status: met.fault.code };
      case "refuse": {
        const { code, message } = met.fault;
        return {
          answer: work(() => {
            this.use(met);
            throw new ApiError(code, message);
          }),
        };
      }
      case "lose-answer": {
        const answer = work();
        if (answer.ret_code !== retCodes.ok) return { answer };
        this.use(met);
        return "lost";
      }
      case "delay": {
        this.use(met);
        const answer = work();
        await delay(met.fault.seconds * 1000, undefined, { signal: gone }).catch(() => undefined);
        return { answer };
      }
      default:
        return { answer: work() };
    }
  }

  /** How the job that a call starts has to end, if it has to; inside the call's transaction. */
  fateOfJob(call: FaultedCall): Pick<Job, "mustFail" | "heldBy"> {
    const { met, passed } = this.find<JobFault>(call, (fault) => kinds[fault.kind].met === "job");
    this.countDown(passed);
    if (met === undefined) return {};
    if (met.fault.kind === "hang-job") {
      // It stays, so that it can be cleared.
      this.change(met, { times: met.fault.times - 1 });
      return { heldBy: met.id };
    }
    this.use(met);
    return { mustFail: { code: met.fault.code, message: met.fault.message } };
  }

  /** The oldest fault that is for this call, and the older ones for which it is too early. */
  private find<F extends CallFault | JobFault>(
    call: FaultedCall,
    isOfSort: (fault: CallFault | JobFault) => boolean,
  ): { met?: Met<F>; passed: Met<F>[] } {
    const passed: Met<F>[] = [];
    for (const record of this.store.list("fault")) {
      const { fault } = record;
      if (!("action" in fault) || !isOfSort(fault) || fault.times === 0 || !isFor(fault, call)) continue;
      if (fault.nth === 1) return { met: record as Met<F>, passed };
      passed.push(record as Met<F>);
    }
    return { passed };
  }

  private countDown(records: readonly Met<CallFault | JobFault>[]): void {
    for (const record of records) this.change(record, { nth: record.fault.nth - 1 });
  }

  private use(record: Met<CallFault | JobFault>): void {
    if (record.fault.times > 1) this.change(record, { times: record.fault.times - 1 });
    else this.store.transaction(() => this.store.remove(record));
  }

  private change(record: FaultRecord, changes: { times?: number; nth?: number }): void {
    this.store.transaction(() =>
      this.store.put({ ...record, fault: { ...record.fault, ...changes } as Fault }),
    );
  }

  private show({ id, fault }: FaultRecord): ShownFault {
    const jobs = this.store.list("job").filter(({ heldBy }) => heldBy === id);
    return {
      id,
      ...fault,
      ...("until" in fault && fault.until !== undefined
        ? { until: new Date(fault.until).toISOString() }
        : {}),
      ...(jobs.length === 0 ? {} : { jobs: jobs.map((job) => job.id) }),
      text: describeFault(fault, Date.now(), jobs.length),
    } as ShownFault;
  }
}

function isFor(fault: CallFault | JobFault, { action, zone, parameters }: FaultedCall): boolean {
  const { resource } = fault;
  return (
    (fault.action === "*" || fault.action === action) &&
    (fault.zone === undefined || fault.zone === zone) &&
    (resource === undefined ||
      Object.values(parameters).some((value) => value === resource || value?.startsWith(`${resource}|`)))
  );
}
