/** The Pulumi CLI and its plugins, for this checkout's own PULUMI_HOME. */
import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { findGo } from "./go.ts";
import { capture, succeed } from "./process.ts";
import { runSteps, type Step } from "./steps.ts";
import { cacheDirectory, type Workspace } from "./workspace.ts";

const version = packageJson.dependencies["@pulumi/pulumi"];
const commandVersion = packageJson.dependencies["@pulumi/command"];

/** The folder that holds `pulumi`: first on PATH of everything that we run. */
export function binDirectory(workspace: Workspace): string {
  return join(workspace.pulumi, "bin");
}

/**
 * The CLI of PATH where it has the version of the SDK and its language host beside it; else one that is built from its
 * Go module, whose checksum the Go tool verifies, and kept by version in the user's cache.
 */
export function cliStep(workspace: Workspace): Step {
  const bin = binDirectory(workspace);
  const cached = join(cacheDirectory(), `pulumi-${version}`, "pulumi");
  return {
    name: "Pulumi CLI",
    async present() {
      const official = await officialCli();
      if (official !== undefined) {
        rmSync(bin, { recursive: true, force: true });
        mkdirSync(bin, { recursive: true });
        symlinkSync(official, join(bin, "pulumi"));
        return `${version} of PATH, ${official}`;
      }
      if (!existsSync(cached)) return undefined;
      putBeside(workspace, cached);
      return `${version} of the cache, ${cached}`;
    },
    async make() {
      await build(workspace, cached);
      putBeside(workspace, cached);
      return `${version} built from Go modules, kept as ${cached}`;
    },
  };
}

async function officialCli(): Promise<string | undefined> {
  for (const directory of (process.env.PATH ?? "").split(":")) {
    const candidate = join(directory, "pulumi");
    if (!existsSync(candidate) || !existsSync(join(directory, "pulumi-language-nodejs"))) continue;
    const found = await capture(candidate, ["version"], {
      env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    });
    if (found.stdout.trim() === `v${version}`) return candidate;
  }
  return undefined;
}

/** The CLI finds its language host beside its own binary, so each checkout has a hard link of it. */
function putBeside(workspace: Workspace, binary: string): void {
  const bin = binDirectory(workspace);
  mkdirSync(bin, { recursive: true });
  const link = join(bin, "pulumi");
  rmSync(link, { force: true });
  try {
    linkSync(binary, link);
  } catch {
    copyFileSync(binary, link, constants.COPYFILE_FICLONE);
  }
  const host = join(workspace.root, "toolchain", "language-host", "main.ts");
  const node = join(workspace.root, "node_modules", ".bin", "node");
  writeFileSync(join(bin, "pulumi-language-nodejs"), `#!/bin/sh\nexec "${node}" "${host}" "$@"\n`, {
    mode: 0o755,
  });
}

async function build(workspace: Workspace, target: string): Promise<void> {
  const go = await findGo();
  mkdirSync(dirname(target), { recursive: true });
  const partial = `${target}.${process.pid}`;
  const stamp = `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${version}`;
  await succeed(
    go,
    ["build", "-trimpath", "-ldflags", stamp, "-o", partial, "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"],
    {
      cwd: join(workspace.root, "toolchain", "pulumi-cli"),
      env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false -mod=readonly" },
    },
  );
  renameSync(partial, target);
}

/** The official plugin of the user's own Pulumi where there is one, else the stand-in of toolchain/command. */
export function commandPluginStep(workspace: Workspace): Step {
  const name = `resource-command-v${commandVersion}`;
  const official = join(process.env.PULUMI_HOME ?? join(homedir(), ".pulumi"), "plugins", name);
  const place = join(workspace.pulumi, "home", "plugins", name);
  const standIn = join(workspace.root, "toolchain", "command", "pulumi-resource-command");
  return {
    name: "command plugin",
    async present() {
      rmSync(place, { recursive: true, force: true });
      if (existsSync(join(official, "pulumi-resource-command"))) {
        mkdirSync(dirname(place), { recursive: true });
        symlinkSync(official, place);
        return `${commandVersion}, the official one in ${official}`;
      }
      mkdirSync(place, { recursive: true });
      symlinkSync(standIn, join(place, "pulumi-resource-command"));
      return `${commandVersion}, the stand-in of toolchain/command (there is no official one in ${official})`;
    },
    make: () => Promise.reject(new Error("unreachable: one of the two is always there")),
  };
}

/** Sets up the CLI with its plugin where a command other than set-up is the first. */
export async function ensureCli(workspace: Workspace): Promise<void> {
  if (existsSync(join(binDirectory(workspace), "pulumi"))) return;
  await runSteps([cliStep(workspace), commandPluginStep(workspace)], (line) =>
    process.stderr.write(`${line}\n`),
  );
}
