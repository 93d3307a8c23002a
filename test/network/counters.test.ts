/** What monitoring counts: bytes at EIPs, routers and nodes, and what the processes of a node use. */

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Counters, DataPlane } from "../../local-cloud/network/data-plane.ts";
import { createLinuxDataPlane } from "../../local-cloud/network/linux.ts";
import { until } from "../../local-cloud/network/machine/shell.ts";
import type { NodePicture, RouterPicture } from "../../local-cloud/network/picture.ts";
import { uplinkDevice } from "../../local-cloud/network/routers/firewall.ts";
import { Sampler } from "../../local-cloud/services/monitoring/sampler.ts";
import { Measurements } from "../../local-cloud/store/measurements.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { keyPair } from "../ssh-keys.ts";
import { node, output, ownPrefix, router, sshRun, temporaryFolder } from "./support.ts";

type Bytes = readonly [received: number, sent: number];

const home = temporaryFolder();
const webRoot = temporaryFolder();
const prefix = ownPrefix("m");
const key = keyPair();
const size = 500_000;
const fetchFile = `python3 -c "import urllib.request as r; print(len(r.urlopen('http://198.18.0.1/file').read()))"`;
/** Uses half a second of processor time, and so does its child. */
const burn = `python3 -c "
import os, time
child = os.fork()
while time.process_time() < 0.5: pass
if child: os.waitpid(child, 0)
"`;
/** Holds 50 MB until it is killed. */
const hold = `python3 -c "
import signal
held = b'x' * 50_000_000
print('held', flush=True)
signal.pause()
" > /tmp/held 2>&1 < /dev/null & echo $! > /tmp/holder
until grep -q held /tmp/held; do sleep 0.02; done`;

