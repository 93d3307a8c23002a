import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireDataPlane } from "../machine-requirements.ts";
import { freePort, Python } from "./python.ts";

const source = await readFile(new URL("../../scripts/node/path_check.py", import.meta.url), "utf8");
const run = promisify(execFile);
const started: Python[] = [];

afterAll(() => Promise.all(started.map((python) => python.kill())));

/** Starts the check as on a node: source and call by stdin. */
function begin(given: object, namespace?: string, env: NodeJS.ProcessEnv = {}): Python {
  const stdin = `${source}\nmain(json.loads(${JSON.stringify(JSON.stringify(given))}))\n`;
  const python = new Python("-", [], { stdin, env, ...(namespace === undefined ? {} : { namespace }) });
  started.push(python);
  return python;
}

interface Serving {
  readonly port: number;
  readonly echoPort: number;
  readonly isTraining: boolean;
  readonly route: unknown;
}

async function serve(bindAddress: string, namespace?: string, peer = bindAddress) {
  const server = begin({ role: "serve", bindAddress, peer, maxSeconds: 30 }, namespace);
  await expect.poll(() => server.stdout, { timeout: 10_000 }).toMatch(/^\{"port": \d+.*\}\n/);
  const serving: Serving = JSON.parse(server.stdout);
  const { port, echoPort } = serving;
  return { server, serving, ports: { port, echoPort } };
}

async function probe(given: object, namespace?: string): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await begin({ role: "probe", ...given }, namespace).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

describe("on loopback", () => {
  const peer = "127.0.0.1";

  test("measures round trip, loss and goodput, as the receiver counts it", async () => {
    const { server, serving, ports } = await serve(peer);
    expect(serving).toMatchObject({ isTraining: false, route: { via: null, error: null } });
    const found = await probe({ peer, ...ports, mtu: 1400, seconds: 0.5, pings: 3 });
    expect(found).toEqual({
      reachable: true,
      rttMs: expect.any(Number),
      lossPercent: 0,
      mtu: 1400,
      isTold: false,
      isTraining: false,
      route: null,
      goodputMbps: expect.any(Number),
    });
    const { code, stdout } = await server.ended;
    const measured = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
    expect(code).toBe(0);
    expect(found.goodputMbps).toBeCloseTo((measured.bytes * 8) / measured.seconds / 1e6, 2);
  }, 20_000);

  test("tells a refused connection from one that stalls", async () => {
    const refused = await probe({ peer, port: await freePort(), mtu: 1400, seconds: 0.2, pings: 1 });
    expect(refused).toMatchObject({ reachable: true, goodputMbps: null, error: { code: "refused" } });

    const deaf = createServer({ pauseOnConnect: true }).listen(0, peer);
    await once(deaf, "listening");
    const address = deaf.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const stalled = await probe({ peer, port, mtu: 1400, seconds: 1, pings: 1 });
    deaf.close();
    expect(stalled).toMatchObject({ reachable: true, goodputMbps: null, error: { code: "stalled" } });
  }, 30_000);

  test("the server ends at its deadline, and when nobody reads its output any more", async () => {
    const late = await begin({ role: "serve", bindAddress: peer, maxSeconds: 0.2 }).ended;
    expect(late.code).toBe(1);
    expect(late.stderr).toBe("path check: no probe connected before the deadline\n");
    const { server } = await serve(peer);
    server.process.stdout.destroy();
    expect((await server.ended).code).toBe(1);
  }, 20_000);

  test("the round trip is the least: one that a busy node holds up does not count", async () => {
    const folder = mkdtempSync(join(tmpdir(), "crosszone-ping-"));
    const lines = [48.1, 0.61, 0.52].map(
      (ms, index) => `1380 bytes from 127.0.0.1: icmp_seq=${index} time=${ms} ms`,
    );
    const said = [
      ...lines,
      "3 packets transmitted, 3 received, 0% packet loss, time 402ms",
      "rtt min/avg/max/mdev = 0.520/16.410/48.100/22.409 ms",
    ];
    writeFileSync(join(folder, "ping"), `#!/bin/sh\ncat <<'end'\n${said.join("\n")}\nend\n`, { mode: 0o755 });
    const python = begin({ role: "probe", peer, mtu: 1400, pings: 3 }, undefined, {
      PATH: `${folder}:${process.env.PATH}`,
    });
    const { stdout } = await python.ended;
    rmSync(folder, { recursive: true });
    expect(JSON.parse(stdout)).toMatchObject({ reachable: true, rttMs: 0.52, lossPercent: 0 });
  });

  test("wrong arguments are named", async () => {
    const { code, stderr } = await begin({ role: "dance" }).ended;
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: "path check: role is 'dance'; allowed are ['serve', 'probe', 'reach']\n",
    });
  });
});

