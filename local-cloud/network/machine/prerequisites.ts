/** What the Linux data plane needs of a machine. */

import { isInstalled, tryMachine } from "./trials.ts";

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

/** Whether this process has made a namespace and opened TUN: what could be done once is not tried again. */
let isTried = false;

/** What is missing on this machine, each with what to do about it; empty when the data plane can run. */
export function checkPrerequisites(): string[] {
  if (process.platform !== "linux") return [`the data plane needs Linux, this is ${process.platform}`];
  if (process.getuid?.() !== 0) return ["the data plane needs root: run it as root or through sudo"];
  const problems = isTried ? [] : tryMachine();
  isTried = problems.length === 0;
  for (const [name, files] of Object.entries(contents)) {
    const missing = files.filter((file) => !isInstalled(file));
    if (missing.length > 0)
      problems.push(`${missing.join(", ")} is missing: install the Debian package ${name}`);
  }
  return problems;
}
