/** What a data plane does for the services: it makes the picture so, and tells what it sees and counts. */
import type { Picture } from "./picture.ts";

/** Packets at a link since it became what it is. */
export interface LinkObservation {
  readonly id: string;
  readonly passed: number;
  readonly lost: number;
}

/** What the data plane saw, for `status` and for tests. */
export interface Observation {
  /** The links whose packets are delayed, counted or lost. */
  readonly links?: readonly LinkObservation[];
  readonly routers: readonly {
    readonly id: string;
    readonly namespace: string;
    /** Bytes at the EIP since the router came up. */
    readonly received: number;
    readonly sent: number;
    readonly tunnels: readonly {
      readonly id: string;
      readonly kind: "ipsec" | "gre";
      /** IPSec: every child SA is up. GRE knows of no peer: it is set up and served on this side. */
      readonly established: boolean;
    }[];
  }[];
  readonly nodes: readonly {
    readonly id: string;
    readonly namespace: string;
    /** PID 1 of the node as the host sees it. */
    readonly pid: number;
  }[];
}

/** Bytes that have passed an interface since it is there. */
export interface Traffic {
  /** Into the resource. */
  readonly received: number;
  /** Out of the resource. */
  readonly sent: number;
  /** Which interface it is: another one has counted from 0. */
  readonly link: number;
}

/** What a volume's device has done since it was attached. */
export interface DiskUse {
  /** Bytes. */
  readonly read: number;
  readonly written: number;
  readonly reads: number;
  readonly writes: number;
  /** Which attachment it is: another one has counted from 0. */
  readonly attachment: number;
}

/** Counters for monitoring: they grow as long as what they count is the same. */
export interface Counters {
  readonly eips: readonly ({ readonly id: string } & Traffic)[];
  readonly routers: readonly {
    readonly id: string;
    /** Absent while no EIP is applied. */
    readonly uplink?: Traffic;
    /** Absent while its zone has no other router to reach without an EIP. */
    readonly intranet?: Traffic;
    readonly vxnets: readonly ({ readonly id: string } & Traffic)[];
  }[];
  readonly nodes: readonly {
    readonly id: string;
    /** PID 1 of the node: another one has counted from 0. */
    readonly pid: number;
    /** Of all its processes, ended ones too. */
    readonly cpuSeconds: number;
    /** What its processes hold now, without what is in files as well. */
    readonly memoryBytes: number;
    /** What its processes have had read from and written to disks; absent where the kernel does not count it. */
    readonly disk?: { readonly read: number; readonly written: number };
    readonly nics: readonly ({ readonly mac: string } & Traffic)[];
    readonly volumes: readonly ({ readonly id: string } & DiskUse)[];
  }[];
}

export interface DataPlane {
  /**
   * Makes the machine look like the picture and returns when it does; throws an Error that names the router or node
   * that could not be made so. Calls are serialised; a call that waits is merged with later ones (the last picture wins).
   */
  converge(picture: Picture): Promise<void>;
  observe(): Promise<Observation>;
  /** Reads the counters; cheap, for every few seconds. */
  count(): Promise<Counters>;
  /** Deletes what is kept of nodes and volumes that are not in the picture any more: what is on them. */
  forget(ids: readonly string[]): Promise<void>;
  /** Removes everything that runs, keeping the disks: namespaces, processes, mounts. */
  stop(): Promise<void>;
  /** The bastion for people and programs outside: SSH on loopback; absent without a data plane. */
  readonly bastion?: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly hostKey: string;
  };
  /** The web server inside the internet, e.g. `http://198.18.0.1`. */
  readonly internetUrl?: string;
}