describe("between two network namespaces", () => {
  const [near, far] = [`pathcheck-${process.pid}-a`, `pathcheck-${process.pid}-b`];
  const peer = "192.168.2.2";
  const ip = (...args: string[]) => run("ip", args);

  beforeAll(async () => {
    requireDataPlane();
    await ip("netns", "add", near);
    await ip("netns", "add", far);
    await ip(
      "-n",
      near,
      "link",
      "add",
      "eth0",
      "mtu",
      "1500",
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      far,
    );
    for (const [namespace, address] of [
      [near, "192.168.2.1/24"],
      [far, `${peer}/24`],
    ] as const) {
      await ip("-n", namespace, "address", "add", address, "dev", "eth0");
      await ip("-n", namespace, "link", "set", "eth0", "up");
    }
  }, 20_000);

  afterAll(async () => {
    await Promise.allSettled([near, far].map((namespace) => ip("netns", "delete", namespace)));
  });

  test("the goodput of a link of 20 Mbit/s is close to it, in about the time asked for", async () => {
    await run("tc", [
      "-n",
      near,
      "qdisc",
      "add",
      "dev",
      "eth0",
      "root",
      "tbf",
      "rate",
      "20mbit",
      "burst",
      "16kb",
      "latency",
      "50ms",
    ]);
    const { ports } = await serve(peer, far);
    const found = await probe({ peer, ...ports, mtu: 1500, seconds: 2, pings: 2 }, near);
    await run("tc", ["-n", near, "qdisc", "del", "dev", "eth0", "root"]);
    expect(found).toMatchObject({ reachable: true, mtu: 1500, lossPercent: 0 });
    expect(found.goodputMbps).toBeGreaterThan(16);
    expect(found.goodputMbps).toBeLessThan(20);
  }, 30_000);

  test("who is reached with full-size packets and who is not is told of all peers at once", async () => {
    const peers = [
      { address: peer, mtu: 1500 },
      { address: "192.168.2.77", mtu: 1500 },
    ];
    const { code, stdout, stderr } = await begin({ role: "reach", peers, pings: 1 }, near).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({
      peers: [
        {
          peer,
          reachable: true,
          rttMs: expect.any(Number),
          lossPercent: 0,
          mtu: 1500,
          isTold: false,
          isTraining: false,
          route: null,
          goodputMbps: null,
        },
        {
          peer: "192.168.2.77",
          reachable: false,
          rttMs: null,
          lossPercent: 100,
          mtu: null,
          isTold: false,
          isTraining: false,
          route: { via: null, error: null },
          goodputMbps: null,
          error: { code: "unreachable", message: "192.168.2.77 answers no ping" },
        },
      ],
    });
  }, 30_000);

  test("a larger packet than asked for is found where the look is thorough", async () => {
    const { ports } = await serve(peer, far);
    const found = await probe({ peer, ...ports, mtu: 1300, isThorough: true, pings: 1 }, near);
    expect(found).toMatchObject({ reachable: true, mtu: 1500, isTold: false });
  }, 30_000);

  test("packets that are lost are counted", async () => {
    const drop = "add table ip t; add chain ip t in { type filter hook input priority 0; }; ";
    const { ports } = await serve(peer, far);
    // Every fifth packet to the echo, for as long as the test lasts.
    const rule = `${drop}add rule ip t in udp dport ${ports.echoPort} numgen inc mod 5 0 drop`;
    await run("ip", ["netns", "exec", far, "nft", rule]);
    const found = await probe({ peer, ...ports, mtu: 1500, pings: 5 }, near);
    await run("ip", ["netns", "exec", far, "nft", "delete table ip t"]);
    expect(found).toMatchObject({ reachable: true, lossPercent: 20 });
  }, 30_000);

  test("a path that tells senders of its smaller MTU is used as it is", async () => {
    const beyond = "192.168.3.2";
    const router = `pathcheck-${process.pid}-r`;
    const link = async (namespace: string, device: string, address: string, mtu: string) => {
      const at = ["-n", router, "link", "add", device, "mtu", mtu, "type", "veth"];
      await ip(...at, "peer", "name", "eth1", "mtu", mtu, "netns", namespace);
      await ip("-n", router, "address", "add", `${address}.254/24`, "dev", device);
      await ip("-n", router, "link", "set", device, "up");
    };
    await ip("netns", "add", router);
    try {
      await link(near, "near", "192.168.4", "1500");
      await link(far, "far", "192.168.3", "1300");
      for (const [namespace, address, to] of [
        [near, "192.168.4.2", "192.168.3.0/24"],
        [far, beyond, "192.168.4.0/24"],
      ] as const) {
        await ip("-n", namespace, "address", "add", `${address}/24`, "dev", "eth1");
        await ip("-n", namespace, "link", "set", "eth1", "up");
        await ip("-n", namespace, "route", "add", to, "via", address.replace(/2$/, "254"));
      }
      await run("ip", ["netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
      const { serving, ports } = await serve(beyond, far, "192.168.4.2");
      expect(serving.route).toEqual({ via: "192.168.3.254", error: null });
      const found = await probe({ peer: beyond, ...ports, mtu: 1400, seconds: 0.2, pings: 2 }, near);
      expect(found).toMatchObject({ reachable: true, mtu: 1300, isTold: true });
      expect(found.error).toBeUndefined();
      expect(found.goodputMbps).toBeGreaterThan(0);
    } finally {
      await ip("netns", "delete", router);
    }
  }, 30_000);

  test("an MTU black hole is told from a dead tunnel, with the largest size that passes", async () => {
    const { ports } = await serve(peer, far);
    // A veth drops what is larger than its peer's MTU (and a VLAN tag of 4 bytes) without a word.
    await ip("-n", far, "link", "set", "eth0", "mtu", "1300");
    const found = await probe({ peer, ...ports, mtu: 1500, seconds: 1, pings: 2 }, near);
    expect(found).toMatchObject({
      reachable: true,
      isTold: false,
      mtu: 1304,
      goodputMbps: null,
      error: {
        code: "mtu",
        message: `${peer} answers small packets but none of 1500 bytes: the largest that passes is 1304 bytes`,
      },
    });

    await ip("-n", near, "route", "add", "unreachable", "192.168.2.99");
    const without = await probe({ peer: "192.168.2.99", mtu: 1500, pings: 1 }, near);
    expect(without).toMatchObject({
      reachable: false,
      route: { via: null, error: "RTNETLINK answers: No route to host" },
    });

    await ip("-n", far, "link", "set", "eth0", "down");
    expect(await probe({ peer, ...ports, mtu: 1500, seconds: 1, pings: 2 }, near)).toEqual({
      reachable: false,
      rttMs: null,
      lossPercent: 100,
      mtu: null,
      isTold: false,
      isTraining: false,
      route: { via: null, error: null },
      goodputMbps: null,
      error: { code: "unreachable", message: `${peer} answers no ping` },
    });
  }, 60_000);
});
