/** Users who are not root: with sudo, with a password to type, and without. */
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Home } from "../../local-cloud/home.ts";
import { namespacesOf, processesOf } from "../harness/machine.ts";
import { waitFor, waitForText } from "../harness/process.ts";
import { password, User, uid } from "./user.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const configuration = `config:
  crosszone:zones:
    - { name: beijing, zoneId: gpu1a, network: 192.168.1.0/24, imageId: img-deeplearning }
  crosszone:operatorCidrs: [203.0.113.1/32]
  crosszone:training: { mode: none }
`;

let user: User;
beforeAll(async () => {
  user = await User.create();
  writeFileSync(join(user.checkout, "Pulumi.dev.yaml"), configuration);
});
afterAll(() => user?.remove());

const rootsFolder = () => new Home(user.cloudHome).machineFolder;
const nothingRuns = () => {
  const { prefix } = new Home(user.cloudHome);
  expect(
    user
      .asRoot("ls /run/netns")
      .split("\n")
      .filter((name) => name.startsWith(prefix)),
  ).toEqual([]);
  expect(namespacesOf(prefix)).toEqual([]);
  expect(
    processesOf([], "local-cloud/main.").filter((each) => each.commandLine.includes(user.checkout)),
  ).toEqual([]);
};

describe("a user with sudo and no password", () => {
  beforeEach(() => user.sudo("without a password"));

  test("runs npm start: only apt and the local cloud are root's, and what is made is the user's", async () => {
    const missing = "busybox";
    const done = join(user.home, "installed");
    const log = join(user.directory, "apt.log");
    user.program(
      "dpkg-query",
      `/usr/bin/dpkg-query "$@" | if [ -e ${done} ]; then cat; else grep -v '^${missing} '; fi`,
    );
    user.program("apt-cache", `printf '${missing}:\\n  Installed: (none)\\n  Candidate: 1.35\\n'`);
    user.program("dpkg", "exit 0");
    user.program(
      "apt-get",
      `services=0; sh /usr/sbin/policy-rc.d || services=$?
echo "$(id -u) $services $*" >>${log}
case "$*" in *install*) touch ${done}; chown ${uid} ${done};; esac`,
    );
    const policy = () => statSync("/usr/sbin/policy-rc.d", { throwIfNoEntry: false })?.mtimeMs;
    const before = policy();
    const { code, stdout, stderr } = await user.node("scripts/dev/start.ts").ended;
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    expect(stderr).toBe("");

    const asked = stdout.split("\n").filter((line) => line.startsWith("as root: "));
    expect(asked).toEqual([
      `as root: sudo -H sh ${user.checkout}/scripts/dev/install-packages.sh install ${missing}`,
      `as root: sudo -H env XDG_CACHE_HOME=/var/cache ${user.nodePath} ${user.checkout}/local-cloud/main.ts start --home ${user.cloudHome}`,
    ]);
    // 101 forbids a service's start.
    expect(readFileSync(log, "utf8").split("\n")).toEqual([
      "0 101 -q update",
      `0 101 -q -y -o APT::Status-Fd=3 install --no-install-recommends ${missing}`,
      "",
    ]);
    expect(policy()).toBe(before);

    expect(user.rootsFiles()).toEqual([]);
    const modes = ["config.yaml", "calls.jsonl", "log", "cloud.json"].map((file) => {
      const { uid: owner, mode } = statSync(join(user.cloudHome, file));
      return [file, owner, mode & 0o777];
    });
    expect(modes.every(([, owner, mode]) => owner === uid && mode === 0o600)).toBe(true);
  });

  test("asks, changes, stops and resets what npm start made, as the user", async () => {
    const status = await user.cloud("status", "--json");
    expect(status.code, status.stderr).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({ dataPlane: "linux", nodes: [{}], routers: [{}] });
    const outputs = await user.node("scripts/dev/pulumi.ts", "stack", "output", "--json").ended;
    expect(outputs.code, outputs.stderr).toBe(0);
    expect(JSON.parse(outputs.stdout)).toMatchObject({ zones: [{ name: "beijing" }] });
    expect((await user.cloud("logs")).stdout).toContain("the API answers at");

    const stopped = await user.cloud("stop");
    expect(stopped).toMatchObject({ code: 0, stdout: "The local cloud has stopped.\n", stderr: "" });
    nothingRuns();
    expect(user.rootsFiles()).toEqual([]);
    // The node's disk waits for the next start.
    expect(user.asRoot(`ls ${rootsFolder()}/nodes`)).toMatch(/^i-/);
    expect((await user.cloud("status")).stdout).toContain("1 instance");

    const reset = await user.cloud("reset");
    expect(reset.code, reset.stderr).toBe(0);
    expect(reset.stderr).toContain("as root: sudo -H env");
    expect(user.asRoot(`ls -d ${rootsFolder()} 2>/dev/null || :`)).toBe("");
    expect(user.rootsFiles()).toEqual([]);
  });

  test("removes what a killed cloud has left, also where /var/lib cannot hold disks", async () => {
    const layers = join(user.directory, "layers");
    const options = `lowerdir=/var/lib,upperdir=${layers}/upper,workdir=${layers}/work`;
    user.asRoot(`mkdir -p ${layers}/upper ${layers}/work; mount -t overlay -o ${options} none /var/lib`);
    const { pid } = JSON.parse((await user.cloud("start", "--json")).stdout) as { pid: number };
    const { prefix } = new Home(user.cloudHome);
    user.asRoot(`ip netns add ${prefix}-left; kill -KILL ${pid}`);
    expect(user.asRoot(`ls ${user.cloudHome}/machine`)).toContain("bastion");
    const { code, stdout, stderr } = await user.cloud("stop");
    expect([code, stdout], stderr).toEqual([
      0,
      "The local cloud was not running. What a killed one had left (1 namespaces) is removed.\n",
    ]);
    nothingRuns();
    expect(user.rootsFiles()).toEqual([]);
    user.asRoot("umount /var/lib");
  });

  test("interrupts a start without a terminal: nothing of it stays", async () => {
    const [hold, held, sent] = ["hold", "held", "sent"].map((name) => join(user.directory, name));
    writeFileSync(hold ?? "", "");
    user.program(
      "unshare",
      `touch ${held}; while [ -e ${hold} ]; do sleep 0.05; done; exec /usr/bin/unshare "$@"`,
    );
    user.program("kill", `/bin/kill "$@"; touch ${sent}`);
    try {
      const start = user.start([user.nodePath, "local-cloud/main.ts", "start"]);
      await waitForText(start, /^as root: /m);
      await waitFor("the cloud's first trial", () => exists(held));
      process.kill(start.child.pid ?? 0, "SIGINT");
      await waitFor("the signal to root's process", () => exists(sent));
      rmSync(hold ?? "");
      expect(await start.ended).toMatchObject({ code: 2, stderr: expect.stringContaining("interrupted") });
    } finally {
      rmSync(hold ?? "", { force: true });
      user.asRoot("rm /usr/local/sbin/unshare /usr/local/sbin/kill");
    }
    expect((await user.cloud("status")).code).toBe(3);
    nothingRuns();
    expect(user.rootsFiles()).toEqual([]);
  });
});

const exists = (path: string | undefined) => statSync(path ?? "", { throwIfNoEntry: false }) !== undefined;

describe("a user whose sudo wants a password", () => {
  beforeEach(() => user.sudo("with a password"));

  /** Runs a command on a terminal, types a line at each prompt, and prints what the terminal shows. */
  const typing = `
