/** Counters of traffic, processor time and memory, for monitoring: two programs and one look through /proc a reading. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Counters, Traffic } from "./data-plane.ts";
import type { Node } from "./nodes/node.ts";
import { type LinkStatistics, linkStatistics } from "./observation.ts";
import type { Router } from "./routers/router.ts";

/** Of the times in `/proc/PID/stat`, on every Linux. */
const ticksPerSecond = 100;
/** A kernel may be built without it. */
const countsDisk = existsSync("/proc/self/io");

export async function count(
  namespaces: { readonly internet: string; readonly switch: string },
  routers: readonly Router[],
  nodes: readonly Node[],
): Promise<Counters> {
  const [uplinks, ports] = await Promise.all([
    routers.length > 0 ? trafficOf(namespaces.internet) : new Map<string, Traffic>(),
    routers.length + nodes.length > 0 ? trafficOf(namespaces.switch) : new Map<string, Traffic>(),
  ]);
  const volumes = new Map(
    await Promise.all(nodes.map(async (node) => [node.id, await node.volumeUse()] as const)),
  );
  const processes = nodes.length > 0 ? readProcesses() : [];
  const children = Map.groupBy(processes, ({ parent }) => parent);
  // A router has a network of its own to each EIP of a node in its vxnets, named by it: that is no vxnet.
  const eipIds = new Set(routers.map(({ eipId }) => eipId));
  return {
    eips: routers.flatMap((router) => {
      const traffic = uplinks.get(router.internetDevice);
      return router.eipId === undefined || traffic === undefined ? [] : [{ id: router.eipId, ...traffic }];
    }),
    routers: routers
      .filter(({ isZones }) => !isZones)
      .map((router) => {
        const uplink = uplinks.get(router.internetDevice);
        const vxnets = router.vxnetPorts.flatMap(({ vxnet, device }) => {
          const traffic = ports.get(device);
          return traffic === undefined || eipIds.has(vxnet) ? [] : [{ id: vxnet, ...traffic }];
        });
        const intranet = router.intranetDevice === undefined ? undefined : ports.get(router.intranetDevice);
        return {
          id: router.id,
          ...(uplink === undefined ? {} : { uplink }),
          ...(intranet === undefined ? {} : { intranet }),
          vxnets,
        };
      }),
    nodes: nodes
      .filter(({ pid }) => pid > 0)
      .map((node) => ({
        id: node.id,
        pid: node.pid,
        ...usageOf(node.pid, processes, children),
        nics: node.ports.flatMap(({ mac, device }) => {
          const traffic = ports.get(device);
          return traffic === undefined ? [] : [{ mac, ...traffic }];
        }),
        volumes: volumes.get(node.id) ?? [],
      })),
  };
}

/** By interface. Interfaces here are the far ends: what one transmits is what the resource receives. */
async function trafficOf(namespace: string): Promise<Map<string, Traffic>> {
  const links: LinkStatistics[] = await linkStatistics(namespace);
  return new Map(
    links.map(({ ifname, ifindex, stats64 }) => [
      ifname,
      { received: stats64.tx.bytes, sent: stats64.rx.bytes, link: ifindex },
    ]),
  );
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Its own and that of the children it has waited for. */
  readonly ticks: number;
}

/** All processes of the machine. */
function readProcesses(): Process[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0)
    .flatMap((pid) => {
      const text = readText(`/proc/${pid}/stat`);
      // The name of the program, in brackets, may hold anything.
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      const field = (number: number): number => Number(fields[number - 3]);
      const ticks = field(14) + field(15) + field(16) + field(17);
      return text === "" ? [] : [{ pid, parent: field(4), ticks }];
    });
}

/** What PID 1 of a node and all its descendants use: the orphans of a PID namespace are children of its PID 1. */
function usageOf(
  init: number,
  processes: readonly Process[],
  children: ReadonlyMap<number, readonly Process[]>,
): Pick<Counters["nodes"][number], "cpuSeconds" | "memoryBytes" | "disk"> {
  let ticks = 0;
  let kibibytes = 0;
  const disk = { read: 0, written: 0 };
  const waiting = processes.filter(({ pid }) => pid === init);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    waiting.push(...(children.get(next.pid) ?? []));
    ticks += next.ticks;
    kibibytes += numberIn(readText(`/proc/${next.pid}/status`), "RssAnon");
    const io = readText(`/proc/${next.pid}/io`);
    disk.read += numberIn(io, "read_bytes");
    disk.written += numberIn(io, "write_bytes");
  }
  return {
    cpuSeconds: ticks / ticksPerSecond,
    memoryBytes: kibibytes * 1024,
    ...(countsDisk ? { disk } : {}),
  };
}

function numberIn(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(text)?.[1] ?? 0);
}

/** The file's text; `""` for what has ended or is not told. */
function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
