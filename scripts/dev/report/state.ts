/** Zones, nodes, tunnels and files of a stack, as its state has them: also while an `up` is at work. */
import { isIPv4 } from "node:net";
import { z } from "zod";
import { type Resource, resourcesIn } from "../run/state.ts";

export interface NodeFacts {
  readonly name: string;
  readonly instanceId: string;
  readonly privateIp: string;
  /** E.g. `g2ntp100.4xlarge.r4`, or `4 CPU, 8 GiB`. */
  readonly shape: string;
  /** Undefined where it was not looked at. */
  readonly gpus: number | undefined;
}

export interface ZoneFacts {
  readonly name: string;
  readonly zoneId: string;
  readonly routerId: string | undefined;
  readonly publicIp: string | undefined;
  readonly nodes: readonly NodeFacts[];
}

export interface TunnelFacts {
  readonly zones: readonly [string, string];
  readonly kind: "ipsec" | "gre";
  readonly over: "internet" | "intranet";
  /** Undefined where the path was not checked. */
  readonly rttMs: number | undefined;
  readonly goodputMbps: number | undefined;
  readonly mtu: number | undefined;
}

export interface NetworkFacts {
  readonly zones: readonly ZoneFacts[];
  readonly tunnels: readonly TunnelFacts[];
}

const zoneOutputs = z.object({ vpcId: z.string().optional(), publicIp: z.string().optional() });
const instance = z.object({
  zone: z.string().optional(),
  privateIp: z.string(),
  instanceType: z.string().optional(),
  cpu: z.number().optional(),
  memoryGiB: z.number().optional(),
});
const ready = z.object({ gpus: z.number().optional() });
const side = z.object({ vpcId: z.string(), remoteAddress: z.string() });
const checked = z.object({
  rttMs: z.number().optional(),
  goodputMbps: z
    .number()
    .nullish()
    .transform((mbps) => mbps ?? undefined),
  mtu: z.number().optional(),
});

const kinds: Readonly<Record<string, TunnelFacts["kind"]>> = {
  "qingcloud:cloud:IpsecTunnel": "ipsec",
  "qingcloud:cloud:GreTunnel": "gre",
};

/**
 * @param stateText what `pulumi stack export` prints
 * @param nodesByRank names of nodes: theirs is the order of zones and nodes
 */
export function readNetwork(stateText: string, nodesByRank: readonly string[]): NetworkFacts {
  const resources = resourcesIn(stateText);
  const place = (nodes: readonly NodeFacts[]) => {
    const places = nodes.map(({ name }) => nodesByRank.indexOf(name)).filter((index) => index >= 0);
    return [Math.min(...places, nodesByRank.length), addressOrder(nodes[0]?.privateIp)] as const;
  };
  const zones = resources
    .filter(({ type }) => type === "crosszone:network:Zone")
    .map((zone) => readZone(zone, resources))
    .map((zone) => ({ ...zone, nodes: sortedBy(zone.nodes, (node) => place([node])) }));
  const sorted = sortedBy(zones, ({ nodes }) => place(nodes));
  const tunnels = resources
    .filter(({ type }) => type === "crosszone:network:Tunnel")
    .flatMap((tunnel) => readTunnel(tunnel, resources, sorted));
  const zoneOf = (name: string) => sorted.findIndex((zone) => zone.name === name);
  return {
    zones: sorted,
    tunnels: sortedBy(tunnels, ({ zones: [one, other] }) => [zoneOf(one), zoneOf(other)]),
  };
}

/** Of the files that a run is made of; the hash of one inside a container's image is not known. */
export interface FileFacts {
  readonly name: string;
  readonly sha256: string | undefined;
}

const fetchArguments = z.object({
  files: z.array(z.object({ name: z.string(), sha256: z.string().optional() })),
});

/** The files that a node got for its rank. */
export function readFiles(stateText: string, node: string): FileFacts[] {
  const fetching = resourcesIn(stateText).find(
    (each) => each.type === "command:remote:Command" && nameOf(each) === `${node}-fetch`,
  );
  const stdin = fetching?.inputs.stdin;
  if (typeof stdin !== "string") return [];
  return fetchArguments.parse(JSON.parse(stdin)).files.map(({ name, sha256 }) => ({ name, sha256 }));
}

function readZone({ urn, outputs }: Resource, resources: readonly Resource[]): ZoneFacts {
  const { vpcId, publicIp } = zoneOutputs.parse(outputs);
  const children = resources.filter(({ parent }) => parent === urn);
  const instances = children.filter(({ type }) => type === "qingcloud:cloud:Instance");
  const [zoneId] = children.flatMap(({ inputs }) => (typeof inputs.zone === "string" ? [inputs.zone] : []));
  const nodes = instances.map((each): NodeFacts => {
    const name = nameOf(each);
    const { privateIp, instanceType, cpu, memoryGiB } = instance.parse(each.inputs);
    const look = children.find(
      (child) => child.type === "qingcloud:link:NodeReady" && nameOf(child) === name,
    );
    return {
      name,
      instanceId: each.id,
      privateIp,
      shape: instanceType ?? `${cpu} CPU, ${memoryGiB} GiB`,
      gpus: look === undefined ? undefined : ready.parse(look.outputs).gpus,
    };
  });
  return { name: nameOf({ urn }), zoneId: zoneId ?? "", routerId: vpcId, publicIp, nodes };
}

/** One tunnel of its two sides; none where the second is not there yet. */
function readTunnel(
  tunnel: Resource,
  resources: readonly Resource[],
  zones: readonly ZoneFacts[],
): TunnelFacts[] {
  const children = resources.filter(({ parent }) => parent === tunnel.urn);
  const [one, other] = children
    .filter(({ type }) => type in kinds)
    .map(({ type, inputs }) => ({ kind: kinds[type], ...side.parse(inputs) }));
  const ends = [one, other].map((each) => zones.findIndex(({ routerId }) => routerId === each?.vpcId)).sort();
  const [here, there] = ends.map((index) => zones[index]?.name);
  if (one?.kind === undefined || here === undefined || there === undefined) return [];
  const check = children.find(({ type }) => type === "qingcloud:link:PathCheck");
  return [
    {
      zones: [here, there],
      kind: one.kind,
      over: isIPv4(one.remoteAddress) ? "internet" : "intranet",
      ...{ rttMs: undefined, goodputMbps: undefined, mtu: undefined },
      ...(check === undefined ? {} : checked.parse(check.outputs)),
    },
  ];
}

function nameOf({ urn }: Pick<Resource, "urn">): string {
  return urn.split("::").at(-1) ?? urn;
}

/** By the first of the values that differs. */
function sortedBy<Item>(
  items: readonly Item[],
  values: (item: Item) => readonly (string | number)[],
): Item[] {
  return [...items].sort((one, other) => {
    const [ours, theirs] = [values(one), values(other)];
    const index = ours.findIndex((value, position) => value !== theirs[position]);
    return index < 0 ? 0 : (ours[index] ?? 0) < (theirs[index] ?? 0) ? -1 : 1;
  });
}

/** An address as text that sorts like it. */
function addressOrder(address = ""): string {
  return address
    .split(".")
    .map((part) => part.padStart(3, "0"))
    .join(".");
}