describe("counters", { timeout: 30_000 }, () => {
  let plane: DataPlane;
  const measurements = new Measurements(":memory:");
  let sampler: Sampler;

  const converge = (changes: Partial<RouterPicture> = {}, nodeChanges: Partial<NodePicture> = {}) =>
    plane.converge({
      routers: [router(1, { ipsecTunnels: [], ...changes })],
      nodes: [node(1, [key.public], { image: "bare", ...nodeChanges })],
      bastionKeys: [key.public],
    });

  beforeAll(async () => {
    requireDataPlane();
    writeFileSync(join(webRoot, "file"), Buffer.alloc(size));
    plane = await createLinuxDataPlane({ home, prefix, bastionPort: 0, webRoot, log: () => {} });
    sampler = new Sampler({
      dataPlane: plane,
      measurements,
      sizeOf: () => undefined,
      log: (line) => {
        throw new Error(line);
      },
      now: Date.now,
    });
    await converge();
  });
  afterAll(async () => {
    await plane?.stop();
    for (const folder of [home, webRoot]) rmSync(folder, { recursive: true, force: true });
  });

  const onNode = (command: string, address = "203.0.113.10"): Promise<string> =>
    sshRun(plane, { address, port: 2201, user: "root", privateKey: key.private }, command);

  /** Bytes of an interface, as its own namespace sees it. */
  const bytes = async (namespace: string, device: string): Promise<Bytes> => {
    const args = ["-n", `${prefix}-${namespace}`, "-json", "-stats", "link", "show", device];
    const [link] = JSON.parse(await output("ip", ...args)) as {
      stats64: Record<"rx" | "tx", { bytes: number }>;
    }[];
    if (link === undefined) throw new Error(`${namespace} has no ${device}`);
    return [link.stats64.rx.bytes, link.stats64.tx.bytes];
  };
  const interfaces = async () => ({
    uplink: await bytes("rtr-00000001", uplinkDevice),
    vxnet: await bytes("rtr-00000001", "vxnet-00000001"),
    eth: await bytes("i-00000001", "eth0"),
  });
  /** What the interfaces say of themselves, and what `look` saw while no packet passed. */
  const quiet = async <Seen>(look: () => Promise<Seen>) => {
    const found: { look?: { seen: Seen; own: Awaited<ReturnType<typeof interfaces>> } } = {};
    await until("a moment without packets", async () => {
      const own = await interfaces();
      found.look = { own, seen: await look() };
      return isDeepStrictEqual(own, await interfaces());
    });
    if (found.look === undefined) throw new Error("nobody looked");
    return found.look;
  };
  const onlyNode = ({ nodes: [first] }: Counters) => {
    if (first === undefined) throw new Error("no node is counted");
    return first;
  };

  test("a download is counted at the EIP, at both sides of the router and at the node, in and out as each sees it", async () => {
    const before = await interfaces();
    expect(await onNode(fetchFile)).toBe(`${size}\n`);
    const { seen, own } = await quiet(() => plane.count());
    expect(seen.eips).toEqual([
      { id: "eip-00000001", received: own.uplink[0], sent: own.uplink[1], link: expect.any(Number) },
    ]);
    expect(seen.routers).toEqual([
      {
        id: "rtr-00000001",
        uplink: { received: own.uplink[0], sent: own.uplink[1], link: expect.any(Number) },
        vxnets: [
          { id: "vxnet-00000001", received: own.vxnet[0], sent: own.vxnet[1], link: expect.any(Number) },
        ],
      },
    ]);
    expect(onlyNode(seen).nics).toEqual([
      { mac: "52:54:00:00:00:01", received: own.eth[0], sent: own.eth[1], link: expect.any(Number) },
    ]);
    // The file in full frames, with headers and the login that fetched it.
    for (const [now, then] of [
      [own.uplink[0], before.uplink[0]],
      [own.vxnet[1], before.vxnet[1]],
      [own.eth[0], before.eth[0]],
    ] as const) {
      expect(now - then).toBeGreaterThan(size);
      expect(now - then).toBeLessThan(size * 1.15);
    }
  });

  test("what was sampled adds up to what interfaces carried, each EIP for itself", async () => {
    const flow = (resource: string, meter: string): Bytes => {
      const now = Math.floor(Date.now() / 1000);
      const days = measurements.read(resource, meter, 86_400, now - 86_400, now + 86_400);
      return [
        days.reduce((sum, { first }) => sum + first, 0),
        days.reduce((sum, { second }) => sum + second, 0),
      ];
    };
    const { own: before } = await quiet(() => sampler.sample());
    expect(flow("eip-00000001", "traffic")).toEqual(before.uplink);
    expect(flow("rtr-00000001", "vxnet-00000001")).toEqual(before.vxnet);
    expect(flow("i-00000001", "if-52:54:00:00:00:01")).toEqual(before.eth);
    await converge({ eip: { id: "eip-00000009", address: "203.0.113.99", bandwidthMbps: 10 } });
    await onNode(fetchFile, "203.0.113.99");
    const { own: after } = await quiet(() => sampler.sample());
    expect(flow("eip-00000001", "traffic")).toEqual(before.uplink);
    expect(flow("eip-00000009", "traffic")).toEqual(after.uplink);
    expect(flow("rtr-00000001", "vxnet-0")).toEqual([
      before.uplink[0] + after.uplink[0],
      before.uplink[1] + after.uplink[1],
    ]);
    expect(flow("rtr-00000001", "vxnet-00000001")).toEqual(after.vxnet);
    await converge();
  });

  test("the EIP of a node is counted for itself, not at the router that its packets pass", async () => {
    const eip = { id: "eip-00000007", address: "203.0.113.77", bandwidthMbps: 10 };
    await converge({}, { eip });
    const ping = [
      "netns",
      "exec",
      `${prefix}-internet`,
      "ping",
      "-c5",
      "-i0.05",
      "-s1000",
      "-W2",
      eip.address,
    ];
    expect(await output("ip", ...ping)).toContain("5 received");
    const { eips, routers } = await plane.count();
    const [router1, ...others] = routers;
    expect(others).toEqual([]);
    expect(router1?.vxnets.map(({ id }) => id)).toEqual(["vxnet-00000001"]);
    const frames = 5 * (1000 + 8 + 20 + 14);
    const found = eips.find(({ id }) => id === eip.id);
    for (const bytes of [found?.received ?? 0, found?.sent ?? 0]) {
      expect(bytes).toBeGreaterThanOrEqual(frames);
      expect(bytes).toBeLessThan(frames + 1000);
    }
    await converge();
  });

  test("processor time of processes that have ended counts, their children's too", async () => {
    const before = onlyNode(await plane.count());
    await onNode(burn);
    await until("the time of what has ended", async () => {
      return onlyNode(await plane.count()).cpuSeconds - before.cpuSeconds >= 0.98;
    });
    const after = onlyNode(await plane.count());
    expect(after.pid).toBe(before.pid);
    expect(after.cpuSeconds - before.cpuSeconds).toBeLessThan(3);
  });

  test("a volume's device is counted from its attachment on, whatever the device did before", async () => {
    const use = async () => onlyNode(await plane.count()).volumes;
    const show = (id: string) =>
      converge({}, { image: "bare", volumes: [{ id, device: "/dev/sdc", size: 10 }] });
    // A machine with udev looks at what is attached.
    const some = expect.any(Number);
    const none = { read: some, written: 0, reads: some, writes: 0, attachment: expect.any(Number) };
    await show("vol-00000001");
    expect(await use()).toEqual([{ id: "vol-00000001", ...none }]);
    await onNode("dd if=/dev/zero of=/dev/sdc bs=64K count=64 oflag=direct 2>/dev/null");
    const [first] = await use();
    expect(first).toMatchObject({ id: "vol-00000001", written: 64 * 64 * 1024 });
    expect(first?.writes).toBeGreaterThanOrEqual(1);
    await show("vol-00000002");
    const [second] = await use();
    expect(second).toEqual({ id: "vol-00000002", ...none });
    expect(second?.attachment).not.toBe(first?.attachment);
    await converge();
  });

  test("memory is what processes hold now; what a process writes is counted at the disk", async () => {
    const before = onlyNode(await plane.count());
    await onNode(hold);
    await onNode("dd if=/dev/zero of=/root/file bs=1M count=8 conv=fsync 2>/dev/null");
    const during = onlyNode(await plane.count());
    expect(during.memoryBytes - before.memoryBytes).toBeGreaterThan(50_000_000);
    expect(during.memoryBytes - before.memoryBytes).toBeLessThan(80_000_000);
    expect((during.disk?.written ?? 0) - (before.disk?.written ?? 0)).toBeGreaterThanOrEqual(8 * 1024 * 1024);
    await onNode("kill $(cat /tmp/holder)");
    await until("the memory's return", async () => {
      return onlyNode(await plane.count()).memoryBytes - before.memoryBytes < 10_000_000;
    });
  });
});
