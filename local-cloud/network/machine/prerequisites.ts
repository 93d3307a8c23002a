/** What the Linux data plane needs of a machine. */

import { existsSync } from "node:fs";
import { environment } from "./shell.ts";

/** Programs and files by the Debian package that brings them. */
const contents: Readonly<Record<string, readonly string[]>> = {
  iproute2: ["ip", "tc"],
  "util-linux": ["nsenter", "unshare"],
  mount: ["mount", "losetup"],
  e2fsprogs: ["mkfs.ext4"],
  nftables: ["nft"],
  "openssh-server": ["/usr/sbin/sshd"],
  "openssh-client": ["ssh-keygen"],
  "openssh-sftp-server": ["/usr/lib/openssh/sftp-server"],
  "strongswan-charon": ["/usr/lib/ipsec/charon"],
  "libstrongswan-standard-plugins": ["/usr/lib/ipsec/plugins/libstrongswan-openssl.so"],
  "libcharon-extra-plugins": ["/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so"],
  // Without recommended packages nothing else brings the control socket's plugin.
  "strongswan-swanctl": ["/usr/lib/ipsec/plugins/libstrongswan-vici.so"],
  "dnsmasq-base": ["/usr/sbin/dnsmasq"],
  // Its udhcpc is the nodes' DHCP client.
  busybox: ["busybox"],
  python3: ["/usr/bin/python3"],
  crun: ["/usr/bin/crun"],
  tini: ["/usr/bin/tini"],
  sudo: ["/usr/bin/sudo"],
  "iputils-ping": ["ping"],
};

/** The Debian packages to install; with `--no-install-recommends` nothing more comes along. */
export const debianPackages: readonly string[] = Object.keys(contents);

/** What is missing on this machine, each with what to do about it; empty when the data plane can run. */
export function checkPrerequisites(): string[] {
  const problems: string[] = [];
  if (process.platform !== "linux") return [`the data plane needs Linux, this is ${process.platform}`];
  if (process.getuid?.() !== 0) problems.push("the data plane needs root: run it as root or through sudo");
  if (!existsSync("/dev/net/tun")) {
    problems.push(
      "/dev/net/tun is missing: load the kernel module tun (`modprobe tun`), which IPSec tunnels need",
    );
  }
  for (const [name, files] of Object.entries(contents)) {
    const missing = files.filter((file) => !isThere(file));
    if (missing.length > 0)
      problems.push(`${missing.join(", ")} is missing: install the Debian package ${name}`);
  }
  return problems;
}

function isThere(file: string): boolean {
  const candidates = file.startsWith("/")
    ? [file]
    : environment.PATH.split(":").map((folder) => `${folder}/${file}`);
  return candidates.some((candidate) => existsSync(candidate));
}
