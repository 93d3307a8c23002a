/**
 * The way in for people and programs on this machine: SSH on loopback, served by sshd inside the internet.
 *
 * Its user exists only in the view that sshd has of /etc; it may open connections to EIPs and nothing else.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { eipAddresses } from "../addressing.ts";
import { environment, run } from "../machine/shell.ts";

export const bastionUser = "bastion";
/** An id that no account of the machine has: Debian gives people 1000 to 59999, systemd takes from 60001 on. */
const bastionUserId = 60_000;
const connectionLimit = 128;

/** Shell script that gives a program its own accounts and the bastion's files in /run/bastion, then becomes it. */
export const bastionView = `mount -t tmpfs -o mode=755 bastion /run
mkdir /run/sshd /run/bastion
mount --bind "$1" /run/bastion
for file in passwd shadow group; do mount --bind /run/bastion/$file /etc/$file; done
shift
exec "$@"`;

const configuration = `HostKey /run/bastion/host_key
AuthorizedKeysFile /run/bastion/authorized_keys
StrictModes no
UsePAM no
UseDNS no
AllowUsers ${bastionUser}
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding local
PermitOpen ${eipAddresses()
  .map((address) => `${address}:*`)
  .join(" ")}
AllowAgentForwarding no
AllowStreamLocalForwarding no
X11Forwarding no
PermitTunnel no
PermitTTY no
PermitUserRC no
ForceCommand /bin/false
LoginGraceTime 30
MaxSessions 256
PrintMotd no
LogLevel ERROR
`;

const accounts = {
  passwd: `root:x:0:0:root:/root:/usr/sbin/nologin
sshd:x:104:65534::/run/sshd:/usr/sbin/nologin
${bastionUser}:x:${bastionUserId}:${bastionUserId}::/nonexistent:/bin/sh
nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin
`,
  shadow: `root:*:19000::::::\nsshd:*:19000::::::\n${bastionUser}:*:19000::::::\nnobody:*:19000::::::\n`,
  group: `root:x:0:\n${bastionUser}:x:${bastionUserId}:\nnogroup:x:65534:\n`,
} as const;

export interface BastionOptions {
  /** Folder of its files; seen by sshd as /run/bastion. */
  readonly folder: string;
  readonly port: number;
  /** Process in whose namespaces sshd runs; without one, connections are closed at once. */
  readonly inside: () => number | undefined;
  readonly log: (line: string) => void;
}

export class Bastion {
  /** The public host key, e.g. `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
  readonly port: number;
  readonly #options: BastionOptions;
  readonly #server: Server;
  readonly #sessions = new Set<ChildProcess>();
  #keys: string | undefined;

  /** Writes what sshd reads (the host key is made once and kept) and listens on loopback. */
  static async open(options: BastionOptions): Promise<Bastion> {
    const { folder } = options;
    const hostKeyFile = join(folder, "host_key");
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o755); // sshd reads the keys as the bastion's user
    if (!existsSync(`${hostKeyFile}.pub`)) {
      await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", hostKeyFile]);
    }
    await writeFile(join(folder, "sshd_config"), configuration);
    for (const [name, text] of Object.entries(accounts)) await writeFile(join(folder, name), text);
    await writeFile(join(folder, "authorized_keys"), "", { mode: 0o644 });
    const hostKey = (await readFile(`${hostKeyFile}.pub`, "utf8")).trim();
    const server = createServer({ noDelay: true, pauseOnConnect: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(options.port, "127.0.0.1", () => resolve());
    });
    return new Bastion(options, hostKey, server);
  }

  private constructor(options: BastionOptions, hostKey: string, server: Server) {
    this.#options = options;
    this.hostKey = hostKey;
    this.#server = server;
    const address = server.address();
    this.port = typeof address === "object" && address ? address.port : options.port;
    server.on("connection", (socket) => this.#serve(socket));
  }

  /** Lets exactly these keys in from the next login on. */
  async authorize(keys: readonly string[]): Promise<void> {
    const text = keys.map((key) => `${key.trim()}\n`).join("");
    if (text === this.#keys) return;
    const file = join(this.#options.folder, "authorized_keys");
    await writeFile(`${file}.new`, text, { mode: 0o644 });
    await rename(`${file}.new`, file);
    this.#keys = text;
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.kill("SIGKILL");
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    const { inside, log } = this.#options;
    socket.on("error", () => {}); // a client that went away
    const pid = inside();
    if (pid === undefined || this.#sessions.size >= connectionLimit) {
      socket.destroy();
      return;
    }
    const sshd = ["/usr/sbin/sshd", "-i", "-f", "/run/bastion/sshd_config"];
    const session = spawn("nsenter", [`--target=${pid}`, "--net", "--mount", "--", ...sshd], {
      env: environment,
      detached: true,
      // sshd talks on the connection itself: nothing passes through this process.
      stdio: [socket, socket, "ignore"],
    });
    this.#sessions.add(session);
    session.on("error", (error) => log(`bastion: ${error.message}`));
    session.on("close", () => this.#sessions.delete(session));
    socket.destroy();
  }
}
