/** The stack of this checkout: its passphrase and its working configuration. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parse, stringify } from "yaml";
import { runningStatus } from "../../local-cloud/commands.ts";
import { compileCache } from "../../local-cloud/compile-cache.mjs";
import type { CloudStatus } from "../../local-cloud/status.ts";
import { behindVariable } from "../../provider/behind-file.ts";
import { commandOf } from "../../provider/engine-command.ts";
import { succeed } from "./process.ts";
import { binDirectory } from "./pulumi-cli.ts";
import { behindFile, stateFile } from "./state-file.ts";
import { reportsFolder, type Workspace } from "./workspace.ts";

type Settings = Record<string, unknown>;

/**
 * Where this checkout keeps its stacks. The CLI writes the whole state at each step: without its checksum in a second
 * file, which nothing reads.
 */
export function backendUrl({ pulumi }: Workspace): string {
  return `file://${join(pulumi, "state")}?metadata=skip`;
}

/** The environment of every Pulumi command: own home, own state, nothing downloaded. The user's own variables win. */
export function pulumiEnvironment(workspace: Workspace): NodeJS.ProcessEnv {
  const passphrase = join(workspace.pulumi, "passphrase");
  if (!existsSync(passphrase)) writeWhole(passphrase, randomBytes(24).toString("base64url"));
  mkdirSync(join(workspace.pulumi, "state"), { recursive: true });
  const own = {
    PULUMI_HOME: join(workspace.pulumi, "home"),
    PULUMI_BACKEND_URL: backendUrl(workspace),
    ...(process.env.PULUMI_CONFIG_PASSPHRASE === undefined && { PULUMI_CONFIG_PASSPHRASE_FILE: passphrase }),
    PULUMI_STACK: workspace.stack,
    PULUMI_PARALLEL: "64",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    // The program says in the outputs where the report of a run will be.
    CROSSZONE_REPORTS: reportsFolder(workspace),
    CROSSZONE_NODE: process.execPath,
    [behindVariable]: behindFile(workspace),
    // For the program, its language host and the plugins.
    NODE_COMPILE_CACHE: compileCache,
  };
  const path = [binDirectory(workspace), join(workspace.root, "node_modules", ".bin"), process.env.PATH].join(
    ":",
  );
  return { ...own, ...process.env, PULUMI_HOME: own.PULUMI_HOME, PATH: path };
}

/** Path of the working configuration. */
export function workingConfig({ pulumi, stack }: Workspace): string {
  return join(pulumi, `Pulumi.${stack}.yaml`);
}

/** Path of what the working configuration was made of: a value that differs from it is the user's own. */
export function baseConfig({ pulumi, stack }: Workspace): string {
  return join(pulumi, `base.Pulumi.${stack}.yaml`);
}

/**
 * Writes the working configuration, git-ignored because it holds the encryption salt: the committed file of the stack,
 * what was set by `config set` since, and what `machine` knows.
 * @returns its path
 */
export function writeWorkingConfig(workspace: Workspace, machine: Settings = {}): string {
  const path = workingConfig(workspace);
  const name = basename(path);
  const base = baseConfig(workspace);
  const committedText = readIfThere(join(workspace.root, name)) ?? "config: {}\n";
  const committed = readSettings(committedText);
  const before = readSettings(readIfThere(base));
  const working = parse(readIfThere(path) ?? "{}") as { config?: Settings } & Settings;
  const own = Object.fromEntries(
    Object.entries(working.config ?? {}).filter(([key, value]) => !isDeepStrictEqual(value, before[key])),
  );
  const config = { ...committed, ...own, ...machine };
  writeWhole(path, stringify({ ...working, config }));
  // What the machine knows is no choice of the user's: it counts as the base, so that it can change.
  writeWhole(base, stringify({ config: { ...committed, ...machine } }));
  return path;
}

function readSettings(text: string | undefined): Settings {
  return ((parse(text ?? "{}") as { config?: Settings } | null)?.config ?? {}) as Settings;
}

/** On a full disk the file stays as it was: half of it would be worse than none. */
function writeWhole(path: string, text: string): void {
  const beside = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(beside, text, { mode: 0o600 });
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** Makes the stack if there is none; `stack init` would write its salt into the checkout, so it runs elsewhere. */
export async function ensureStack(workspace: Workspace, environment: NodeJS.ProcessEnv): Promise<void> {
  if (existsSync(stateFile(workspace))) return;
  const { PULUMI_STACK: _, ...rest } = environment;
  const listed = await succeed("pulumi", ["stack", "ls", "--json"], { cwd: workspace.root, env: rest });
  const stacks = JSON.parse(listed.stdout) as { name: string }[];
  if (stacks.some(({ name }) => name === workspace.stack)) return;
  const elsewhere = projectCopy(workspace);
  try {
    const init = ["stack", "init", workspace.stack, "--secrets-provider", "passphrase", "--no-select"];
    await succeed("pulumi", init, { cwd: elsewhere, env: rest });
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
}

/** A folder with the project's file alone, for commands that would change the settings in the checkout. The caller removes it. */
export function projectCopy(workspace: Workspace): string {
  const copy = mkdtempSync(join(tmpdir(), "crosszone-"));
  writeFileSync(join(copy, "Pulumi.yaml"), readFileSync(join(workspace.root, "Pulumi.yaml")));
  return copy;
}

/** Commands that read or write the stack's configuration file. */
const withConfigFile: ReadonlySet<string> = new Set([
  "config",
  "destroy",
  "dn",
  "down",
  "import",
  "pre",
  "preview",
  "refresh",
  "up",
  "update",
  "watch",
]);

/** The arguments with the working configuration, unless the user names another file. */
export function withWorkingConfig(args: readonly string[], configFile: string, cwd: string): string[] {
  if (!withConfigFile.has(commandOf(args) ?? "")) return [...args];
  if (args.some((arg) => arg.startsWith("--config-file"))) return [...args];
  return withOptions(args, ["--config-file", relative(cwd, configFile)]);
}

/** Behind "--" everything is a value. */
export function withOptions(args: readonly string[], options: readonly string[]): string[] {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  return [...args.slice(0, end), ...options, ...args.slice(end)];
}

/** What the running local cloud adds to the configuration of a stack that lives on it. */
export async function localCloudSettings(workspace: Workspace): Promise<Settings> {
  let bastion: CloudStatus["bastion"];
  try {
    ({ bastion } = (await runningStatus(workspace.cloud)) ?? {});
  } catch {
    return {};
  }
  return {
    "qingcloud:configFile": join(workspace.cloud, "config.yaml"),
    ...(bastion === undefined ? {} : { "crosszone:ssh": { proxy: bastion } }),
  };
}
