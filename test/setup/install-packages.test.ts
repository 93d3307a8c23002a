/** The script that installs Debian packages: no service starts meanwhile, whatever becomes of it. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installCommand } from "../../scripts/dev/debian.ts";
import { startProcess, waitFor } from "../harness/process.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "crosszone-apt-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Runs the script where /usr/sbin is empty, and prints at its end what is there. @param apt a shell script in place of apt-get */
function install(apt: string, before = "") {
  for (const [name, text] of [
    ["apt-get", apt],
    ["dpkg", "exit 0"],
  ]) {
    writeFileSync(join(directory, name ?? ""), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  const script = `mount -t tmpfs none /usr/sbin; ${before}
code=0; PATH=${directory}:/usr/bin:/bin "$@" || code=$?; echo "left: $(ls /usr/sbin)"; exit $code`;
  const view = ["--mount", "--propagation", "private", "sh", "-c", `trap : INT; ${script}`, "sh"];
  return startProcess("unshare", [...view, ...installCommand("install", ["crun"])]);
}

const policy = 'services=0; sh /usr/sbin/policy-rc.d || services=$?; echo "services $services: $*" >&2';

test("forbids services while apt works, and hands on its progress", async () => {
  const { code, stdout, stderr } = await install(
    `${policy}; [ "$2" = update ] || echo "pmstatus:crun:50:Unpacking" >&3`,
  ).ended;
  expect([code, stdout]).toEqual([0, "pmstatus:crun:50:Unpacking\nleft: \n"]);
  expect(stderr).toBe(
    "services 101: -q update\nservices 101: -q -y -o APT::Status-Fd=3 install --no-install-recommends crun\n",
  );
});

test("allows them again when apt has failed", async () => {
  const { code, stdout, stderr } = await install("echo no network >&2; exit 100").ended;
  expect([code, stdout, stderr]).toEqual([100, "left: \n", "no network\n"]);
});

test("allows them again after Ctrl-C", async () => {
  const works = join(directory, "works");
  const running = install(`trap 'exit 100' INT; touch ${works}; while :; do sleep 0.05; done`);
  await waitFor("apt's start", () => existsSync(works));
  // As a terminal does: to all of them.
  process.kill(-(running.child.pid ?? 0), "SIGINT");
  const { stdout } = await running.ended;
  expect(stdout).toBe("left: \n");
});

test("leaves the machine's own policy as it is", async () => {
  const own = "printf '#!/bin/sh\\nexit 104\\n' >/usr/sbin/policy-rc.d";
  const { code, stdout, stderr } = await install(policy, own).ended;
  expect([code, stdout]).toEqual([0, "left: policy-rc.d\n"]);
  expect(stderr).toContain("services 104: -q update\n");
});
