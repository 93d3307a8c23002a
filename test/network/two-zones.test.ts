/** Two zones on this machine, as a user has them: routers, a tunnel, nodes, and SSH from outside. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DataPlane } from "../../local-cloud/network/data-plane.ts";
import { createLinuxDataPlane } from "../../local-cloud/network/linux.ts";
import { processesIn, until } from "../../local-cloud/network/machine/shell.ts";
import type { Picture, RouterPicture } from "../../local-cloud/network/picture.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { keyPair } from "../ssh-keys.ts";
import {
  node,
  openRules,
  output,
  ownPrefix,
  programIn,
  router,
  runs,
  sshRun,
  temporaryFolder,
  watchWire,
} from "./support.ts";

const home = temporaryFolder();
const prefix = ownPrefix("z");
const webRoot = temporaryFolder();
const key = keyPair();
const stranger = keyPair();
const stackHostKey = keyPair();
const script = {
  file: "/etc/rc.local",
  content: Buffer.from(`#!/bin/sh
cat > /etc/ssh/ssh_host_ed25519_key <<'KEY'
${stackHostKey.private}
KEY
kill -HUP $(cat /run/sshd.pid)
echo boot >> /var/log/boots
`),
};
const firstNode = node(1, [key.public], { userdata: { folder: "/etc/qingcloud/userdata", script } });
const secondNode = node(2, [key.public]);
const picture: Picture = {
  routers: [router(1), router(2)],
  nodes: [firstNode, secondNode],
  bastionKeys: [key.public],
};
const ssh = { address: "203.0.113.10", port: 2201, user: "ubuntu", privateKey: key.private };
const inNode = (zone: 1 | 2, ...command: string[]) =>
  output("ip", "netns", "exec", `${prefix}-i-0000000${zone}`, ...command);

const inNamespace = (zone: 1 | 2) => ["netns", "exec", `${prefix}-i-0000000${zone}`];

function withRouters(change: (zone: 1 | 2) => Partial<RouterPicture>): Picture {
  return { ...picture, routers: [router(1, change(1)), router(2, change(2))] };
}

async function tunnelsUp(plane: DataPlane): Promise<boolean> {
  const { routers } = await plane.observe();
  return routers.every(
    ({ tunnels }) => tunnels.length > 0 && tunnels.every(({ established }) => established),
  );
}

/** What the machine itself has: nothing of it may change. */
async function machine(): Promise<string> {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return [
    await output("ip", "link"),
    await output("ip", "route", "show", "table", "all"),
    await output("nft", "list", "ruleset"),
    ...mounts.filter((line) => line.includes(prefix)),
  ].join("\n");
}

