/**
 * A user of this machine who is not root, in their own checkout. The accounts are a copy of /etc in a mount namespace:
 * the machine's own files are what running clouds show their nodes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { binDirectory } from "../../scripts/dev/pulumi-cli.ts";
import { findWorkspace } from "../../scripts/dev/workspace.ts";
import { command, type Ended, type Running, root, startProcess } from "../harness/process.ts";

const name = "newcomer";
export const uid = 64_123;
export const password = "open sesame";

/** The user's rights to be root. */
export type Sudo = "without a password" | "with a password" | "nothing";

const rules: Readonly<Record<Sudo, string>> = {
  "without a password": `${name} ALL=(ALL:ALL) NOPASSWD: ALL\n`,
  // Each wrong one takes two seconds.
  "with a password": `Defaults:${name} passwd_tries=1\n${name} ALL=(ALL:ALL) ALL\n`,
  nothing: "",
};

/**
 * The namespaces of mounts and of the network, where no other test's cloud takes the port that the user's keeps: they last
 * as long as this runs.
 */
const view = `
ip link set lo up
mount --make-rslave /
mount --bind "$1/etc" /etc
mkdir -p /run/sudo && mount -t tmpfs -o mode=0711 none /run/sudo
mkdir -p /run/netns && mount -t tmpfs none /run/netns
mount -t tmpfs -o mode=0755 none /usr/local/sbin
mount -t tmpfs -o mode=0755 none /var/cache
mount --bind "$2" "$1/checkout/node_modules"
mount --bind "$3" "$1/bin/pulumi"
echo ready
exec sleep infinity
`;

export class User {
  readonly directory = mkdtempSync(join(tmpdir(), "crosszone-user-"));
  readonly checkout = join(this.directory, "checkout");
  readonly home = join(this.directory, "home");
  readonly cloudHome = join(this.checkout, ".local-cloud");
  readonly #running = new Set<Running>();
  #holder: ChildProcess | undefined;

  /** Makes the account, a checkout with the working tree of this one, and a view of the machine with both. */
  static async create(): Promise<User> {
    const user = new User();
    await user.#prepare();
    return user;
  }

  async #prepare(): Promise<void> {
    const etc = join(this.directory, "etc");
    chmodSync(this.directory, 0o755);
    command("cp", "-a", "/etc", etc);
    appendFileSync(join(etc, "passwd"), `${name}:x:${uid}:${uid}::${this.home}:/bin/sh\n`);
    appendFileSync(join(etc, "group"), `${name}:x:${uid}:\n`);
    const hash = command("openssl", "passwd", "-6", password).trim();
    appendFileSync(join(etc, "shadow"), `${name}:${hash}:19000::::::\n`);
    for (const folder of [this.checkout, this.home, join(this.directory, "bin")]) mkdirSync(folder);
    const own = /^(\.git|\.pulumi|\.local-cloud|node_modules|\.cache)$/;
    for (const entry of readdirSync(root).filter((name) => !own.test(name))) {
      cpSync(join(root, entry), join(this.checkout, entry), {
        recursive: true,
        filter: (path) => basename(path) !== "__pycache__",
      });
    }
    mkdirSync(join(this.checkout, "node_modules"));
    writeFileSync(join(this.directory, "bin", "pulumi"), "");
    command("chown", "-R", `${uid}:${uid}`, this.checkout, this.home);
    const cli = realpathSync(join(binDirectory(findWorkspace()), "pulumi"));
    const args = ["--mount", "--net", "--", "sh", "-e", "-c", view, "view", this.directory];
    const holder = spawn("unshare", [...args, join(root, "node_modules"), cli], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#holder = holder;
    const [said] = (await once(holder.stdout, "data")) as [Buffer];
    if (said.toString() !== "ready\n") throw new Error(`the user's view of the machine: ${said}`);
  }

  /** Lets the user become root. */
  sudo(what: Sudo): void {
    const file = join(this.directory, "etc", "sudoers.d", "test");
    rmSync(file, { force: true });
    writeFileSync(file, rules[what], { mode: 0o440 });
    // A ticket would make the next command go without a password.
    this.asRoot("rm -rf /run/sudo/*");
  }

  /** Puts a program in front of the machine's own, for root and for the user. */
  program(file: string, text: string): void {
    const script = `cat > "/usr/local/sbin/${file}"; chmod 755 "/usr/local/sbin/${file}"`;
    const [program, ...args] = this.#inView(["sh", "-ec", script]);
    spawnOk(program ?? "", args, `#!/bin/sh\n${text}\n`);
  }

  /** Runs a shell script as root in the user's view of the machine; what it printed. */
  asRoot(script: string): string {
    const [program = "", ...args] = this.#inView(["sh", "-ec", script]);
    return command(program, ...args);
  }

  /** Starts a program as the user, in the checkout. */
  start(line: readonly string[], { stdin = "" }: { stdin?: string | null } = {}): Running {
    const ids = [`--reuid=${uid}`, `--regid=${uid}`, "--init-groups"];
    const environment = [
      `HOME=${this.home}`,
      `PATH=/usr/local/sbin:${this.directory}/bin:/usr/bin:/bin`,
      `USER=${name}`,
      "LANG=C.UTF-8",
    ];
    const [program = "", ...args] = this.#inView([
      ...["setpriv", ...ids, "env", "-i", ...environment],
      ...["sh", "-c", 'cd "$1"; shift; exec "$@"', "sh", this.checkout, ...line],
    ]);
    const running = startProcess(program, args, { stdin });
    this.#running.add(running);
    void running.ended.finally(() => this.#running.delete(running)).catch(() => {});
    return running;
  }

  /** A command as `npm run` has it, without npm. */
  node(file: string, ...args: readonly string[]): Running {
    return this.start([this.nodePath, join("scripts", "dev", "bootstrap.mjs"), file, ...args]);
  }

  cloud(...args: readonly string[]): Promise<Ended> {
    return this.node("local-cloud/main.ts", ...args).ended;
  }

  get nodePath(): string {
    return join(this.checkout, "node_modules", `node-linux-${process.arch}`, "bin", "node");
  }

  /** Files below the checkout and the user's home that belong to root; those of npm's packages are not the user's here. */
  rootsFiles(): string[] {
    const folders = `"${this.checkout}" "${this.home}"`;
    const find = `find ${folders} -path "${this.checkout}/node_modules" -prune -o ! -uid ${uid} -print`;
    return this.asRoot(find).split("\n").filter(Boolean);
  }

  async remove(): Promise<void> {
    for (const { child, ended } of [...this.#running]) {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      await ended;
    }
    if (this.#holder !== undefined) {
      const main = `"${process.execPath}" "${root}/local-cloud/main.ts"`;
      for (const what of ["stop", "reset"]) this.asRoot(`${main} ${what} --home "${this.cloudHome}"`);
      const ended = once(this.#holder, "exit");
      this.#holder.kill("SIGKILL");
      await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  #inView(line: readonly string[]): string[] {
    return ["nsenter", `--target=${this.#holder?.pid}`, "--mount", "--net", "--", ...line];
  }
}

function spawnOk(program: string, args: readonly string[], input: string): void {
  command("sh", "-ec", 'printf "%s" "$0" | "$@"', input, program, ...args);
}
