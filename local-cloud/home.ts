/** The home directory of a local cloud: what is in it and who may read it. */
import { createHash, randomInt } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import type { Credentials } from "./api/authentication.ts";
import { Failure } from "./failure.ts";
import { isOverlay } from "./network/machine/file-systems.ts";
import type { Quotas } from "./services/account/limits.ts";
import { zones } from "./services/zones/zones.ts";

export interface Settings {
  readonly apiPort: number;
  readonly bastionPort: number;
  /** Starts the names of everything that the data plane makes on this machine. */
  readonly prefix: string;
  /** The data plane of the last start. */
  readonly dataPlane: "linux" | "none";
  /** Whether routers lower the MSS of TCP; absent where no start has said so. */
  readonly mssClamp?: "on" | "off";
  /** Those that a start has set. */
  readonly quotas?: Partial<Quotas>;
}

const defaultPort = 7080;

export class Home {
  readonly path: string;
  readonly config: string;
  readonly calls: string;
  readonly log: string;
  readonly state: string;
  /** What monitoring has measured. */
  readonly measurements: string;
  readonly settings: string;
  readonly pid: string;
  /** The header that opens `/_cloud/`, for curl. */
  readonly adminHeader: string;

  constructor(directory: string) {
    this.path = existsSync(directory) ? realpathSync(directory) : resolve(directory);
    this.config = join(this.path, "config.yaml");
    this.calls = join(this.path, "calls.jsonl");
    this.log = join(this.path, "log");
    this.state = join(this.path, "state.db");
    this.measurements = join(this.path, "monitor.db");
    this.settings = join(this.path, "settings.json");
    this.pid = join(this.path, "cloud.json");
    this.adminHeader = join(this.path, "admin-header");
  }

  /** A home that this user may use, if it is there. @throws Failure */
  static use(directory: string): Home {
    const home = new Home(directory);
    home.check();
    return home;
  }

  /** Starts the names of everything that its data plane makes on this machine. */
  get prefix(): string {
    return `cz${createHash("sha256").update(this.path).digest("hex").slice(0, 8)}`;
  }

  /**
   * Where root keeps what is not the user's to read or remove: disks of nodes, volumes, keys of the bastion. Inside the home
   * where that is root's; else on the machine, so that no file of root's is in a user's checkout.
   */
  get machineFolder(): string {
    if (this.#owner === undefined) return this.path;
    // As it often is in a container.
    if (isOverlay("/var/lib") && !isOverlay(this.path)) return join(this.path, "machine");
    return join("/var/lib/crosszone", this.prefix);
  }

  /** The user that the home belongs to, where that is not root. */
  get #owner(): { readonly uid: number; readonly gid: number } | undefined {
    // A home that was deleted has its folder on the machine still.
    this.#found = statSync(this.path, { throwIfNoEntry: false }) ?? this.#found;
    return this.#found === undefined || this.#found.uid === 0 ? undefined : this.#found;
  }
  #found: Stats | undefined;

  /** Gives what root has written for the home's user to that user; does nothing for any other. */
  handOver(): void {
    const owner = this.#owner;
    if (owner === undefined || process.getuid?.() !== 0 || !existsSync(this.path)) return;
    for (const entry of readdirSync(this.path, { withFileTypes: true })) {
      if (entry.isFile()) lchownSync(join(this.path, entry.name), owner.uid, owner.gid);
    }
  }

  /** Root removes the folder of the machine, unless a disk is kept in it; does nothing for any other. */
  clearMachineFolder(): void {
    const folder = this.machineFolder;
    if (process.getuid?.() !== 0 || folder === this.path || !existsSync(folder)) return;
    const disks = ["nodes", "volumes"].map((name) => join(folder, name)).filter((each) => existsSync(each));
    if (!disks.every((each) => readdirSync(each).length === 0)) return;
    rmSync(folder, { recursive: true });
    const others = dirname(folder);
    if (others !== this.path && readdirSync(others).length === 0) rmdirSync(others);
  }

  /** Makes the directory, closed to everyone else. @throws Failure */
  create(): void {
    this.check();
    try {
      makeFolder(this.path);
      chmodSync(this.path, 0o700);
    } catch (error) {
      throw new Failure(
        `${this.path} can not be made (${(error as Error).message}): give a folder that you may write to with --home`,
        { cause: error },
      );
    }
  }

