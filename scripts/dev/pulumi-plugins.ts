/** Pulumi's plugins in this checkout's own PULUMI_HOME: the user's where they exist, else installed, else a stand-in. */
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { capture } from "./process.ts";
import { releaseAddress } from "./releases.ts";
import type { Step } from "./steps.ts";
import type { Workspace } from "./workspace.ts";

const { "@pulumi/command": commandVersion, "@pulumi/terraform": terraformVersion } = packageJson.dependencies;
const installMs = 120_000;

interface Plugin {
  readonly name: string;
  readonly version: string;
  /** Folder of the project that holds an implementation of the same resources. */
  readonly standIn?: string;
}

const plugins: readonly Plugin[] = [
  { name: "command", version: commandVersion, standIn: "toolchain/command" },
  // Only a stack that joins networks of Terraform needs it; it says how to get it.
  { name: "terraform", version: terraformVersion },
];

/**
 * A plugin's folder holds either the user's files, which are kept, or symbolic links that were made here. The
 * engine skips plugins whose folder is a link, so the folder is real and the files in it are links.
 * @param canInstall whether the CLI is an official one, which may get plugins from Pulumi's servers
 */
export function pluginsStep(workspace: Workspace, canInstall: boolean): Step {
  return {
    name: "Pulumi plugins",
    async present() {
      const found = plugins.map((plugin) => present(workspace, plugin));
      const needed = plugins.filter(
        ({ standIn }, index) => standIn !== undefined && found[index] === undefined,
      );
      if (needed.length > 0 && canInstall) return undefined;
      for (const plugin of needed) putStandIn(workspace, plugin);
      return said(plugins.map((plugin) => present(workspace, plugin)));
    },
    async make() {
      for (const plugin of plugins.filter((each) => each.standIn !== undefined)) {
        if (present(workspace, plugin) !== undefined || (await install(workspace, plugin))) continue;
        putStandIn(workspace, plugin);
      }
      return said(plugins.map((plugin) => present(workspace, plugin)));
    },
  };
}

function said(found: readonly (string | undefined)[]): string {
  return found.flatMap((each) => each ?? []).join("; ");
}

const folderName = ({ name, version }: Plugin) => `resource-${name}-v${version}`;
const programName = ({ name }: Plugin) => `pulumi-resource-${name}`;

/** Makes the user's own plugin available, where there is one, and says what the folder holds now. */
function present(workspace: Workspace, plugin: Plugin): string | undefined {
  const { name, version, standIn } = plugin;
  const home = join(workspace.pulumi, "home");
  const place = join(home, "plugins", folderName(plugin));
  const program = join(place, programName(plugin));
  // An earlier version of this project linked the folder.
  if (isLink(place)) rmSync(place);
  if (existsSync(program) && !isLink(program)) return `${name} ${version} of ${place}`;
  const official = userHomes(home)
    .map((each) => join(each, "plugins", folderName(plugin)))
    .find((folder) => existsSync(join(folder, programName(plugin))));
  if (official !== undefined) {
    fill(place, official, readdirSync(official));
    return `${name} ${version} of the user's Pulumi, ${official}`;
  }
  if (isLink(program) && !existsSync(program)) rmSync(place, { recursive: true });
  if (!existsSync(program)) return undefined;
  return standIn === undefined
    ? `${name} ${version} of ${place}`
    : `${name} ${version}, the stand-in of ${standIn} (for the official one: npm run pulumi -- plugin install resource ${name} ${version} --reinstall)`;
}

/** Where the user's Pulumi keeps its plugins. */
function userHomes(own: string): string[] {
  const { PULUMI_HOME: given } = process.env;
  return [...(given === undefined ? [] : [given]), join(homedir(), ".pulumi")].filter((home) => home !== own);
}

function putStandIn(workspace: Workspace, plugin: Plugin): void {
  const place = join(workspace.pulumi, "home", "plugins", folderName(plugin));
  fill(place, join(workspace.root, plugin.standIn ?? ""), [programName(plugin)]);
}

/** A real folder with links to the files of another one. */
function fill(place: string, folder: string, files: readonly string[]): void {
  mkdirSync(place, { recursive: true });
  for (const file of files) {
    const [link, target] = [join(place, file), join(folder, file)];
    if (isLink(link) && readlinkSync(link) === target) continue;
    rmSync(link, { recursive: true, force: true });
    symlinkSync(target, link);
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

/** By the CLI's own `plugin install`, from its own servers or the mirror that was given. */
async function install(workspace: Workspace, { name, version }: Plugin): Promise<boolean> {
  const mirror =
    process.env.CROSSZONE_PULUMI_RELEASES === undefined ? [] : ["--server", `${releaseAddress()}/plugins`];
  const args = ["plugin", "install", "resource", name, version, ...mirror];
  const { code } = await capture(join(workspace.pulumi, "bin", "pulumi"), args, {
    env: {
      ...process.env,
      PULUMI_HOME: join(workspace.pulumi, "home"),
      PULUMI_SKIP_UPDATE_CHECK: "true",
    },
    timeoutMs: installMs,
  });
  return code === 0;
}
