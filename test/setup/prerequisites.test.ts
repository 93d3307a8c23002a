/** Containers that lack a capability or a device: the commands say so before they make anything. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { root, startProcess } from "../harness/process.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "crosszone-lacking-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Runs a command after a shell script in a mount namespace that goes with it. */
const after = (script: string) => [
  "unshare",
  "--mount",
  "--propagation",
  "private",
  "sh",
  "-ec",
  `${script}; exec "$@"`,
  "sh",
];
const without = (...names: string[]) => [
  "setpriv",
  `--bounding-set=${names.map((name) => `-${name}`).join(",")}`,
];

/** Kinds of containers, and what is said of each; the device's file exists and is forbidden in the usual one. */
const containers: Readonly<Record<string, { wrapper: string[]; lines: string[] }>> = {
  "without CAP_SYS_ADMIN": {
    wrapper: without("sys_admin"),
    lines: [
      'network namespaces cannot be made here (unshare: unshare failed: Operation not permitted): the capability CAP_SYS_ADMIN is missing. Docker: --cap-add SYS_ADMIN; Kubernetes: securityContext.capabilities.add: ["SYS_ADMIN"]',
    ],
  },
  "without CAP_NET_ADMIN": {
    wrapper: without("net_admin"),
    lines: [
      'interfaces cannot be set up in a namespace (RTNETLINK answers: Operation not permitted): the capability CAP_NET_ADMIN is missing. Docker: --cap-add NET_ADMIN; Kubernetes: securityContext.capabilities.add: ["NET_ADMIN"]',
    ],
  },
  "without both, and a /dev/net/tun that cannot be opened": {
    wrapper: [
      ...after("mount -t tmpfs -o nodev none /dev/net; mknod /dev/net/tun c 10 200"),
      ...without("sys_admin", "net_admin"),
    ],
    lines: [
      "the capability CAP_SYS_ADMIN is missing",
      "/dev/net/tun exists and cannot be opened (EACCES): IPSec tunnels need it. Docker: --device /dev/net/tun; Kubernetes: a device plugin that gives /dev/net/tun, or securityContext.privileged: true",
      "the capability CAP_NET_ADMIN is missing",
    ],
  },
  "without /dev/net/tun": {
    wrapper: after("mount -t tmpfs none /dev/net"),
    lines: [
      "the device /dev/net/tun is missing: IPSec tunnels need it. Load the kernel module (`modprobe tun`). In a container with Docker: --device /dev/net/tun",
    ],
  },
  "whose /proc/sys is read-only": {
    wrapper: after("mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys"),
    lines: [
      "/proc/sys/net cannot be written in a namespace",
      "Docker: --security-opt systempaths=unconfined; Kubernetes: securityContext.procMount: Unmasked, or privileged: true",
    ],
  },
};

test.each(Object.entries(containers))("the local cloud in a container %s", async (_, { wrapper, lines }) => {
  const home = join(directory, "home");
  const [program = "", ...args] = [...wrapper, process.execPath, join(root, "local-cloud", "main.ts")];
  const { code, stderr } = await startProcess(program, [...args, "start", "--home", home]).ended;
  expect(code, stderr).toBe(2);
  expect(stderr).toMatch(/^cloud: --data-plane linux cannot run here: /);
  expect(stderr).toMatch(/or use --data-plane none for the API alone\n$/);
  for (const line of lines) expect(stderr).toContain(line);
  // The log of the start that was refused, and no state.
  expect(readdirSync(home)).toEqual(["log"]);
});

test("npm start says it before the set-up begins, and what works without", async () => {
  const { wrapper } = containers["without CAP_SYS_ADMIN"] ?? { wrapper: [] };
  const [program = "", ...args] = [...wrapper, process.execPath, join(root, "scripts", "dev", "start.ts")];
  const env = { ...process.env, CROSSZONE_DIRECTORY: directory };
  const { code, stdout, stderr } = await startProcess(program, args, { env }).ended;
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain("--cap-add SYS_ADMIN");
  expect(stderr).toContain("npm run cloud -- start --data-plane none");
  expect(readdirSync(directory)).toEqual([".pulumi"]);
  expect(readdirSync(join(directory, ".pulumi"))).toEqual([]);
});

test("a machine without /proc starts, asks and stops the API alone", async () => {
  const home = join(directory, "home");
  const cloud = async (...given: string[]) => {
    const [program = "", ...args] = [...after("mount -t tmpfs none /proc"), process.execPath];
    return await startProcess(program, [
      ...args,
      join(root, "local-cloud", "main.ts"),
      ...given,
      "--home",
      home,
    ]).ended;
  };
  try {
    const started = await cloud("start", "--data-plane", "none", "--port", "0", "--json");
    expect(started.code, started.stderr).toBe(0);
    const { pid } = JSON.parse(started.stdout) as { pid: number };
    expect((await cloud("status")).code).toBe(0);
    expect((await cloud("start", "--data-plane", "none")).stdout).toContain("is already running");
    expect((await cloud("stop")).stdout).toBe("The local cloud has stopped.\n");
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect((await cloud("status")).code).toBe(3);
  } finally {
    await cloud("stop");
  }
});
