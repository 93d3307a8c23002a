/** A real sshd on 127.0.0.1, the test's own child process, with its own keys in a temporary folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Properties } from "../../provider/rpc/values.ts";
import { type KeyPair, keyPair } from "../ssh-keys.ts";

interface Keys {
  readonly host: KeyPair;
  readonly user: KeyPair;
}

export class Sshd {
  readonly process: ChildProcess;
  readonly folder: string;
  readonly connection: Properties;
  readonly log: string[];

  readonly #keys: Keys;

  private constructor(
    process: ChildProcess,
    folder: string,
    keys: Keys,
    connection: Properties,
    log: string[],
  ) {
    this.process = process;
    this.#keys = keys;
    this.folder = folder;
    this.connection = connection;
    this.log = log;
  }

  /**
   * A server with its own keys on a free port, or one that takes the place of another that has stopped.
   * @param around a program that becomes the server
   */
  static async start(
    before?: Sshd,
    special: Readonly<Record<string, string>> = {},
    around: readonly string[] = [],
  ): Promise<Sshd> {
    const folder = await mkdtemp(join(tmpdir(), "sshd-"));
    const keys = before ? before.#keys : { host: keyPair(), user: keyPair() };
    const port = before?.connection.port ?? (await freePort());
    await writeFile(join(folder, "host_key"), keys.host.private, { mode: 0o600 });
    await writeFile(join(folder, "authorized_keys"), `${keys.user.public}\n`, { mode: 0o600 });
    const settings = {
      ListenAddress: `127.0.0.1:${port}`,
      HostKey: join(folder, "host_key"),
      AuthorizedKeysFile: join(folder, "authorized_keys"),
      StrictModes: "no",
      UsePAM: "no",
      PidFile: "none",
      PasswordAuthentication: "no",
      Subsystem: "sftp internal-sftp",
      AcceptEnv: "*",
      // Without the user's own files: bash would read ~/.bashrc for each command.
      SetEnv: `HOME=${folder}`,
      MaxStartups: "100",
      LogLevel: "VERBOSE",
      ...special,
    };
    const text = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
    await writeFile(join(folder, "sshd_config"), text.join(""));
    await mkdir("/run/sshd", { recursive: true, mode: 0o755 }); // sshd refuses to start without it

    const line = [...around, "/usr/sbin/sshd", "-D", "-e", "-f", join(folder, "sshd_config")];
    const child = spawn(line[0] ?? "", line.slice(1), { stdio: ["ignore", "ignore", "pipe"] });
    const log: string[] = [];
    await new Promise<void>((resolve, reject) => {
      child.once("exit", (code) => reject(new Error(`sshd ended with ${code}: ${log.join("\n")}`)));
      createInterface(child.stderr).on("line", (line) => {
        log.push(line);
        if (line.startsWith("Server listening")) resolve();
      });
    });
    const connection = {
      host: "127.0.0.1",
      port,
      user: userInfo().username,
      privateKey: keys.user.private,
      hostKey: keys.host.public,
    };
    return new Sshd(child, folder, keys, connection, log);
  }

  /** How often a client has logged in. */
  get logins(): number {
    return this.log.filter((line) => line.startsWith("Accepted publickey")).length;
  }

  async stop(): Promise<void> {
    const exited = once(this.process, "exit");
    this.process.kill("SIGTERM");
    await exited;
    await rm(this.folder, { recursive: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
