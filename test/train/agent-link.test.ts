/** What a launch sets on its node for the link between zones. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireDataPlane } from "../machine-requirements.ts";
import { agent, lastLine } from "./agent.ts";
import { Python } from "./python.ts";

const run = promisify(execFile);
const namespace = `agent-link-${process.pid}`;
const network = "192.168.2.0/24";
const order = { runId: "link", rank: 0, argv: ["/bin/sh", "-c", 'echo "$GLOO_SOCKET_IFNAME"; sleep 60'] };
let home: string;

const inside = async (...args: string[]) =>
  (await run("ip", ["netns", "exec", namespace, ...args])).stdout.trim();
const route = () => inside("ip", "route", "show", network);
const buffer = (name: string) => inside("cat", `/proc/sys/net/ipv4/${name}`);

async function ask(subcommand: string, more: object) {
  const stdin = JSON.stringify({
    ...order,
    directory: home,
    environment: { MASTER_ADDR: "192.168.2.2" },
    ...more,
  });
  const { ended } = new Python(agent, [subcommand], { stdin, namespace, env: { HOME: home } });
  return await ended;
}

async function launch(link: object) {
  const ended = await ask("launch", { link });
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  return lastLine(ended);
}

const linkOf = (mtu: number, more: object = {}) => ({
  routes: [{ network, gateway: "192.168.1.1", mtu }],
  sockets: 1,
  ...more,
});

beforeAll(async () => {
  requireDataPlane();
  home = await mkdtemp(join(tmpdir(), "agent-link-"));
  await run("ip", ["netns", "add", namespace]);
  const link = ["link", "add", "eth0", "type", "veth", "peer", "name", "far"];
  for (const args of [link, ["link", "set", "eth0", "up"], ["link", "set", "far", "up"]])
    await inside("ip", ...args);
  await inside("ip", "address", "add", "192.168.1.2/24", "dev", "eth0");
  // As the user data leaves it.
  await inside("ip", "route", "replace", network, "via", "192.168.1.1", "mtu", "1400");
});

afterAll(async () => {
  await ask("stop", {});
  await run("ip", ["netns", "delete", namespace]);
  await rm(home, { recursive: true, force: true });
});

test("the route's MTU and segment size, and larger buffers where the kernel's do not do", async () => {
  const [least, usual] = (await buffer("tcp_wmem")).split(/\s+/);
  const { pid } = await launch(linkOf(1472, { bufferBytes: 48 * 2 ** 20, sockets: 2 }));
  expect(pid).toBeGreaterThan(0);
  expect(await route()).toMatch(/^192\.168\.2\.0\/24 via 192\.168\.1\.1 dev eth0 mtu 1472 advmss 1432/);
  expect((await buffer("tcp_wmem")).split(/\s+/)).toEqual([least, usual, "50331648"]);
  expect((await buffer("tcp_rmem")).split(/\s+/).at(-1)).toBe("50331648");
});

test("gloo's interface is named as often as ranks have connections", async () => {
  await expect
    .poll(
      async () =>
        lastLine(await ask("status", { argv: undefined, directory: undefined, environment: undefined }))
          .lines,
    )
    .toEqual(["eth0,eth0"]);
});

test("another path MTU is set beside a rank that runs, and disturbs it not; buffers are not made smaller", async () => {
  const before = await launch(linkOf(1472));
  expect(await launch(linkOf(1300, { bufferBytes: 2 ** 20 }))).toEqual(before);
  expect(await route()).toMatch(/mtu 1300 advmss 1260/);
  expect((await buffer("tcp_wmem")).split(/\s+/).at(-1)).toBe("50331648");
});

test("what is right already takes no root; where it takes one that there is not, that is told", async () => {
  const asNobody = async (mtu: number) => {
    const set = `import os, sys, json; sys.path.insert(0, ${JSON.stringify(agent)}); from link import set_up; os.environ["PATH"] = "/nonexistent:" + os.environ["PATH"]; os.setuid(65534); set_up(json.loads(${JSON.stringify(JSON.stringify(linkOf(mtu)))}))`;
    return await new Python("-B", ["-c", set], { namespace }).ended;
  };
  expect(await asNobody(1300)).toMatchObject({ code: 0, stderr: "" });
  const refused = await asNobody(1200);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    /checks\.AgentError: `ip route replace 192\.168\.2\.0\/24 via 192\.168\.1\.1 mtu 1200 advmss 1160` failed as root: |this node has no sudo, which ip route replace/,
  );
  expect(await route()).toMatch(/mtu 1300/);
});
