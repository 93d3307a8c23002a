import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { userDataScript } from "../../../infra/plan/user-data.ts";
import { generatePair } from "../../../provider/state/ssh-key.ts";

const { private: hostPrivateKey, public: hostPublicKey } = await generatePair("beijing-1-host");
const routes = Array.from({ length: 10 }, (_, index) => `192.168.${100 + index}.0/24`);
const script = userDataScript({ hostPrivateKey, gateway: "192.168.255.1", routes });

test("with a real ed25519 key and ten routes it is at most 4 KB, what the API takes", () => {
  expect(Buffer.byteLength(script)).toBeLessThanOrEqual(4096);
});

test("is a script for sh without a syntax error", () => {
  expect(script).toMatch(/^#!\/bin\/sh\n/);
  expect(spawnSync("sh", ["-n"], { input: script, encoding: "utf8" })).toMatchObject({
    status: 0,
    stderr: "",
  });
});

describe("run on a node", () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "user-data-"));
    for (const directory of ["bin", "ssh"]) mkdirSync(join(root, directory));
    // Stand-ins that only note how they were called: nothing of this machine is touched.
    for (const name of ["ip", "systemctl"]) {
      writeFileSync(join(root, "bin", name), `#!/bin/sh\necho ${name} "$@" >> ${root}/called\n`);
      chmodSync(join(root, "bin", name), 0o755);
    }
    for (const type of ["rsa", "ecdsa", "dsa", "ed25519"]) {
      for (const end of ["", ".pub"])
        writeFileSync(join(root, "ssh", `ssh_host_${type}_key${end}`), "the image's\n");
    }
  });
  afterAll(() => rmSync(root, { recursive: true }));

  /** Runs it with this directory in the place of /etc/ssh; answers what it called. */
  function boot(): string[] {
    rmSync(join(root, "called"), { force: true });
    const moved = script.replaceAll("/etc/ssh/", `${root}/ssh/`);
    execFileSync("sh", ["-e"], { input: moved, env: { PATH: `${root}/bin:${process.env.PATH}` } });
    return existsSync(join(root, "called"))
      ? readFileSync(join(root, "called"), "utf8").trim().split("\n")
      : [];
  }
  const routed = routes.map((network) => `ip route replace ${network} via 192.168.255.1 mtu 1400`);
  const keyFile = (end = "") => join(root, "ssh", `ssh_host_ed25519_key${end}`);

  test("at the first boot it puts the host key in place, removes the image's, restarts sshd, sets the routes", () => {
    expect(boot()).toEqual(["systemctl restart ssh", ...routed]);
    expect(readFileSync(keyFile(), "utf8").trim()).toBe(hostPrivateKey.trim());
    expect(readFileSync(keyFile(".pub"), "utf8").split(" ").slice(0, 2)).toEqual(
      hostPublicKey.split(" ").slice(0, 2),
    );
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    expect(statSync(keyFile(".pub")).mode & 0o777).toBe(0o644);
    for (const type of ["rsa", "ecdsa", "dsa"]) {
      expect(existsSync(join(root, "ssh", `ssh_host_${type}_key`))).toBe(false);
      expect(existsSync(join(root, "ssh", `ssh_host_${type}_key.pub`))).toBe(false);
    }
  });

  test("at the next boot it restarts nothing and leaves the key as it is", () => {
    const before = statSync(keyFile()).ino;
    expect(boot()).toEqual(routed);
    expect(statSync(keyFile()).ino).toBe(before);
    expect(existsSync(keyFile(".new"))).toBe(false);
  });
});
