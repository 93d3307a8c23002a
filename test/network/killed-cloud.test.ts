/** A cloud whose process is ended without warning, and started again. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { createLinuxDataPlane } from "../../local-cloud/network/linux.ts";
import { processesIn, until } from "../../local-cloud/network/machine/shell.ts";
import type { Picture } from "../../local-cloud/network/picture.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { keyPair } from "../ssh-keys.ts";
import {
  fileOf,
  greTunnel,
  link,
  node,
  output,
  ownPrefix,
  router,
  runs,
  sshRun,
  temporaryFolder,
} from "./support.ts";

const key = keyPair();
const ssh = { address: "203.0.113.10", port: 2201, user: "ubuntu", privateKey: key.private };

describe("a cloud that was killed", { timeout: 30_000 }, () => {
  beforeAll(requireDataPlane);

  test("leaves things that the next start clears; disks and the bastion's key are kept", async () => {
    const options = {
      home: temporaryFolder(),
      prefix: ownPrefix("k"),
      bastionPort: 0,
      webRoot: temporaryFolder(),
    };
    const small: Picture = {
      routers: [router(1, { greTunnels: [greTunnel(1)] })],
      nodes: [node(1, [key.public])],
      bastionKeys: [key.public],
      links: [link({ rttMs: 1 })],
    };
    const victimProgram = join(import.meta.dirname, "victim.ts");
    const victim = spawn(process.execPath, [victimProgram, JSON.stringify(options), JSON.stringify(small)]);
    await once(victim.stdout, "data");
    victim.kill("SIGKILL");
    await once(victim, "exit");
    const stale = processesIn([
      `${options.prefix}-internet`,
      `${options.prefix}-rtr-00000001`,
      `${options.prefix}-i-00000001`,
    ]);
    expect(stale.length).toBeGreaterThan(4);
    // Tunnels and links go on without their cloud.
    const programs = stale.map((pid) => fileOf(pid, "cmdline")).join();
    for (const name of ["charon", "gre-daemon.py", "link-daemon.py"]) expect(programs).toContain(name);
    const hostKey = readFileSync(join(options.home, "bastion", "host_key.pub"), "utf8").trim();

    const plane = await createLinuxDataPlane({ ...options, log: () => {} });
    try {
      await until("the end of what was left", () => !stale.some(runs), 2000);
      expect(await output("ip", "netns", "list")).not.toContain(options.prefix);
      expect(plane.bastion?.hostKey).toBe(hostKey);
      await plane.converge(small);
      expect(await sshRun(plane, ssh, "hostname")).toBe("node-1\n");
    } finally {
      await plane.stop();
      for (const folder of [options.home, options.webRoot]) rmSync(folder, { recursive: true, force: true });
    }
  });
});
