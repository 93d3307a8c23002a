/** Debian packages of the data plane and the nodes. Nothing that they bring is started on this machine. */
import { chmodSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { debianPackages } from "../../local-cloud/network/machine/prerequisites.ts";
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
/** Debian asks this file before a package's script starts a service; 101 forbids it. */
const policy = "/usr/sbin/policy-rc.d";

export function debianStep(packages: readonly string[]): Step {
  return {
    name: "Debian packages",

    async present() {
      const missing = await missingPackages(packages);
      return missing.length === 0 ? `all ${packages.length} there` : undefined;
    },

    async make() {
      if (!existsSync("/usr/bin/apt-get")) {
        throw new Error(
          `this machine has no apt-get; install these by hand: ${(await missingPackages(packages)).join(" ")}`,
        );
      }
      const asRoot = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
      const [command = "", ...rest] = [...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
      const missing = await missingPackages(packages);
      const release = process.getuid?.() === 0 ? forbidServices() : () => {};
      try {
        await succeed(command, [...rest, "update", "-q"]);
        await succeed(command, [...rest, "install", "-y", "-q", "--no-install-recommends", ...missing]);
      } finally {
        release();
      }
      return `installed ${missing.join(" ")}`;
    },
  };
}

async function missingPackages(packages: readonly string[]): Promise<string[]> {
  const { stdout } = await capture("dpkg-query", ["-W", "-f", packageFormat, ...packages]);
  const installed = new Set(
    stdout.split("\n").flatMap((line) => (line.endsWith(" installed") ? [line.split(" ")[0]] : [])),
  );
  return packages.filter((name) => !installed.has(name));
}

/** @returns puts things back as they were */
function forbidServices(): () => void {
  if (existsSync(policy)) return () => {};
  writeFileSync(policy, "#!/bin/sh\nexit 101\n");
  chmodSync(policy, 0o755);
  return () => rmSync(policy, { force: true });
}
