/** Pulumi's releases: the official CLI as an archive, its checksum verified. */
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { capture, succeed } from "./process.ts";

/** Where the releases are, a folder for each version; CROSSZONE_PULUMI_RELEASES names a mirror. */
export function releaseAddress(environment: NodeJS.ProcessEnv = process.env): string {
  const address =
    environment.CROSSZONE_PULUMI_RELEASES ?? "https://github.com/pulumi/pulumi/releases/download";
  return address.replace(/\/+$/, "");
}

const probeMs = 3000;

/** Why there is no official CLI from here; the caller makes one otherwise. */
export class NotDownloaded extends Error {}

/**
 * Downloads the CLI of a version with its language hosts, verifies its SHA-256 by the release's checksums file, and
 * unpacks it. Nothing of it is run, and nothing stays of what did not come whole.
 * @param folder where `pulumi` and what belongs to it is put; it does not exist
 * @param onPercent sees how much has come
 * @throws NotDownloaded where the release cannot be reached within 3 s, breaks off, or is another file than it says
 */
export async function downloadCli(
  version: string,
  folder: string,
  onPercent: (percent: number) => void = () => {},
): Promise<void> {
  const platform = `${process.platform}-${process.arch}`;
  const archive = `pulumi-v${version}-${platform}.tar.gz`;
  const base = `${releaseAddress()}/v${version}`;
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}.`);
  try {
    const checksums = join(work, "checksums");
    await download(`${base}/pulumi-${version}-checksums.txt`, checksums, { timeoutMs: probeMs });
    const expected = checksumOf(archive, readFileSync(checksums, "utf8"));
    if (expected === undefined) {
      throw new NotDownloaded(`${base} has no checksum of ${archive}: is there no CLI for ${platform}?`);
    }
    const file = join(work, archive);
    await download(`${base}/${archive}`, file, { onPercent });
    const actual = await sha256Of(file);
    if (actual !== expected) {
      throw new NotDownloaded(
        `${base}/${archive} has SHA-256 ${actual}, its release says ${expected}: not used`,
      );
    }
    const unpacked = join(work, "unpacked");
    mkdirSync(unpacked);
    await succeed("tar", ["-xzf", file, "-C", unpacked, "--strip-components=1"]);
    for (const program of ["pulumi", "pulumi-language-nodejs"]) {
      if (!existsSync(join(unpacked, program)))
        throw new NotDownloaded(`${base}/${archive} holds no ${program}`);
    }
    renameSync(unpacked, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface DownloadOptions {
  readonly timeoutMs?: number;
  onPercent?(percent: number): void;
}

async function download(url: string, file: string, { timeoutMs, onPercent }: DownloadOptions): Promise<void> {
  const limit = timeoutMs === undefined ? [] : [String(timeoutMs)];
  const args = [join(import.meta.dirname, "download.ts"), url, file, ...limit];
  const { code, stderr } = await capture(process.execPath, args, {
    env: { ...process.env, NODE_USE_ENV_PROXY: "1", no_proxy: withoutProxy(process.env) },
    onLine: (line) => onPercent?.(Number(line)),
  });
  if (code !== 0) throw new NotDownloaded(stderr.trim());
}

/** A mirror on this machine is never behind a proxy. */
function withoutProxy({ no_proxy: lower, NO_PROXY: upper }: NodeJS.ProcessEnv): string {
  return ["127.0.0.1", "localhost", lower ?? upper ?? ""].filter((each) => each !== "").join(",");
}

/** @param text lines of `SHA-256  file name` */
function checksumOf(archive: string, text: string): string | undefined {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  return lines.find(([sha256 = "", name]) => name === archive && /^[0-9a-f]{64}$/.test(sha256))?.[0];
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest("hex");
}
