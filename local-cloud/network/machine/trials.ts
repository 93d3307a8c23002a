/** Tries what the data plane does to a machine: a container may forbid it although everything looks as it should. */
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { environment } from "./shell.ts";

/** Numbers of capabilities in /proc/self/status. */
const capabilities = { NET_ADMIN: 12, SYS_ADMIN: 21 } as const;
type Capability = keyof typeof capabilities;

const tun = "/dev/net/tun";

/**
 * Runs in namespaces that go with it, so that nothing of it stays. Each step prints its name before it begins: the last
 * one is what failed.
 */
const steps = `
echo interface
ip link set lo up
echo settings
echo 1 > /proc/sys/net/ipv4/ip_forward
echo device
ip tuntap add dev try mode tun
`;

/** The problems of this machine, each with what to do about it; empty where a namespace can be made and TUN be opened. */
export function tryMachine(): string[] {
  if (process.getuid?.() !== 0) return lackingForRoot();
  const problems = [tryNamespace(), tryTun()].flatMap((each) => each ?? []);
  // Without namespaces what happens inside them cannot be tried: what is missing as well is read.
  return problems.length === 0 ? tryInside() : [...problems, ...lackingAsWell(problems)];
}

/** Another user cannot try, but sees what root cannot have here either. */
function lackingForRoot(): string[] {
  const lacking = (["SYS_ADMIN", "NET_ADMIN"] as const).filter((name) => !has(name, "CapBnd"));
  return [...lacking.map(withoutCapability), ...(existsSync(tun) ? [] : [tunProblem("ENOENT")])];
}

function tryNamespace(): string | undefined {
  const { code, said } = unshare(["true"]);
  if (code === 0) return undefined;
  const what = `network namespaces cannot be made here (${said})`;
  if (!has("SYS_ADMIN")) return `${what}: ${withoutCapability("SYS_ADMIN")}`;
  return `${what}: a seccomp or AppArmor profile forbids it. Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined; Kubernetes: securityContext.seccompProfile.type and appArmorProfile.type: Unconfined`;
}

function tryTun(): string | undefined {
  try {
    closeSync(openSync(tun, "r+"));
    return undefined;
  } catch (error) {
    return tunProblem((error as NodeJS.ErrnoException).code ?? "");
  }
}

function tunProblem(code: string): string {
  const load = ["ENOENT", "ENXIO", "ENODEV"].includes(code)
    ? " Load the kernel module (`modprobe tun`). In a container with"
    : "";
  const what = existsSync(tun)
    ? `${tun} exists and cannot be opened (${code})`
    : `the device ${tun} is missing`;
  return `${what}: IPSec tunnels need it.${load} Docker: --device ${tun}; Kubernetes: a device plugin that gives ${tun}, or securityContext.privileged: true`;
}

function tryInside(): string[] {
  if (!isInstalled("ip")) return [];
  const { code, stdout, said } = unshare(["sh", "-e", "-c", steps]);
  if (code === 0) return [];
  const step = stdout.trim().split("\n").at(-1);
  if (step === "settings") {
    return [
      `/proc/sys/net cannot be written in a namespace (${said}). Docker: --security-opt systempaths=unconfined; Kubernetes: securityContext.procMount: Unmasked, or privileged: true`,
    ];
  }
  if (!has("NET_ADMIN")) {
    return [`interfaces cannot be set up in a namespace (${said}): ${withoutCapability("NET_ADMIN")}`];
  }
  const what = step === "device" ? "a TUN device cannot be made" : "interfaces cannot be set up";
  return [`${what} in a namespace (${said})`];
}

function lackingAsWell(problems: readonly string[]): string[] {
  const isReported = problems.some((problem) => problem.includes("CAP_NET_ADMIN"));
  return has("NET_ADMIN") || isReported ? [] : [withoutCapability("NET_ADMIN")];
}

function withoutCapability(name: Capability): string {
  return `the capability CAP_${name} is missing. Docker: --cap-add ${name}; Kubernetes: securityContext.capabilities.add: ["${name}"]`;
}

/** @param set what this process may do, or what any program that it starts could at most */
function has(name: Capability, set: "CapEff" | "CapBnd" = "CapEff"): boolean {
  const [, bits = "0"] =
    new RegExp(`^${set}:\\s*([0-9a-f]+)$`, "m").exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return ((BigInt(`0x${bits}`) >> BigInt(capabilities[name])) & 1n) === 1n;
}

function unshare(command: readonly string[]): { code: number; stdout: string; said: string } {
  const args = ["--net", "--mount", "--", ...command];
  const { status, stdout, stderr, error } = spawnSync("unshare", args, {
    env: environment,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (error !== undefined) return { code: 1, stdout: "", said: error.message };
  return { code: status ?? 1, stdout, said: stderr.trim().split("\n").at(-1) ?? "" };
}

/** Whether one of these programs' folders has it. */
export function isInstalled(program: string): boolean {
  const candidates = program.startsWith("/")
    ? [program]
    : environment.PATH.split(":").map((folder) => `${folder}/${program}`);
  return candidates.some((candidate) => existsSync(candidate));
}
