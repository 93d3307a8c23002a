/** A context for life-cycle functions in tests, that keeps what it was told. */
import type { Context } from "../../../provider/resource.ts";
import type { Session } from "../../../provider/session.ts";

export interface TestContext extends Context {
  readonly made: Context["made"];
  readonly making: Context["making"];
  readonly ids: readonly string[];
  readonly told: readonly string[];
}

export function contextOf(more: Partial<Context> = {}): TestContext {
  const ids: string[] = [];
  const told: string[] = [];
  return {
    session: { freshMarks: new Set(), metAs: () => undefined } as unknown as Session,
    urn: "urn:pulumi:dev::crosszone::crosszone:network:Network$qingcloud:cloud:Eip::beijing",
    signal: new AbortController().signal,
    deadline: Date.now() + 600_000,
    halfMadeId: undefined,
    importZone: () => "pek3a",
    progress: (message) => told.push(message),
    warn: (message) => told.push(message),
    making: (_what, work) => work(),
    made: (id) => ids.push(id),
    note: () => {},
    changing: () => {},
    outdating: () => {},
    ids,
    told,
    ...more,
  };
}
