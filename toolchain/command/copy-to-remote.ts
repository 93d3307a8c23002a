/** `command:remote:CopyToRemote`: copies a file, a text or a folder to a host over SFTP. */
import { readdir, stat } from "node:fs/promises";
import { basename, join, posix } from "node:path";
import type { SFTPWrapper } from "ssh2";
import { type Properties, signatureKey } from "../../provider/rpc/values.ts";
import { checkConnection, readConnection } from "./connection.ts";
import { type Context, expectType, type Failure, type Resource } from "./resource.ts";
import { withSession } from "./ssh.ts";

export const assetSignature = "c44067f5952c0a294b673a41bacd8c17";
export const archiveSignature = "0def7320c3a5731c473e5ecbe6d01bc7";
const noSuchFile = 2; // SSH_FX_NO_SUCH_FILE
const failed = 4; // SSH_FX_FAILURE, which a full disk is, too
/** Less than that is no room for a file. */
const fullBytes = 4 * 1024 * 1024;
const isFolder = (mode: number | undefined) => ((mode ?? 0) & 0o170000) === 0o040000;

export const copyToRemote: Resource = {
  outputs: [],
  check: (inputs) => [
    ...checkConnection(inputs),
    ...expectType(inputs, "remotePath", "string", true),
    ...checkSource(inputs.source),
  ],
  async create(inputs, context) {
    await copy(inputs, context);
    return {};
  },
  async update(inputs, state, context) {
    const before = state.source as Properties | undefined;
    const moved = inputs.remotePath !== state.remotePath;
    if (moved || before?.hash !== (inputs.source as Properties).hash) await copy(inputs, context);
    return {};
  },
  // As the official provider: the copy stays where it is.
  delete: async () => {},
};

function checkSource(source: unknown): Failure[] {
  if (typeof source === "string") return []; // not known yet
  const { [signatureKey]: signature, path, text } = (source ?? {}) as Properties;
  if (signature === assetSignature && (typeof path === "string" || typeof text === "string")) return [];
  if (signature === archiveSignature && typeof path === "string") return [];
  return [{ property: "source", reason: "source must be a FileAsset, a StringAsset or a FileArchive" }];
}

function copy(inputs: Properties, context: Context): Promise<void> {
  const { path, text } = inputs.source as Properties;
  const remotePath = String(inputs.remotePath);
  return withSession(readConnection(inputs), context, async (session) => {
    const sftp = await session.open<SFTPWrapper>((done) => session.client.sftp(done));
    try {
      const remote = new RemoteFiles(sftp, session.lost);
      if (typeof path === "string") await copyPath(remote, path, remotePath);
      else await copyText(remote, String(text ?? ""), remotePath);
    } finally {
      sftp.end();
    }
  });
}

async function copyText(remote: RemoteFiles, text: string, target: string): Promise<void> {
  if ((await remote.kind(target)) === "folder") {
    throw new Error(`remote path ${target} is a directory; for a text asset it must be the path of a file`);
  }
  await remote.writeText(target, text);
}

/**
 * As scp does: a file goes into a folder that exists, otherwise to the path itself; a folder goes into the remote
 * folder, or only its content if the source ends with a slash.
 */
async function copyPath(remote: RemoteFiles, source: string, target: string): Promise<void> {
  const inside = posix.join(target, basename(source));
  if ((await stat(source)).isDirectory()) {
    await remote.makeFolder(target);
    return copyFolder(remote, source, source.endsWith("/") ? target : inside);
  }
  await remote.putFile(source, (await remote.kind(target)) === "folder" ? inside : target);
}

async function copyFolder(remote: RemoteFiles, source: string, target: string): Promise<void> {
  await remote.makeFolder(target);
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    const to = posix.join(target, entry.name);
    if ((await stat(from)).isDirectory()) await copyFolder(remote, from, to);
    else await remote.putFile(from, to);
  }
}

/** As statvfs(3) tells it. */
interface Disk {
  readonly f_bavail: number;
  readonly f_frsize: number;
  /** 0 on file systems that do not count them. */
  readonly f_files: number;
  readonly f_favail: number;
}

/** The few SFTP operations needed, as promises whose errors name the path. */
class RemoteFiles {
  readonly #sftp: SFTPWrapper;
  readonly #lost: Promise<string>;

  constructor(sftp: SFTPWrapper, lost: Promise<string>) {
    this.#sftp = sftp;
    this.#lost = lost;
  }

  kind(path: string): Promise<"folder" | "other" | "absent"> {
    return this.#do(`look at remote path ${path}`, path, (done) =>
      this.#sftp.stat(path, (error: (Error & { code?: number }) | undefined, attributes) => {
        if (error?.code === noSuchFile) done(undefined, "absent");
        else done(error, isFolder(attributes?.mode) ? "folder" : "other");
      }),
    );
  }

  async makeFolder(path: string): Promise<void> {
    const kind = await this.kind(path);
    if (kind === "other") throw new Error(`remote path ${path} exists but is not a directory`);
    if (kind === "absent")
      await this.#do(`create remote directory ${path}`, path, (done) => this.#sftp.mkdir(path, done));
  }

  putFile(source: string, path: string): Promise<void> {
    return this.#do(`copy ${source} to remote path ${path}`, path, (done) =>
      this.#sftp.fastPut(source, path, done),
    );
  }

  writeText(path: string, text: string): Promise<void> {
    return this.#do(`write remote file ${path}`, path, (done) => this.#sftp.writeFile(path, text, done));
  }

  #do<Result = void>(
    what: string,
    path: string,
    request: (done: (error?: (Error & { code?: number }) | null, result?: Result) => void) => void,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const lost = () => reject(new Error(`cannot ${what}: the connection was lost`));
      this.#sftp.once("close", lost);
      void this.#lost.then((why) => reject(new Error(`cannot ${what}: ${why}`)));
      request((error, result) => {
        this.#sftp.removeListener("close", lost);
        if (!error) return resolve(result as Result);
        void this.#whyFailed(path, error).then((why) => reject(new Error(`cannot ${what}: ${why}`)));
      });
    });
  }

  /** SFTP has no word for a full disk; OpenSSH's server tells how full it is. */
  #whyFailed(path: string, error: Error & { code?: number }): Promise<string> {
    if (error.code !== failed) return Promise.resolve(error.message);
    return new Promise((resolve) => {
      const decide = (_error: unknown, disk?: Disk) => {
        const free = disk === undefined ? fullBytes : disk.f_bavail * disk.f_frsize;
        resolve(
          free >= fullBytes && (disk === undefined || disk.f_files === 0 || disk.f_favail > 0)
            ? error.message
            : `the disk there is full, ${Math.floor(free / 1024)} KiB are free; delete what is not needed, or resize the disk`,
        );
      };
      try {
        this.#sftp.ext_openssh_statvfs(posix.dirname(path), decide);
      } catch {
        decide(undefined); // another server than OpenSSH's
      }
    });
  }
}
