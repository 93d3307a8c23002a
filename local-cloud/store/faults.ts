/** Faults as they are kept: what calls, jobs or the zones' parts meet until it is used up, over or taken back. */

/** Which calls meet a fault. */
interface Calls {
  /** An action's name, or `*` for any. */
  readonly action: string;
  /** Absent for any zone. */
  readonly zone?: string;
  /** Only calls that name this resource. */
  readonly resource?: string;
  /** How many calls are still to meet it. */
  readonly times: number;
  /** The how-manieth call for it is the first to meet it; counts down to 1. */
  readonly nth: number;
}

interface Refusal {
  /** A ret_code. */
  readonly code: number;
  readonly message: string;
}

export type CallFault = Calls &
  (
    | ({ readonly kind: "refuse" } & Refusal)
    | { readonly kind: "lose-request" }
    | { readonly kind: "lose-answer" }
    | { readonly kind: "delay"; readonly seconds: number }
    | { readonly kind: "http"; readonly code: number }
  );

/** Met by calls that start a job. */
export type JobFault = Calls & (({ readonly kind: "fail-job" } & Refusal) | { readonly kind: "hang-job" });

/** Holds by itself: until it is cleared or, with a time in milliseconds, until then. */
export type StateFault = { readonly until?: number } & (
  | {
      readonly kind: "exhaust";
      readonly zone?: string;
      /** What the zone has none of any more. */
      readonly of: Exhaustible;
    }
  | {
      readonly kind: "crash-node";
      readonly resource: string;
      /** The boot that crashed: another one is over it. */
      readonly boot: number;
    }
  | { readonly kind: "crash-router"; readonly resource: string }
  | {
      readonly kind: "clock";
      /** Seconds that the server's clock is ahead; negative where it is behind. */
      readonly offset: number;
    }
  | ({ readonly kind: "cut-link" } & Between)
  | ({
      readonly kind: "lose-packets";
      /** Percent. */
      readonly loss: number;
    } & Between)
  | ({
      readonly kind: "delay-packets";
      /** Milliseconds added to a round trip. */
      readonly rtt: number;
    } & Between)
  | {
      readonly kind: "cut-tunnel";
      /** A router static. */
      readonly resource: string;
    }
);

interface Between {
  /** Two zones, or one twice. */
  readonly between: readonly [string, string];
}

export type Exhaustible = "eip" | "instance" | "gpu" | "router" | "vxnet" | "volume";

export type Fault = CallFault | JobFault | StateFault;
export type FaultKind = Fault["kind"];
export type FaultOfKind<K extends FaultKind> = Extract<Fault, { readonly kind: K }>;

export interface FaultRecord {
  readonly kind: "fault";
  readonly id: string;
  /** `""`: faults are of the account. */
  readonly zone: "";
  readonly createTime: number;
  readonly fault: Fault;
}
