/** The state of a local cloud as `status --json` prints it. */
import type { DataPlane, Observation } from "./network/picture.ts";
import { isGone } from "./services/context.ts";
import { zones } from "./services/zones.ts";
import type { Kind } from "./store/resources.ts";
import type { Store } from "./store/store.ts";

export interface ZoneStatus {
  readonly id: string;
  /** How many there are of each kind; what every zone has from the start does not count. */
  readonly resources: Readonly<Record<Exclude<Kind, "job" | "fault" | "link">, number>>;
  /** Jobs that have not ended. */
  readonly jobs: number;
}

export interface CloudStatus {
  readonly running: boolean;
  readonly pid?: number;
  readonly home: string;
  /** The file that the official clients read. */
  readonly config: string;
  readonly endpoint?: string;
  readonly dataPlane: "linux" | "none";
  readonly bastion?: DataPlane["bastion"];
  readonly internetUrl?: string;
  readonly zones: readonly ZoneStatus[];
  readonly routers: Observation["routers"];
  readonly nodes: Observation["nodes"];
}

const kinds = [
  "eip",
  "security_group",
  "keypair",
  "vxnet",
  "router",
  "router_static",
  "instance",
  "userdata_attachment",
  "volume",
  "tag",
] as const satisfies readonly Exclude<Kind, "job" | "fault" | "link">[];

export function zoneStatuses(store: Store): ZoneStatus[] {
  return zones.map(({ id }) => {
    const count = (kind: (typeof kinds)[number]): number =>
      store.list(kind, id).filter((item) => !isGone(item) && !isBuiltIn(item)).length;
    const counts = Object.fromEntries(kinds.map((kind) => [kind, count(kind)]));
    const unfinished = store
      .list("job", id)
      .filter(({ status }) => status === "pending" || status === "working");
    return { id, resources: counts as ZoneStatus["resources"], jobs: unfinished.length };
  });
}

function isBuiltIn(item: { readonly id: string }): boolean {
  return item.id === "vxnet-0" || ("isDefault" in item && item.isDefault === true);
}
