/** Pictures, SSH and commands for the tests of the data plane. */

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, type ConnectConfig } from "ssh2";
import type { DataPlane, Observation } from "../../local-cloud/network/data-plane.ts";
import { environment, processesIn, until } from "../../local-cloud/network/machine/shell.ts";
import type {
  GreTunnelPicture,
  IpsecTunnelPicture,
  LinkPicture,
  NodePicture,
  RouterPicture,
  RulePicture,
} from "../../local-cloud/network/picture.ts";

export const eips = ["203.0.113.10", "198.51.100.20"] as const;

/** Rules that a router with a tunnel needs, and what tests come in by. */
export const openRules: readonly RulePicture[] = [
  { protocol: "udp", priority: 1, action: "accept", from: 500, to: 500 },
  { protocol: "udp", priority: 2, action: "accept", from: 4500, to: 4500 },
  { protocol: "icmp", priority: 3, action: "accept" },
  { protocol: "tcp", priority: 4, action: "accept", from: 2201, to: 2201 },
];

/** One side of a tunnel between zone 1 and zone 2. */
export function tunnel(zone: 1 | 2, changes: Partial<IpsecTunnelPicture> = {}): IpsecTunnelPicture {
  const peer = eips[2 - zone] ?? "";
  return {
    id: `rtrs-${zone}`,
    remoteAddress: peer,
    remoteId: peer,
    presharedKey: "a key that is seen nowhere",
    localNetworks: [`192.168.${zone}.0/24`],
    remoteNetworks: [`192.168.${3 - zone}.0/24`],
    mode: "main",
    ...changes,
  };
}

/** A rule that GRE tunnels need. */
export const greRule: RulePicture = { protocol: "gre", priority: 9, action: "accept" };

/** One side of a GRE tunnel between zone 1 and zone 2. */
export function greTunnel(zone: 1 | 2, changes: Partial<GreTunnelPicture> = {}): GreTunnelPicture {
  return {
    id: `rtrs-000000g${zone}`,
    remoteAddress: eips[2 - zone] ?? "",
    key: 1010,
    localAddress: `10.254.1.${1 + zone}`,
    peerAddress: `10.254.1.${4 - zone}`,
    remoteNetworks: [`192.168.${3 - zone}.0/24`],
    ...changes,
  };
}

/** Router of a zone: EIP port 2201 leads to its node's SSH, 2202 to port 8000, which no rule opens. */
export function router(zone: 1 | 2, changes: Partial<RouterPicture> = {}): RouterPicture {
  const targetAddress = `192.168.${zone}.2`;
  return {
    id: `rtr-0000000${zone}`,
    zone: `gpu${zone}a`,
    eip: { id: `eip-0000000${zone}`, address: eips[zone - 1] ?? "", bandwidthMbps: 10 },
    vxnets: [
      {
        id: `vxnet-0000000${zone}`,
        managerAddress: `192.168.${zone}.1`,
        network: `192.168.${zone}.0/24`,
        dhcp: true,
        dns: false,
      },
    ],
    hosts: [],
    portForwards: [
      { id: "rtrs-ssh", protocol: "tcp", port: 2201, targetAddress, targetPort: 22 },
      { id: "rtrs-web", protocol: "tcp", port: 2202, targetAddress, targetPort: 8000 },
    ],
    ipsecTunnels: [tunnel(zone)],
    greTunnels: [],
    inbound: openRules,
    outbound: [],
    ...changes,
  };
}

/** The link between the zones, perfect but for the changes. */
export function link(changes: Partial<LinkPicture> = {}): LinkPicture {
  return {
    id: "gpu1a-gpu2a",
    networks: ["203.0.113.0/24", "198.51.100.0/24"],
    rttMs: 0,
    mtu: 1500,
    mtuBlackhole: false,
    lossPercent: 0,
    cut: false,
    ...changes,
  };
}

/** Node of a zone. */
export function node(
  zone: 1 | 2,
  authorizedKeys: readonly string[],
  changes: Partial<NodePicture> = {},
): NodePicture {
  return {
    id: `i-0000000${zone}`,
    zone: `gpu${zone}a`,
    hostname: `node-${zone}`,
    image: "deep-learning",
    boot: 1,
    nics: [{ vxnet: `vxnet-0000000${zone}`, address: `192.168.${zone}.2`, mac: `52:54:00:00:00:0${zone}` }],
    volumes: [],
    authorizedKeys,
    metadata: { instance_id: `i-0000000${zone}`, vxnets: [] },
    ...changes,
  };
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "data-plane-"));
}

/** A prefix that no other test run on this machine has. */
export function ownPrefix(letter: string): string {
  return `t${letter}${process.pid.toString(36)}`;
}