  /** @throws Failure where it is another user's, or no folder */
  private check(): void {
    let found: Stats | undefined;
    try {
      found = statSync(this.path, { throwIfNoEntry: false });
      if (found?.isDirectory()) accessSync(this.path, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      const owner =
        found === undefined
          ? "is in a folder"
          : `belongs to the user with the id ${found.uid} and is a folder`;
      throw new Failure(
        `${this.path} ${owner} that you may not use: run this as its user, or give another folder with --home`,
        { cause: error },
      );
    }
    if (found?.isDirectory() === false) {
      throw new Failure(`${this.path} is no folder: give another one with --home`);
    }
  }

  readSettings(): Settings | undefined {
    if (!existsSync(this.settings)) return undefined;
    try {
      return JSON.parse(readFileSync(this.settings, "utf8")) as Settings;
    } catch (error) {
      throw new Failure(`${this.settings} is not JSON: delete it, new ports are chosen then`, {
        cause: error,
      });
    }
  }

  /** The ports of the first start are kept, and what is given only at some starts. @param port the port asked for; 0 takes any, undefined the usual one */
  async chooseSettings(
    port: number | undefined,
    dataPlane: Settings["dataPlane"],
    given: Pick<Settings, "mssClamp" | "quotas"> = {},
  ): Promise<Settings> {
    const before = this.readSettings();
    const asked = port === 0 ? (before?.apiPort ?? (await freePort(0))) : port;
    const apiPort = asked ?? before?.apiPort ?? (await freePort(defaultPort));
    const bastionPort = before?.bastionPort ?? (await freePort(0));
    const quotas = { ...before?.quotas, ...given.quotas };
    return { ...before, ...given, quotas, apiPort, bastionPort, prefix: this.prefix, dataPlane };
  }

  /** Keeps settings that have worked. */
  saveSettings(settings: Settings): void {
    writeFileSync(this.settings, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  }

  /** The account's credentials, made at the first start; written where the official clients read them. */
  writeConfig(port: number): Credentials {
    const credentials = this.readCredentials() ?? {
      accessKeyId: randomText("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 20),
      secretAccessKey: randomText("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 40),
    };
    const lines = [
      `qy_access_key_id: '${credentials.accessKeyId}'`,
      `qy_secret_access_key: '${credentials.secretAccessKey}'`,
      `zone: '${zones[0]?.id}'`,
      "host: '127.0.0.1'",
      `port: ${port}`,
      "protocol: 'http'",
    ];
    const text = `${lines.join("\n")}\n`;
    if (!existsSync(this.config) || readFileSync(this.config, "utf8") !== text) {
      writeFileSync(this.config, text, { mode: 0o600 });
    }
    chmodSync(this.config, 0o600);
    return credentials;
  }

  private readCredentials(): Credentials | undefined {
    if (!existsSync(this.config)) return undefined;
    const text = readFileSync(this.config, "utf8");
    const value = (name: string): string | undefined =>
      new RegExp(`^${name}:\\s*['"]?([A-Za-z0-9]+)['"]?\\s*$`, "m").exec(text)?.[1];
    const accessKeyId = value("qy_access_key_id");
    const secretAccessKey = value("qy_secret_access_key");
    if (accessKeyId === undefined || secretAccessKey === undefined) {
      throw new Failure(
        `${this.config} has no qy_access_key_id or qy_secret_access_key: delete it, new keys are made then`,
      );
    }
    return { accessKeyId, secretAccessKey };
  }
}

/** Folder by folder: Node's own recursive way does not end where the system refuses one below a folder that is there. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another start was first.
    if (!existsSync(path)) throw error;
  }
}

function randomText(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("");
}

/** The first free loopback port from `first` on; 0 for any. */
async function freePort(first: number): Promise<number> {
  for (let port = first; port < first + 200; port += 1) {
    const found = await tryPort(port);
    if (found !== undefined) return found;
  }
  throw new Failure(`no free port from ${first} to ${first + 199} on 127.0.0.1: give one with --port`);
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : undefined));
    });
  });
}
