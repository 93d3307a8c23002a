/** The state of a local cloud as `status --json` prints it. */
import type { DataPlane, Observation } from "./network/data-plane.ts";
import { isGone } from "./services/context.ts";
import type { ShownFault } from "./services/faults/faults.ts";
import { pictureOf } from "./services/picture.ts";
import { zones } from "./services/zones/zones.ts";
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
  /** What the data plane shows of them. */
  readonly routers: readonly RouterStatus[];
  readonly nodes: readonly NodeStatus[];
  readonly faults: readonly ShownFault[];
}

type SeenRouter = Observation["routers"][number];

export interface RouterStatus extends SeenRouter {
  readonly zone: string;
  readonly name: string;
  readonly eip?: { readonly address: string; readonly bandwidthMbps: number };
  readonly tunnels: readonly (SeenRouter["tunnels"][number] & {
    /** The address that the tunnel leads to. */
    readonly peer: string;
  })[];
}

export interface NodeStatus extends Pick<Observation["nodes"][number], "id" | "namespace" | "pid"> {
  readonly zone: string;
  readonly name: string;
  readonly image: string;
  readonly addresses: readonly string[];
}

/** What is seen of the data plane, with what the state knows of it. */
export function withDetails(store: Store, seen: Observation): Pick<CloudStatus, "routers" | "nodes"> {
  const picture = pictureOf(store);
  return {
    routers: seen.routers.map((router) => {
      const wanted = picture.routers.find(({ id }) => id === router.id);
      const tunnels = [...(wanted?.ipsecTunnels ?? []), ...(wanted?.greTunnels ?? [])];
      const zone = wanted?.zone ?? "";
      const eip = wanted?.eip;
      return {
        ...router,
        zone,
        name: store.get("router", zone, router.id)?.name ?? "",
        ...(eip === undefined ? {} : { eip: { address: eip.address, bandwidthMbps: eip.bandwidthMbps } }),
        tunnels: router.tunnels.map((tunnel) => ({
          ...tunnel,
          peer: tunnels.find(({ id }) => id === tunnel.id)?.remoteAddress ?? "",
        })),
      };
    }),
    nodes: seen.nodes.map((node) => {
      const instance = store.list("instance").find(({ id }) => id === node.id);
      return {
        ...node,
        zone: instance?.zone ?? "",
        name: instance?.name ?? "",
        image: instance?.imageId ?? "",
        addresses: instance?.nics.map(({ address }) => address).filter((address) => address !== "") ?? [],
      };
    }),
  };
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