const execute = promisify(execFile);

/** Runs a program and returns what it printed; its failure is an answer too, but none within 50 s is an error. */
export async function output(program: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await execute(program, args, { timeout: 50_000 });
    return stdout;
  } catch (error) {
    const failure = error as { stdout?: string; stderr?: string; killed?: boolean };
    if (failure.killed) throw error;
    const { stdout = "", stderr = "" } = failure;
    return stdout + stderr;
  }
}

/** What tcpdump sees in a namespace while something is done, once a line of it matches; fails when none does. */
export async function watchWire(
  namespace: string,
  awaited: RegExp,
  doing: () => Promise<unknown>,
): Promise<string> {
  const args = ["netns", "exec", namespace, "tcpdump", "-n", "-l", "-i", "any"];
  const tcpdump = spawn("ip", args, { stdio: ["ignore", "pipe", "pipe"] });
  try {
    let seen = "";
    tcpdump.stdout.on("data", (bytes: Buffer) => {
      seen += bytes.toString();
    });
    await once(tcpdump.stderr, "data");
    await doing();
    await until(`${awaited} on the wire`, () => awaited.test(seen), 5000);
    tcpdump.kill("SIGINT");
    await once(tcpdump, "close");
    return seen;
  } finally {
    tcpdump.kill("SIGKILL");
  }
}

export interface Target {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Of the bastion, and of the node where no password is given. */
  readonly privateKey: string;
  readonly password?: string;
  /** Accepts any host key where absent. */
  readonly hostKey?: string;
}

/** Runs a command on a node by SSH through the bastion; throws when a login or the command fails. */
export async function sshRun(
  plane: Pick<DataPlane, "bastion">,
  target: Target,
  command: string,
): Promise<string> {
  const bastion = plane.bastion;
  if (!bastion) throw new Error("the data plane has no bastion");
  const outer = new Client();
  const inner = new Client();
  try {
    const sock = connect({ host: bastion.host, port: bastion.port, noDelay: true });
    await login(outer, {
      sock,
      username: bastion.user,
      privateKey: target.privateKey,
      hostVerifier: pinned(bastion.hostKey),
    });
    const channel = await new Promise<ConnectConfig["sock"]>((resolve, reject) => {
      outer.forwardOut("127.0.0.1", 0, target.address, target.port, (error, stream) =>
        error ? reject(error) : resolve(stream),
      );
    });
    const hostVerifier = pinned(target.hostKey);
    await login(inner, {
      ...(channel ? { sock: channel } : {}),
      username: target.user,
      ...(target.password === undefined ? { privateKey: target.privateKey } : { password: target.password }),
      hostVerifier,
    });
    return await new Promise<string>((resolve, reject) => {
      inner.exec(command, (error, stream) => {
        if (error) return reject(error);
        let text = "";
        const take = (bytes: Buffer) => {
          text += bytes.toString();
        };
        stream.on("data", take).stderr.on("data", take);
        stream.on("close", (code: number) =>
          code === 0 ? resolve(text) : reject(new Error(`${command} exited with ${code}: ${text}`)),
        );
      });
    });
  } finally {
    inner.end();
    outer.end();
  }
}

function login(client: Client, config: ConnectConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    client.on("ready", () => resolve()).on("error", reject);
    client.connect({ readyTimeout: 10_000, ...config });
  });
}

function pinned(hostKey: string | undefined): (key: Buffer) => boolean {
  const wanted = hostKey?.split(" ")[1];
  return (key) => wanted === undefined || key.toString("base64") === wanted;
}

/** The processes of one program in a namespace, by the name that the kernel has for it. */
export function programIn(namespace: string, name: string): number[] {
  return processesIn([namespace]).filter((pid) => fileOf(pid, "comm").trim() === name);
}

/** A file about a process; empty when it has ended. */
export function fileOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

export { runs } from "../harness/process.ts";

/** Runs a shell command on a node as its root, without SSH, and returns what it printed. */
export async function inView(
  plane: { observe(): Promise<Pick<Observation, "nodes">> },
  nodeId: string,
  command: string,
): Promise<string> {
  const { nodes } = await plane.observe();
  const pid = nodes.find(({ id }) => id === nodeId)?.pid;
  if (!pid) throw new Error(`node ${nodeId} does not run`);
  return await output(
    "nsenter",
    `--target=${pid}`,
    "--all",
    "--",
    "env",
    "-i",
    `PATH=${environment.PATH}`,
    "HOME=/root",
    "sh",
    "-c",
    `exec 2>&1; cd; ${command}`,
  );
}
