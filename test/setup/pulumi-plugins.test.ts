/** Which plugins a checkout uses: the user's own, installed ones, or a stand-in; and that the engine finds them. */
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { succeed } from "../../scripts/dev/process.ts";
import { cliStep } from "../../scripts/dev/pulumi-cli.ts";
import { pluginsStep } from "../../scripts/dev/pulumi-plugins.ts";
import { pulumiEnvironment } from "../../scripts/dev/stack.ts";
import type { Workspace } from "../../scripts/dev/workspace.ts";

vi.setConfig({ testTimeout: 60_000 });

const { "@pulumi/command": version, "@pulumi/terraform": terraformVersion } = packageJson.dependencies;
const folderName = `resource-command-v${version}`;
const root = join(import.meta.dirname, "..", "..");
let directory: string;
let workspace: Workspace;
let place: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "crosszone-plugins-"));
  workspace = { root, pulumi: join(directory, ".pulumi"), cloud: join(directory, "cloud"), stack: "dev" };
  place = join(workspace.pulumi, "home", "plugins", folderName);
  vi.stubEnv("PULUMI_HOME", join(directory, "user"));
  vi.stubEnv("HOME", directory);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

/** A plugin of the user's: a real folder, as `pulumi plugin install` makes it; the program is a copy of the stand-in's. */
function installForUser(home: string, name = folderName, program = "pulumi-resource-command"): string {
  const folder = join(home, "plugins", name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "PulumiPlugin.yaml"), "runtime: nodejs\n");
  const script = `#!/bin/sh\nexec "${process.execPath}" "${root}/toolchain/command/main.ts" "$@"\n`;
  writeFileSync(join(folder, program), script, { mode: 0o755 });
  return folder;
}

/** The plugins that the engine finds, by `pulumi plugin ls`. */
async function found(): Promise<string[]> {
  const { XDG_CACHE_HOME: _, ...env } = process.env;
  vi.stubEnv("HOME", env.HOME_OF_USER ?? "/root");
  await cliStep(workspace).present();
  const listed = await succeed(join(workspace.pulumi, "bin", "pulumi"), ["plugin", "ls", "--json"], {
    env: pulumiEnvironment(workspace),
  });
  return (JSON.parse(listed.stdout) as { name: string; version: string }[])
    .map((each) => `${each.name} ${each.version}`)
    .sort();
}

test("without one of the user's the stand-in is used, and the engine finds it", async () => {
  const said = await pluginsStep(workspace, false).present();
  expect(said).toContain(`command ${version}, the stand-in of toolchain/command`);
  expect(realpathSync(join(place, "pulumi-resource-command"))).toBe(
    join(root, "toolchain", "command", "pulumi-resource-command"),
  );
  expect(lstatSync(place).isDirectory()).toBe(true);
  expect(await found()).toEqual([`command ${version}`]);
});

test("plugins in the user's own Pulumi home are used: the folder is real, what it holds are links, and the engine finds both", async () => {
  const user = join(directory, "user");
  const official = installForUser(user);
  const terraform = installForUser(
    user,
    `resource-terraform-v${terraformVersion}`,
    "pulumi-resource-terraform",
  );
  const said = await pluginsStep(workspace, true).present();
  expect(said).toBe(
    `command ${version} of the user's Pulumi, ${official}; terraform ${terraformVersion} of the user's Pulumi, ${terraform}`,
  );
  expect(lstatSync(place).isDirectory()).toBe(true);
  expect(readlinkSync(join(place, "pulumi-resource-command"))).toBe(
    join(official, "pulumi-resource-command"),
  );
  expect(await found()).toEqual([`command ${version}`, `terraform ${terraformVersion}`]);
});

test("those of ~/.pulumi are too, where PULUMI_HOME names another place; a stand-in gives way to one that came later", async () => {
  await pluginsStep(workspace, false).present();
  const official = installForUser(join(directory, ".pulumi"));
  expect(await pluginsStep(workspace, false).present()).toBe(
    `command ${version} of the user's Pulumi, ${official}`,
  );
  rmSync(official, { recursive: true });
  expect(await pluginsStep(workspace, false).present()).toContain("the stand-in of toolchain/command");
});

test("one that the user installed in the project's home stays as it is", async () => {
  await pluginsStep(workspace, false).present();
  rmSync(place, { recursive: true });
  cpSync(installForUser(join(directory, "elsewhere")), place, { recursive: true });
  installForUser(join(directory, "user"));
  const before = readFileSync(join(place, "pulumi-resource-command"), "utf8");
  for (const _ of [1, 2]) {
    expect(await pluginsStep(workspace, true).present()).toBe(`command ${version} of ${place}`);
  }
  expect(lstatSync(join(place, "pulumi-resource-command")).isSymbolicLink()).toBe(false);
  expect(readFileSync(join(place, "pulumi-resource-command"), "utf8")).toBe(before);
});

test("a folder that an earlier version has linked becomes a real one", async () => {
  const official = installForUser(join(directory, "user"));
  mkdirSync(join(workspace.pulumi, "home", "plugins"), { recursive: true });
  symlinkSync(official, place);
  await pluginsStep(workspace, false).present();
  expect(lstatSync(place).isDirectory()).toBe(true);
  expect(readFileSync(join(official, "pulumi-resource-command"), "utf8")).toContain(
    "toolchain/command/main.ts",
  );
});

test("an official CLI gets the plugin by its own `plugin install`, from the mirror that is set; where that fails, the stand-in", async () => {
  const bin = join(workspace.pulumi, "bin");
  mkdirSync(bin, { recursive: true });
  const asked = join(directory, "asked");
  const cli = (ends: string) =>
    writeFileSync(join(bin, "pulumi"), `#!/bin/sh\necho "$PULUMI_HOME" "$@" >> "${asked}"\n${ends}\n`, {
      mode: 0o755,
    });
  vi.stubEnv("CROSSZONE_PULUMI_RELEASES", "http://127.0.0.1:9/mirror");
  cli("exit 1");
  const step = pluginsStep(workspace, true);
  expect(await step.present()).toBeUndefined();
  expect(await step.make({ say: () => {}, progress: () => {} })).toContain(
    "the stand-in of toolchain/command",
  );
  expect(readFileSync(asked, "utf8")).toBe(
    `${join(workspace.pulumi, "home")} plugin install resource command ${version} --server http://127.0.0.1:9/mirror/plugins\n`,
  );
  rmSync(place, { recursive: true });
  const official = installForUser(join(directory, "served"));
  cli(`mkdir -p "${join(workspace.pulumi, "home", "plugins")}" && cp -r "${official}" "${place}"`);
  expect(await step.make({ say: () => {}, progress: () => {} })).toBe(`command ${version} of ${place}`);
});
