/** The Pulumi CLI for this checkout: the user's own where it fits, else the official release, else one built here. */
import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { findGo } from "./go.ts";
import { buildWithGo } from "./go-build.ts";
import { capture, forwardSignals, wasInterrupted } from "./process.ts";
import { Progress } from "./progress.ts";
import { pluginsStep } from "./pulumi-plugins.ts";
import { downloadCli, NotDownloaded } from "./releases.ts";
import { runSteps, type Step } from "./steps.ts";
import { cacheDirectory, type Workspace } from "./workspace.ts";

const version = packageJson.dependencies["@pulumi/pulumi"];
const languageHost = "pulumi-language-nodejs";

/** The folder that holds `pulumi`: first on PATH of everything that we run. */
export function binDirectory(workspace: Workspace): string {
  return join(workspace.pulumi, "bin");
}

/**
 * The CLI of PATH where it is a 3.x that is not older than the SDK; else the official release, downloaded; where that is
 * refused, one built from its Go module, whose checksum the Go tool verifies. The last two are kept by version in the
 * user's cache.
 */
export function cliStep(workspace: Workspace): Step {
  const official = join(cacheDirectory(), `pulumi-${version}-official`);
  const built = join(cacheDirectory(), `pulumi-${version}`, "pulumi");
  return {
    name: "Pulumi CLI",
    async present() {
      const found = await cliOfPath();
      if (found.fits !== undefined) {
        use(workspace, found.fits.path);
        return `${found.fits.version} of PATH, ${found.fits.path}`;
      }
      const also = found.older
        .map((each) => `; ${each.path} is ${each.version}, older than the SDK`)
        .join("");
      if (existsSync(official)) {
        use(workspace, join(official, "pulumi"));
        return `${version}, the official release in the cache, ${official}${also}`;
      }
      if (!existsSync(built)) return undefined;
      use(workspace, built);
      return `${version} built from Go modules, of the cache, ${built}${also}`;
    },
    async make({ say, progress }) {
      try {
        await downloadCli(version, official, (percent) => progress(`downloading, ${percent} %`));
        use(workspace, join(official, "pulumi"));
        return `${version}, the official release, kept in ${official}`;
      } catch (error) {
        if (wasInterrupted()) throw new Error("the download was interrupted");
        if (!(error instanceof NotDownloaded)) throw error;
        say(`${error.message}. Building it from its Go module instead (once, about 5 min) …`);
      }
      await build(workspace, built, progress);
      use(workspace, built);
      return `${version} built from Go modules, kept as ${built}`;
    },
  };
}

interface Cli {
  readonly path: string;
  readonly version: string;
}

/** The first CLI of PATH that fits, and those before it that are too old. */
async function cliOfPath(): Promise<{ fits?: Cli; older: Cli[] }> {
  const older: Cli[] = [];
  for (const directory of (process.env.PATH ?? "").split(":")) {
    const path = join(directory, "pulumi");
    if (directory === "" || !existsSync(path)) continue;
    const found = await capture(path, ["version"], {
      env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    }).catch(() => undefined);
    const [, own] = /^v?(\d+\.\d+\.\d+\S*)$/m.exec(found?.stdout.trim() ?? "") ?? [];
    if (own === undefined) continue;
    if (isNewEnough(own)) return { fits: { path, version: own }, older };
    older.push({ path, version: own });
  }
  return { older };
}

/** Whether a CLI's version is a 3.x that is not older than the SDK. */
export function isNewEnough(given: string, sdk = version): boolean {
  const numbers = (text: string) => text.split(/[.+-]/).slice(0, 3).map(Number);
  const [[major, ...one], [ownMajor, ...other]] = [numbers(given), numbers(sdk)];
  if (major !== ownMajor) return false;
  const [minor = 0, patch = 0] = one;
  const [ownMinor = 0, ownPatch = 0] = other;
  return minor > ownMinor || (minor === ownMinor && patch >= ownPatch);
}

/**
 * The CLI looks for its language host next to its own binary. One that has it there is used by a symbolic link; one that
 * has none gets a hard link next to the host of toolchain/language-host. What is right already is left alone: a command of
 * the same checkout may be running.
 */
function use(workspace: Workspace, binary: string): void {
  const bin = binDirectory(workspace);
  const link = join(bin, "pulumi");
  const host = join(bin, languageHost);
  mkdirSync(bin, { recursive: true });
  if (existsSync(join(dirname(binary), languageHost))) {
    rmSync(host, { force: true });
    if (linkOf(link) === binary) return;
    rmSync(link, { force: true });
    symlinkSync(binary, link);
    return;
  }
  if (linkOf(link) !== undefined || !isSameFile(link, binary)) {
    rmSync(link, { force: true });
    try {
      linkSync(binary, link);
    } catch {
      copyFileSync(binary, link, constants.COPYFILE_FICLONE);
    }
  }
  const start = join(workspace.root, "toolchain", "start");
  const text = `#!/bin/sh\nCROSSZONE_NODE="${process.execPath}" exec "${start}" toolchain/language-host/main.ts "$@"\n`;
  if (!existsSync(host) || readFileSync(host, "utf8") !== text) writeFileSync(host, text, { mode: 0o755 });
}

/** Whether both are hard links of one file, or the first is a copy of the other. */
function isSameFile(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  if (first === undefined || second === undefined) return false;
  return first.ino === second.ino || (first.size === second.size && first.mtimeMs >= second.mtimeMs);
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

async function build(
  workspace: Workspace,
  target: string,
  onProgress: (text: string) => void,
): Promise<void> {
  const stamp = `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${version}`;
  await buildWithGo({
    go: await findGo(),
    directory: join(workspace.root, "toolchain", "pulumi-cli"),
    program: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    flags: ["-trimpath", "-ldflags", stamp],
    target,
    onProgress,
  });
}

/** Whether the workspace's CLI has Pulumi's own language host: it came from a machine that reaches Pulumi's servers. */
export function isOfficial(workspace: Workspace): boolean {
  const link = linkOf(join(binDirectory(workspace), "pulumi"));
  if (link === undefined) return false;
  const host = join(dirname(link), languageHost);
  return existsSync(host) && !readFileSync(host).subarray(0, 2).equals(Buffer.from("#!"));
}

/** Sets up the CLI with its plugins where a command other than set-up is the first. */
export async function ensureCli(workspace: Workspace): Promise<void> {
  if (existsSync(join(binDirectory(workspace), "pulumi"))) return;
  // Ctrl-C ends what runs, and this process lives until nothing half is left.
  forwardSignals();
  const shown = new Progress(process.stderr);
  await runSteps([cliStep(workspace)], shown);
  await runSteps([pluginsStep(workspace, isOfficial(workspace))], shown);
}