describe("two zones", { timeout: 30_000 }, () => {
  let plane: DataPlane;
  let before: string;

  beforeAll(async () => {
    requireDataPlane();
    before = await machine();
    writeFileSync(join(webRoot, "hello.txt"), "hello from the internet");
    plane = await createLinuxDataPlane({
      home,
      prefix,
      bastionPort: 0,
      webRoot,
      log: () => {},
    });
  });

  afterAll(async () => {
    await plane?.stop();
    for (const folder of [home, webRoot]) rmSync(folder, { recursive: true, force: true });
  });

  test("routers, nodes and the tunnel come up without waiting for anybody", async () => {
    await plane.converge(picture);
    await until("the tunnel", () => tunnelsUp(plane), 15_000);
    const { nodes } = await plane.observe();
    expect(nodes.map(({ id }) => id)).toEqual(["i-00000001", "i-00000002"]);
    expect(nodes.every(({ pid }) => existsSync(`/proc/${pid}`))).toBe(true);
  });

  test("the same picture again changes nothing and takes no time", async () => {
    const seen = await plane.observe();
    const start = performance.now();
    await Promise.all([plane.converge(picture), plane.converge(picture), plane.converge(picture)]);
    expect(performance.now() - start).toBeLessThan(100);
    expect((await plane.observe()).nodes).toEqual(seen.nodes);
  });

  test("packets of the tunnel's MTU cross it whole; larger ones are refused with its MTU", async () => {
    expect(await inNode(1, "ping", "-c1", "-W2", "-Mdo", "-s1372", "192.168.2.2")).toContain("1 received");
    expect(await inNode(1, "ping", "-c1", "-W2", "-Mdo", "-s1373", "192.168.2.2")).toContain("mtu = 1400");
  });

  test("the wire shows ESP and never a private address, with or without a tunnel for it", async () => {
    const seen = await watchWire(`${prefix}-internet`, /(?:UDP-encap: ESP[\s\S]*){6}/, async () => {
      await inNode(1, "ping", "-c3", "-i0.1", "-W2", "192.168.2.2");
      await inNode(1, "ping", "-c1", "-W1", "192.168.77.7");
    });
    expect(seen).not.toContain("192.168.");
  });

  test("SSH through bastion and port forward is ubuntu's, with sudo and python", async () => {
    const told = await sshRun(
      plane,
      ssh,
      "id -un; hostname; sudo id -un; python -c 'print(6*7)'; ls -A /mnt /srv /work 2>&1; true",
    );
    expect(told).toMatch(/^ubuntu\nnode-1\nroot\n42\n/);
    expect(told).toContain("cannot access '/work'");
    expect(await sshRun(plane, { ...ssh, user: "root" }, "cat /proc/1/comm; ls /home /tmp")).toBe(
      "tini\n/home:\nubuntu\n\n/tmp:\n",
    );
  });

  test("a stranger's key opens nothing, and the bastion leads to EIPs only", async () => {
    await expect(sshRun(plane, { ...ssh, privateKey: stranger.private }, "true")).rejects.toThrow(
      /authentication/,
    );
    await expect(sshRun(plane, { ...ssh, address: "198.18.0.1", port: 80 }, "true")).rejects.toThrow(
      /open failed/,
    );
  });

  test("a node reaches the internet's web server through the router", async () => {
    const command = `python -c "import urllib.request as u; print(u.urlopen('${plane.internetUrl}/hello.txt').read().decode())"`;
    expect(await sshRun(plane, ssh, command)).toBe("hello from the internet\n");
  });

  test("user data replaces the host key, at every boot", async () => {
    const pinned = { ...ssh, hostKey: stackHostKey.public };
    await until(
      "the stack's host key",
      async () => (await sshRun(plane, pinned, "true").catch(() => "no")) === "",
    );
    expect(await sshRun(plane, pinned, "cat /var/log/boots")).toBe("boot\n");
  });

  test("a security group rule opens a port of the EIP, and its absence closes it", async () => {
    const knock = [
      "netns",
      "exec",
      `${prefix}-internet`,
      "timeout",
      "1",
      "bash",
      "-c",
      "echo > /dev/tcp/203.0.113.10/2202 && echo open",
    ];
    const serve = "echo $$ > /tmp/server; exec timeout 60 python -m http.server 8000 >/dev/null 2>&1";
    const server = sshRun(plane, ssh, serve).catch(() => "ended"); // by a signal, below
    await until(
      "the server on the node",
      async () => (await inNode(1, "ss", "-ltn")).includes(":8000 "),
      5000,
    );
    expect(await output("ip", ...knock)).not.toContain("open");
    const inbound = [
      ...openRules,
      { protocol: "tcp", priority: 5, action: "accept", from: 2202, to: 2202 },
    ] as const;
    await plane.converge(withRouters(() => ({ inbound })));
    expect(await output("ip", ...knock)).toContain("open");
    await plane.converge(picture);
    expect(await output("ip", ...knock)).not.toContain("open");
    await sshRun(plane, ssh, "kill $(cat /tmp/server)");
    await server;
  });

  /** Mbit/s of TCP through the tunnel, from node 1 to node 2, or the other way with `-R`. */
  async function goodput(...options: string[]): Promise<number> {
    const server = spawn("ip", ["netns", "exec", `${prefix}-i-00000002`, "iperf3", "-s", "-1"]);
    await until("iperf3", async () => (await inNode(2, "ss", "-ltn")).includes(":5201 "), 5000);
    const report = JSON.parse(
      await inNode(1, "iperf3", "-c", "192.168.2.2", "-t", "3", "-J", ...options),
    ) as {
      end: { sum_received: { bits_per_second: number } };
    };
    if (server.exitCode === null) await once(server, "exit");
    return report.end.sum_received.bits_per_second / 1e6;
  }
  const bought = (zone: 1 | 2, bandwidthMbps: number) => ({
    eip: { ...(router(zone).eip ?? { id: "", address: "" }), bandwidthMbps },
  });

  test("another bandwidth of the EIP takes effect at once, and disturbs no tunnel", async () => {
    const at10 = await goodput();
    await plane.converge(withRouters((zone) => bought(zone, 50)));
    expect(await tunnelsUp(plane)).toBe(true);
    const at50 = await goodput();
    expect(at10).toBeGreaterThan(7);
    expect(at10).toBeLessThan(10);
    expect(at50).toBeGreaterThan(25);
    expect(at50).toBeLessThan(50);
    await plane.converge(picture);
  });

  test("below 10 Mbit/s an EIP has what was bought out of the cloud and 10 into it, changed under a connection", async () => {
    const shapes = async () => [
      await output("tc", "-n", `${prefix}-rtr-00000001`, "qdisc", "show", "dev", "eip"),
      await output("tc", "-n", `${prefix}-internet`, "qdisc", "show", "dev", "rtr-00000001"),
    ];
    const rates = async () => (await shapes()).map((text) => /tbf .* rate (\w+) /.exec(text)?.[1]);
    await plane.converge(withRouters((zone) => bought(zone, zone === 1 ? 2 : 100)));
    expect(await rates()).toEqual(["2Mbit", "10Mbit"]);
    expect(await goodput()).toBeLessThan(2);
    const intoTheCloud = await goodput("-R");
    expect(intoTheCloud).toBeGreaterThan(6);
    expect(intoTheCloud).toBeLessThan(10);
    const listen =
      "import os, socket; accepted, _ = socket.create_server(('', 5300)).accept()\n" +
      "while words := accepted.recv(99): os.write(1, words)";
    const listener = spawn("ip", [...inNamespace(2), "python3", "-c", listen]);
    let heard = "";
    listener.stdout.on("data", (bytes: Buffer) => {
      heard += bytes.toString();
    });
    await until("the listener", async () => (await inNode(2, "ss", "-ltn")).includes(":5300 "), 5000);
    const speaker = spawn("ip", [...inNamespace(1), "bash", "-c", "exec cat > /dev/tcp/192.168.2.2/5300"]);
    speaker.stdin.write("before ");
    await until("the first word", () => heard === "before ");
    await plane.converge(withRouters((zone) => bought(zone, 20)));
    expect(await rates()).toEqual(["20Mbit", "20Mbit"]);
    speaker.stdin.end("after");
    await once(listener, "close");
    expect(heard).toBe("before after");
    await plane.converge(picture);
  });

  test("a daemon that dies is started again, and its tunnel with it", async () => {
    const daemons = programIn(`${prefix}-rtr-00000001`, "charon");
    expect(daemons).toHaveLength(1);
    for (const pid of daemons) process.kill(pid, "SIGKILL");
    await until("another daemon", () =>
      programIn(`${prefix}-rtr-00000001`, "charon").some((pid) => !daemons.includes(pid)),
    );
    await until("the tunnel", () => tunnelsUp(plane), 10_000);
    expect(await inNode(1, "ping", "-c1", "-W2", "192.168.2.2")).toContain("1 received");
  });

  test("other keys are taken without a reboot; another boot number keeps the disk", async () => {
    const [pid] = (await plane.observe()).nodes.map((one) => one.pid);
    const other = { ...firstNode, authorizedKeys: [stranger.public] };
    await plane.converge({
      ...picture,
      nodes: [other, secondNode],
      bastionKeys: [key.public, stranger.public],
    });
    await expect(sshRun(plane, ssh, "true")).rejects.toThrow(/authentication/);
    expect(await sshRun(plane, { ...ssh, privateKey: stranger.private }, "echo kept > ~/note")).toBe("");
    expect((await plane.observe()).nodes[0]?.pid).toBe(pid);
    await plane.converge({ ...picture, nodes: [{ ...firstNode, boot: 2 }, secondNode] });
    expect((await plane.observe()).nodes[0]?.pid).not.toBe(pid);
    // It has sshd begin again, which may refuse meanwhile.
    const told = () => sshRun(plane, ssh, "cat /var/log/boots ~/note").catch(() => "");
    await until("the second boot's user data", async () => (await told()) === "boot\nboot\nkept\n");
  });

  test("a router and a node that leave the picture are gone, and a forgotten disk too", async () => {
    await plane.converge({ ...picture, routers: [router(2)], nodes: [secondNode] });
    expect(await output("ip", "netns", "list")).not.toContain(`${prefix}-i-00000001`);
    expect(existsSync(join(home, "nodes", "i-00000001"))).toBe(true);
    await plane.forget(["i-00000001", "i-00000002"]);
    expect(existsSync(join(home, "nodes", "i-00000001"))).toBe(false);
    expect(existsSync(join(home, "nodes", "i-00000002"))).toBe(true);
  });

  test("a picture that cannot be made names what could not", async () => {
    const eip = { id: "eip-1", address: "192.0.2.1", bandwidthMbps: 10 };
    await expect(plane.converge(withRouters((zone) => (zone === 1 ? { eip } : {})))).rejects.toThrow(
      /router rtr-00000001 .*192\.0\.2\.1.*203\.0\.113\.0\/24/,
    );
    await plane.converge(picture);
    await until("the tunnel", () => tunnelsUp(plane), 15_000);
  });

  test("an empty picture and a stop leave nothing, and the machine is as before", async () => {
    await plane.converge({ routers: [], nodes: [], bastionKeys: [] });
    expect(await output("ip", "netns", "list")).not.toContain(prefix);
    await plane.converge(picture);
    const { nodes } = await plane.observe();
    const namespaces = ["internet", "switch", "rtr-00000001", "i-00000001"].map(
      (name) => `${prefix}-${name}`,
    );
    const pids = processesIn(namespaces);
    expect(pids.length).toBeGreaterThan(4);
    await plane.stop();
    await until(
      "the end of all processes",
      () => [...pids, ...nodes.map(({ pid }) => pid)].every((pid) => !runs(pid)),
      2000,
    );
    expect(await output("ip", "netns", "list")).not.toContain(prefix);
    expect(await machine()).toBe(before);
  });
});