import os, pty, sys
answers = sys.argv[1].split("|")
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
seen = 0
while True:
    try:
        part = os.read(terminal, 1024)
    except OSError:
        break
    if not part:
        break
    shown += part
    sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
    prompts = shown.count(b"password for")
    while seen < prompts and answers:
        seen += 1
        os.write(terminal, (answers.pop(0) + "\\n").encode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
  const onTerminal = (answers: readonly string[], ...line: readonly string[]) =>
    user.start(["/usr/bin/python3", "-c", typing, answers.join("|"), user.nodePath, ...line]).ended;

  test("is shown the command, asked on the terminal once, and goes on", async () => {
    const { code, stdout } = await onTerminal([password], "local-cloud/main.ts", "start");
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(
      /^as root: sudo -H env [\s\S]*password for newcomer: [\s\S]*The local cloud is running/,
    );
    expect(stdout.match(/password for/g)).toHaveLength(1);
    expect((await user.cloud("stop")).code).toBe(0);
    expect(user.rootsFiles()).toEqual([]);
  });

  test("that is wrong ends with what to do", async () => {
    const { code, stdout } = await onTerminal(["wrong"], "scripts/dev/start.ts");
    expect(code, stdout).toBe(1);
    expect(stdout).toMatch(/1 incorrect password attempt/);
    expect(stdout).toContain(
      "sudo does not let this user run commands as root: a wrong password, or no right to use it.",
    );
    expect(stdout).toContain("let an administrator run as root:");
    expect((await user.cloud("status")).code).toBe(3);
  });

  test("without a terminal is not asked", async () => {
    const { code, stderr } = await user.node("scripts/dev/start.ts").ended;
    expect(code).toBe(1);
    expect(stderr).toContain("Run it in a terminal, or let an administrator run as root:");
  });
});

describe("a user without sudo", () => {
  beforeEach(() => user.sudo("nothing"));

  test("gets the commands for an administrator and what works without, before anything is made", async () => {
    const { code, stdout, stderr } = await user.node("scripts/dev/start.ts").ended;
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(
      `let an administrator run as root:
  env XDG_CACHE_HOME=/var/cache ${user.nodePath} ${user.checkout}/local-cloud/main.ts start --home ${user.cloudHome}
Then \`npm start\` goes on as this user, as long as that cloud runs. This works without root:
  npm run pulumi -- up --stack prod `,
    );
    expect(await user.cloud("start")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /let an administrator run as root:\n {2}env [\s\S]*or use --data-plane none for the API alone\n$/,
      ),
    });
    expect((await user.cloud("start", "--data-plane", "none", "--port", "0")).code).toBe(0);
    expect((await user.cloud("stop")).code).toBe(0);
  });

  test("uses and stops the cloud that an administrator has started, also where the system hides root's processes", async () => {
    user.asRoot("mount -t proc -o hidepid=2 proc /proc");
    user.asRoot(
      `XDG_CACHE_HOME=/var/cache ${user.nodePath} ${user.checkout}/local-cloud/main.ts start --home ${user.cloudHome}`,
    );
    expect((await user.cloud("status")).code).toBe(0);
    expect((await user.cloud("stop")).code).toBe(0);
    nothingRuns();
    expect(user.rootsFiles()).toEqual([]);
  });
});

test("files that an earlier command made as root are named, with the command that gives them back", async () => {
  const folder = join(user.checkout, ".pulumi");
  user.asRoot(`chown -R 0:0 ${folder}`);
  for (const script of ["pulumi.ts", "train.ts"]) {
    const { code, stderr } = await user.node(
      `scripts/dev/${script}`,
      script === "train.ts" ? "status" : "stack",
    ).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /belongs to the user with the id 0, as which an earlier command ran\. Give it back, as root: chown -R 64123:64123 /,
    );
    expect(stderr).not.toContain("    at ");
  }
});
