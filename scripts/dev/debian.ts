/** Debian packages of the data plane and the nodes. Nothing that they bring is started on this machine. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { debianPackages } from "../../local-cloud/network/machine/prerequisites.ts";
import { forAdministrator, NoPrivilege, type Privilege } from "../../local-cloud/privilege.ts";
import { capture, succeed } from "./process.ts";
import type { Step } from "./steps.ts";

/** What the main job needs. */
export const mainJobPackages: readonly string[] = [...debianPackages, "python3-torch", "python3-sklearn"];
/** What tests use beside that. */
export const testPackages: readonly string[] = [
  "chromium",
  "curl",
  "iperf3",
  "libopenblas0-pthread",
  "openssl",
  "python3-pip",
  "python3-pytest",
  "shellcheck",
  "sudo",
  "tcpdump",
];

/** dpkg-query's own placeholders. */
const packageFormat = "$" + "{Package} $" + "{db:Status-Status}\n";

/** The command that an administrator can run as well. */
export function installCommand(what: "update" | "install", packages: readonly string[] = []): string[] {
  return ["sh", join(import.meta.dirname, "install-packages.sh"), what, ...packages];
}

/** @param privilege undefined where this user cannot become root */
export function debianStep(packages: readonly string[], privilege: Privilege | undefined): Step {
  /** Runs a command as root, shown before. */
  const asRoot = async (command: readonly string[], print: (line: string) => void) => {
    if (privilege === undefined) {
      throw new NoPrivilege(`packages are installed by root. Please ${forAdministrator([command])}`);
    }
    privilege.ask(command, print);
    const [program = "", ...args] = privilege.line(command);
    return (onLine?: (line: string) => void) =>
      succeed(program, args, { interrupt: privilege.interrupt, ...(onLine && { onLine }) });
  };
  let install: ((onLine: (line: string) => void) => Promise<unknown>) | undefined;
  let missing: readonly string[] = [];
  return {
    name: "Debian packages",

    async present() {
      missing = await missingPackages(packages);
      return missing.length === 0 ? `all ${packages.length} there` : undefined;
    },

    async prepare(print) {
      if ((await unavailable(missing)).length > 0) {
        // The lists of this machine may be old, and a fresh container has none.
        await (await asRoot(installCommand("update"), print))();
        const lacking = await unavailable(missing);
        if (lacking.length > 0) throw new Error(unavailableMessage(lacking, distribution()));
      }
      install = await asRoot(installCommand("install", missing), print);
    },

    async make({ progress }) {
      await install?.((line) => {
        const text = describeStatus(line);
        if (text !== undefined) progress(text);
      });
      const still = await missingPackages(missing);
      if (still.length > 0) throw new Error(`apt-get has not installed ${still.join(" ")}`);
      return `installed ${missing.join(" ")}`;
    },
  };
}

/** @param line as APT::Status-Fd writes it, e.g. `pmstatus:crun:41.5:Unpacking crun (amd64)` */
export function describeStatus(line: string): string | undefined {
  const [, kind, percent] = /^(dlstatus|pmstatus):[^:]*(?::[a-z0-9]+)?:(\d+(?:\.\d+)?):/.exec(line) ?? [];
  if (percent === undefined) return undefined;
  return `${kind === "dlstatus" ? "downloading" : "installing"}, ${Math.floor(Number(percent))} %`;
}

export async function missingPackages(packages: readonly string[]): Promise<string[]> {
  const { stdout } = await capture("dpkg-query", ["-W", "-f", packageFormat, ...packages]);
  const installed = new Set(
    stdout.split("\n").flatMap((line) => (line.endsWith(" installed") ? [line.split(" ")[0]] : [])),
  );
  return packages.filter((name) => !installed.has(name));
}

/** Those of the packages that apt knows no version of. */
async function unavailable(packages: readonly string[]): Promise<string[]> {
  const env = { ...process.env, LC_ALL: "C" };
  const { stdout } = await capture("apt-cache", ["policy", ...packages], { env });
  return withoutCandidate(packages, stdout);
}

/** @param policy what `apt-cache policy` prints of the packages, in English */
export function withoutCandidate(packages: readonly string[], policy: string): string[] {
  const available = new Set(
    policy.split(/^(?=\S)/m).flatMap((entry) => {
      const [, name = "", candidate = "(none)"] =
        /^(\S+):\n(?:.*\n)*? {2}Candidate: (.+)$/m.exec(entry) ?? [];
      return candidate === "(none)" ? [] : [name];
    }),
  );
  return packages.filter((name) => !available.has(name));
}

export function unavailableMessage(lacking: readonly string[], found: string): string {
  const [noun, verb] = lacking.length === 1 ? ["package", "is"] : ["packages", "are"];
  return `the ${noun} ${lacking.join(", ")} ${verb} not in the package sources of this machine (${found}). Debian 12 has all; on Ubuntu some are in the component universe (\`add-apt-repository universe\`). Add a source that has them, or run this on Debian 12, e.g. in a container`;
}

function distribution(): string {
  try {
    const [, name = "unknown"] =
      /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync("/etc/os-release", "utf8")) ?? [];
    return name;
  } catch {
    return "unknown";
  }
}
